//! The demonstration, step by step.
//!
//! Each step says what is done and shows the command a person would type and what it really
//! printed. Steps 1 to 3 are done through netlink, so their commands print nothing; what the kernel
//! then has is read back and shown instead.

mod director;
mod network;
mod pages;

use std::{env, path::PathBuf};

use anyhow::{Context, Result, bail};
use ferrovs_lab::{Daemon, Id, Topology, WebServers, nginx};

use super::{
    options::{Options, Servers},
    screen::Screen,
};

/// How many of many alike things are shown.
const SHOWN: usize = 2;

/// What every step needs.
struct Walk<'a> {
    options: &'a Options,
    screen: &'a Screen,
    /// This program, which is also the daemon, `ipvsadm` and the web servers.
    program: PathBuf,
}

/// Walks through the demonstration; whether it behaved. Whatever happens, nothing is left standing,
/// unless that was asked for and all steps were taken.
pub(super) fn walk(options: &Options, screen: &Screen) -> Result<bool> {
    let program = env::current_exe().context("cannot find this program again")?;
    let walk = Walk {
        options,
        screen,
        program,
    };
    walk.check_before()?;
    let mut topology = walk.build_network()?;
    walk.start_web_servers(&mut topology)?;
    let daemon = walk.start_forwarding(&topology)?;
    let judged = walk.show(&topology);
    if !matches!(judged, Ok(true)) {
        walk.show_log(&daemon)?;
    }
    let behaved = judged?;
    if options.keep {
        walk.say_how_to_enter(&topology)?;
        daemon.let_go();
        topology.keep();
    } else {
        let (stopped, removed) = (daemon.stop(), topology.remove());
        stopped?;
        removed?;
    }
    Ok(behaved)
}

impl Walk<'_> {
    /// What would make the demonstration fail half-way is told before anything is touched.
    fn check_before(&self) -> Result<()> {
        if self.options.keep && Id::kept().stands()? {
            bail!(
                "a lab is standing already; use it, or remove it with: {} lab --remove",
                typed_name()
            );
        }
        if self.options.servers == Servers::Nginx && nginx().is_none() {
            bail!("nginx is not installed: install it, or leave out --servers nginx");
        }
        Ok(())
    }

    /// From the first service to the verdict; whether the demonstration behaved.
    fn show(&self, topology: &Topology) -> Result<bool> {
        self.add_service(topology)?;
        self.add_servers(topology)?;
        self.list(topology)?;
        let visit = self.load_pages(topology)?;
        let evidence = self.read_counters(topology, visit)?;
        self.pronounce(&evidence)
    }

    fn web_servers(&self) -> WebServers {
        match self.options.servers {
            Servers::Nginx => WebServers::Nginx,
            Servers::Builtin => {
                let arguments = ["lab", "--serve"].map(str::to_owned).into();
                WebServers::Program(self.program.clone(), arguments)
            }
        }
    }

    fn show_log(&self, daemon: &Daemon) -> Result<()> {
        self.screen.heading("The daemon's log")?;
        self.screen.text(&daemon.log())
    }

    fn say_how_to_enter(&self, topology: &Topology) -> Result<()> {
        let screen = self.screen;
        screen.heading("The lab is left standing")?;
        screen.say("Enter a host, as root, with:")?;
        let machines = [&topology.client, &topology.director, &topology.switch];
        let servers = topology.servers.iter().map(|server| &server.namespace);
        for namespace in machines.into_iter().chain(servers.take(SHOWN)) {
            screen.say(format_args!("  ip netns exec {} bash", namespace.name()))?;
        }
        self.say_more("hosts", topology.servers.len())?;
        let (client, director) = (topology.client.name(), topology.director.name());
        let ferrovs = typed_name();
        screen.say("For instance, load a page, list the connections, take the programs away:")?;
        screen.say(format_args!(
            "  ip netns exec {client} curl http://{}/",
            ferrovs_lab::VIP
        ))?;
        screen.say(format_args!(
            "  ip netns exec {director} {ferrovs} ipvsadm -L -n -c"
        ))?;
        screen.say(format_args!("  ip netns exec {director} {ferrovs} down"))?;
        screen.say(format_args!(
            "Logs are in {}.",
            topology.directory().display()
        ))?;
        screen.say("Remove all of it with:")?;
        screen.say(format_args!("  {ferrovs} lab --remove"))
    }

    /// Says how many of `total` things were not shown.
    fn say_more(&self, what: &str, total: usize) -> Result<()> {
        match total.saturating_sub(SHOWN) {
            0 => Ok(()),
            more => self
                .screen
                .say(format_args!("... and {more} more {what} like these")),
        }
    }
}

/// This program as it was typed.
fn typed_name() -> String {
    env::args().next().unwrap_or_else(|| "ferrovs".to_owned())
}
