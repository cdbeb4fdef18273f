//! Development tasks, run as `cargo xtask ...`.
//!
//! There is one so far: [`ebpf`], which turns `dataplane/core` and `dataplane/ebpf` into the
//! object that `dataplane/object` embeds.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod ebpf;
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
}

fn main() -> ExitCode {
    if let Some(code) = ebpf::rustc_wrapper() {
        return code;
    }
    let Task::Ebpf(command) = Arguments::parse().task;
    match ebpf::run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
