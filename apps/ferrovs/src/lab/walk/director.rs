//! Steps 5 to 8: forwarding, the service, its servers, the listing.

use std::process::Output;

use anyhow::{Result, bail};
use ferrovs_lab::{Daemon, Topology, ipvsadm};

use super::{SHOWN, Walk, typed_name};
use crate::lab::interrupt;

impl Walk<'_> {
    pub(super) fn start_forwarding(&self, topology: &Topology) -> Result<Daemon> {
        let screen = self.screen;
        interrupt::check()?;
        screen.step("Forwarding")?;
        screen.say(
            "The kernel's own forwarding stays as it is (off in a new namespace, unless this",
        )?;
        screen.say(
            "machine's settings say otherwise): our programs send the packets on themselves.",
        )?;
        screen.command("director", format_args!("sysctl net.ipv4.ip_forward"))?;
        let forwarding = topology.director.sysctl("net.ipv4.ip_forward")?;
        screen.text(&format!("net.ipv4.ip_forward = {forwarding}"))?;
        let hook = self.options.hook;
        screen.command(
            "director",
            format_args!("{} run --hook {hook}", typed_name()),
        )?;
        let bar = screen.progress("loading the programs", 1);
        let start = if self.options.keep {
            Daemon::start_lasting
        } else {
            Daemon::start
        };
        let log = topology.directory().join("daemon.log");
        let daemon = start(&topology.director, &self.program, hook, &[], &log)?;
        bar.finish();
        screen.text(&daemon.log())?;
        Ok(daemon)
    }

    pub(super) fn add_service(&self, topology: &Topology) -> Result<()> {
        self.screen.step("The virtual service")?;
        self.screen.say(
            "Whoever asks for the virtual address is to be served by one of the real servers.",
        )?;
        let service = topology.service().to_string();
        self.change(
            topology,
            &["-A", "-t", &service, "-s", &self.options.scheduler],
            true,
        )
    }

    pub(super) fn add_servers(&self, topology: &Topology) -> Result<()> {
        self.screen.step("The real servers")?;
        self.screen.say("-m: masquerading, which is LVS-NAT.")?;
        let service = topology.service().to_string();
        for (number, server) in topology.servers.iter().enumerate() {
            interrupt::check()?;
            let server = server.web_address().to_string();
            let shown = number < SHOWN;
            self.change(
                topology,
                &["-a", "-t", &service, "-r", &server, "-m"],
                shown,
            )?;
        }
        self.say_more("commands", topology.servers.len())
    }

    pub(super) fn list(&self, topology: &Topology) -> Result<()> {
        self.screen.step("The table")?;
        self.query(topology, &["-L", "-n"]).map(drop)
    }

    /// Runs `ipvsadm` in the director and shows what it prints.
    pub(super) fn query(&self, topology: &Topology, arguments: &[&str]) -> Result<String> {
        self.command(topology, arguments, true)
    }

    fn change(&self, topology: &Topology, arguments: &[&str], shown: bool) -> Result<()> {
        self.command(topology, arguments, shown).map(drop)
    }

    fn command(&self, topology: &Topology, arguments: &[&str], shown: bool) -> Result<String> {
        interrupt::check()?;
        let typed = format!("ipvsadm {}", arguments.join(" "));
        if shown {
            self.screen.command("director", &typed)?;
        }
        let output = ipvsadm(&topology.director, &self.program, arguments)?;
        if shown {
            self.screen.output(&output)?;
        }
        check(&typed, &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn check(typed: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    bail!("{typed} failed ({}): {}", output.status, said.trim())
}
