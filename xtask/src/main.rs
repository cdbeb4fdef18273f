//! Development tasks, run as `cargo xtask ...`.
//!
//! [`ebpf`] turns `dataplane/core` and `dataplane/ebpf` into the object that `dataplane/object`
//! embeds; [`fuzz`] looks for inputs that the programs do not stand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod ebpf;
mod fuzz;
mod paths;
mod process;
#[path = "../../dataplane/object/src/source_hash.rs"]
mod source_hash;

/// Development tasks of ferrovs.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The eBPF object that is committed under dataplane/object/prebuilt.
    #[command(subcommand)]
    Ebpf(ebpf::Command),
    /// Fuzz command lines, files and lists of changes, and keep the inputs that are worth it.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    if let Some(code) = ebpf::rustc_wrapper() {
        return code;
    }
    let done = match Arguments::parse().task {
        Task::Ebpf(command) => ebpf::run(&command),
        Task::Fuzz(options) => fuzz::fuzz(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
