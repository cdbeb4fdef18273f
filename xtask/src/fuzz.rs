//! `cargo xtask fuzz`: libFuzzer on what people type and programs send, in `fuzz/`.
//!
//! What must hold for every input is said in `tests/src/fuzzed`. Here each target gets the inputs that
//! are kept and those made from recorded commands, runs, and leaves the ones that are worth keeping:
//! the fewest that reach all code that was reached, and all for which something did not hold.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{
    paths,
    process::{run, spelled, which},
};

const CARGO_FUZZ: &str = "0.13.2";
/// All targets: `Target::ALL` of the tests.
const TARGETS: [&str; 4] = ["arguments", "restore", "saved", "json"];
/// The longest input, in bytes.
const LONGEST: usize = 4096;
/// An input that takes so many seconds is a find too.
const SLOWEST: &str = "-timeout=10";

/// What to fuzz, and how long.
#[derive(Args)]
pub(crate) struct Options {
    /// What to fuzz; everything if nothing is named
    #[arg(value_name = "TARGET", value_parser = TARGETS)]
    targets: Vec<String>,
    /// How long each target runs, in seconds
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

/// Fuzzes one target after the other.
///
/// # Errors
/// When a tool is missing or fails, and when something did not hold.
pub(crate) fn fuzz(options: &Options) -> Result<()> {
    tools()?;
    let all = || TARGETS.map(str::to_owned).to_vec();
    let targets = match options.targets.as_slice() {
        [] => all(),
        named => named.to_vec(),
    };
    let mut failed = Vec::new();
    for target in &targets {
        if let Err(error) = Work::of(target).fuzz(options.seconds) {
            failed.push(format!("{target}: {error:#}"));
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

/// Installs cargo-fuzz if it is missing; a C++ compiler is left to the user.
fn tools() -> Result<()> {
    let compiler = std::env::var("CXX").unwrap_or("c++".to_owned());
    if which(&compiler).is_none() {
        bail!(
            "libFuzzer is C++ and there is no {compiler} here: install a C++ compiler (Debian: apt-get \
             install g++), then run this again"
        );
    }
    if which("cargo-fuzz").is_none() {
        let mut install = cargo();
        install.args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ]);
        eprintln!("cargo-fuzz is missing: {}", spelled(&install));
        run(&mut install)?;
    }
    Ok(())
}

/// One target and the folders it works in.
struct Work<'a> {
    target: &'a str,
    /// Inputs, a file each.
    inputs: PathBuf,
    /// Those for which something did not hold.
    artifacts: PathBuf,
}

impl<'a> Work<'a> {
    fn of(target: &'a str) -> Self {
        let folder = paths::root().join("fuzz");
        Self {
            target,
            inputs: folder.join("target/inputs").join(target),
            artifacts: folder.join("artifacts").join(target),
        }
    }

    fn fuzz(&self, seconds: u32) -> Result<()> {
        for folder in [&self.inputs, &self.artifacts] {
            if folder.exists() {
                fs::remove_dir_all(folder)
                    .with_context(|| format!("empty {}", folder.display()))?;
            }
        }
        self.corpus("unpack", &self.inputs)?;
        let longest = format!("-max_len={LONGEST}");
        let time = format!("-max_total_time={seconds}");
        let run = self.cargo_fuzz("run", &[&longest, &time, SLOWEST, "-print_final_stats=1"]);
        if self.has_found() {
            self.corpus("add", &self.artifacts)?;
            bail!(
                "something does not hold for the input above, which is now in fuzz/corpus: the test `fuzzed` \
                 fails until it is mended"
            );
        }
        run?;
        // How often code runs would make a corpus five times as large.
        self.cargo_fuzz("cmin", &[&longest, "-use_counters=0"])?;
        self.corpus("pack", &self.inputs)
    }

    fn has_found(&self) -> bool {
        let found = self.artifacts.read_dir();
        found.is_ok_and(|mut found| found.next().is_some())
    }

    /// Without a sanitizer, which takes nightly Rust: there is no `unsafe` on the way of these inputs.
    fn cargo_fuzz(&self, command: &str, arguments: &[&str]) -> Result<()> {
        let mut cargo = cargo();
        cargo.args(["fuzz", command, "--sanitizer", "none", self.target]);
        cargo.arg(&self.inputs).arg("--").args(arguments);
        run(&mut cargo)
    }

    /// Between the file in `fuzz/corpus` and a folder.
    fn corpus(&self, command: &str, folder: &Path) -> Result<()> {
        let mut cargo = cargo();
        cargo.args(["run", "--quiet", "--package", "ferrovs-tests"]);
        cargo.args(["--example", "corpus", "--", command, self.target]);
        run(cargo.arg(folder))
    }
}

fn cargo() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or(OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(paths::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_program() {
        let manifest = paths::root().join("fuzz/Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("read the manifest");
        let manifest: toml::Table = toml::from_str(&manifest).expect("it is TOML");
        let programs = manifest["bin"].as_array().expect("a list");
        let names = programs
            .iter()
            .filter_map(|program| program["name"].as_str());
        assert_eq!(names.collect::<Vec<_>>(), TARGETS);
    }
}
