//! The command line of `ferrovs` itself.

mod import;
pub(crate) mod output;
mod pool;
mod saved;
mod snat;
mod status;
mod sysctl;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context;
use clap::{Parser, Subcommand};
use ferrovs_model::Change;

use crate::{
    daemon,
    ipvsadm::{Backend, BackendError, Daemon, Program},
    lab, proc,
};

/// An LVS-NAT director in eBPF, driven by the ipvsadm command line.
#[derive(Debug, Parser)]
#[command(name = "ferrovs", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// To add one: a line here, and one in [`run`].
#[derive(Debug, Subcommand)]
enum Command {
    /// Be the director of this network namespace
    Run(daemon::RunArgs),
    /// Take away what `run` made in this network namespace: daemon, programs, tables, settings
    Down,
    /// Say how the director of this network namespace is
    Status(status::Options),
    /// List, print or set what IPVS has in /proc/sys/net/ipv4/vs
    Sysctl(sysctl::Options),
    /// List or set the director's addresses that servers with `--fullnat` or `--auto` know clients by
    Pool(pool::Options),
    /// Say or set who may make connections from an address of the director: servers of these networks
    Snat(snat::Options),
    /// Print services, servers, timeouts and sysctls as a file for `restore`, with nothing left out
    Save(saved::SaveOptions),
    /// Make services, servers, timeouts and sysctls what a file of `save` says: all of it or nothing
    Restore(saved::RestoreOptions),
    /// Read the services of another load balancer and print them as a file for `restore`
    Import(import::Options),
    /// Print a file of the kernel's IPVS in /proc/net as it would be, for programs that read those
    Proc(proc::Options),
    /// Walk through the LVS-NAT demonstration, on this machine and with real packets
    Lab(lab::Options),
    /// List and change virtual services, as ipvsadm does
    #[command(disable_help_flag = true)]
    Ipvsadm {
        /// See `ferrovs ipvsadm -h`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Runs with `args`, the program's name included. Errors are printed in one line, and the exit
/// status is 1; clap's own, for a command line that makes no sense, is 2.
#[must_use]
pub fn run(args: &[OsString]) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let done = match cli.command {
        Command::Run(args) => daemon::run(&args),
        Command::Down => daemon::down(),
        Command::Status(options) => status::run(options),
        Command::Sysctl(options) => sysctl::run(&options),
        Command::Pool(options) => pool::run(&options),
        Command::Snat(options) => snat::run(&options),
        Command::Save(options) => saved::save(&options),
        Command::Restore(options) => saved::restore(&options),
        Command::Import(options) => import::run(&options),
        Command::Proc(options) => proc::run(options),
        Command::Lab(options) => return lab::run(&options),
        Command::Ipvsadm { args } => return Program::Ipvsadm.run("ferrovs ipvsadm", &args).into(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ferrovs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Has the daemon make all of these changes or none; one is started when none runs.
fn make(changes: &[Change]) -> anyhow::Result<()> {
    match Daemon::default().apply(changes) {
        // It is not always known what became of a request that was not answered.
        Err(error @ BackendError::Failed(_)) => Err(error.into()),
        done => done.context("nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
