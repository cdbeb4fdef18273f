//! `cargo xtask ebpf`: from sources to the committed object, and the checks on it.
//!
//! The way of a build: [`toolchain`] and [`linker`] find the tools and see that they fit,
//! [`compile`] runs cargo, [`inspect`] refuses what must not be in an object, [`output`] strips,
//! disassembles and describes. `check` makes the same anew elsewhere and compares; [`verify`]
//! loads an object into the running kernel and holds its cost against a budget.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use crate::{paths, source_hash::source_hash};
use output::Output;

mod compile;
mod inspect;
mod install;
mod linker;
mod output;
mod toolchain;
mod verify;

/// What can be done with the eBPF object.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compile the programs and replace the committed object, disassembly and build info.
    Build,
    /// Compile the programs elsewhere and fail if the committed object is another one.
    Check,
    /// Load every program into the running kernel (as root) and hold its cost to the budget.
    Verify {
        /// The object to load instead of the committed one.
        #[arg(long, value_name = "FILE")]
        object: Option<PathBuf>,
    },
    /// Compile the programs and print their disassembly, changing nothing.
    Disasm,
    /// Install the tools that a build needs, or name exactly what is missing.
    Install {
        /// Print the commands instead of running them.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs one command to its end.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Build => build(),
        Command::Check => check(),
        Command::Verify { object } => {
            let committed = paths::prebuilt().join(output::OBJECT);
            verify::verify(object.as_deref().unwrap_or(&committed), &paths::budget())
        }
        Command::Disasm => {
            print!("{}", make()?.disassembly);
            Ok(())
        }
        Command::Install { dry_run } => install::install(*dry_run),
    }
}

/// Acts as the compiler wrapper that [`compile`] makes of this program, if that is what it was
/// started as.
pub(crate) fn rustc_wrapper() -> Option<ExitCode> {
    compile::rustc_wrapper()
}

/// Compiles and inspects; nothing is written outside of the eBPF target folder.
fn make() -> Result<Output> {
    let toolchain = toolchain::find()?;
    let linker = linker::find(&toolchain)?;
    eprintln!("{toolchain}\n{linker}");
    let sources = source_hash(&paths::root())?;
    let object = compile::compile(&toolchain, &linker)?;
    if source_hash(&paths::root())? != sources {
        bail!("the sources changed while they were being compiled: run this again");
    }
    let bytes = fs::read(&object).with_context(|| format!("read {}", object.display()))?;
    inspect::refuse_panics(&bytes)?;
    Output::of(&object, &sources, &toolchain, &linker)
}

fn build() -> Result<()> {
    let output = make()?;
    let folder = paths::prebuilt();
    output.write(&folder)?;
    eprintln!("wrote {} ({} bytes)", folder.display(), output.object.len());
    Ok(())
}

fn check() -> Result<()> {
    let fresh = make()?;
    let committed = Output::read(&paths::prebuilt())?;
    let drift = committed.drift(&fresh);
    if drift.is_empty() {
        eprintln!("the committed object is the one these sources make");
        return Ok(());
    }
    println!("{}", drift.diff);
    bail!(
        "{}; run `cargo xtask ebpf build` and commit {}",
        drift.reasons.join("; "),
        paths::prebuilt().display()
    )
}
