//! Installing the tools of a build, or naming what is missing.
//!
//! On Debian the compiler, its `core` for BPF and LLVM are packages; bpf-linker is compiled
//! against that LLVM by cargo. Elsewhere rustup's nightly compiles `core` itself, and LLVM comes
//! from the system: its packages are named differently everywhere, so they are left to the user.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use super::{
    linker,
    toolchain::{self, Toolchain, llvm_tool, major},
};
use crate::process::{run, spelled, which};

const BPF_LINKER: &str = "0.13.0";

/// Brings everything that `build` needs onto this machine, or with `dry_run` prints the commands.
///
/// # Errors
/// When a step fails or cannot be done for the user; the message says what to do.
pub(crate) fn install(dry_run: bool) -> Result<()> {
    let toolchain = match toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(_) if dry_run => {
            // What comes after depends on the LLVM that this brings.
            return steps(compiler()?, dry_run);
        }
        Err(_) => {
            steps(compiler()?, dry_run)?;
            toolchain::find()?
        }
    };
    eprintln!("{toolchain}");

    let major = major(&toolchain.llvm)?;
    let config = format!("/usr/lib/llvm-{major}/bin/llvm-config");
    let tools = llvm_tool(&toolchain, "llvm-objdump").and(llvm_tool(&toolchain, "llvm-strip"));
    let linker = linker::find(&toolchain);
    let linker_needs_llvm = linker.is_err() && !Path::new(&config).exists();
    if tools.is_err() || linker_needs_llvm {
        steps(llvm(major)?, dry_run)?;
    }
    match linker {
        Ok(linker) => eprintln!("{linker}"),
        Err(reason) => {
            eprintln!("{reason:#}");
            steps(vec![bpf_linker(major)], dry_run)?;
            if !dry_run {
                eprintln!("{}", linker::find(&toolchain)?);
            }
        }
    }
    if dry_run {
        Ok(())
    } else {
        complete(&toolchain)
    }
}

/// Everything is there, or the error that says what is not.
fn complete(toolchain: &Toolchain) -> Result<()> {
    llvm_tool(toolchain, "llvm-objdump")?;
    llvm_tool(toolchain, "llvm-strip")?;
    linker::find(toolchain)?;
    eprintln!("all tools are there: `cargo xtask ebpf build`");
    Ok(())
}

fn compiler() -> Result<Vec<Command>> {
    if on_debian() {
        return apt_get(&["rustc-web".into(), "libstd-rust-web-dev-bpf".into()]);
    }
    let rustup = which("rustup").context(
        "no compiler for BPF here: install rustup (https://rustup.rs), \
         then run `cargo xtask ebpf install` again",
    )?;
    let mut command = Command::new(rustup);
    command.args(["toolchain", "install", "nightly"]);
    command.args(["--profile", "minimal", "--component", "rust-src,llvm-tools"]);
    Ok(vec![command])
}

fn llvm(major: u32) -> Result<Vec<Command>> {
    if on_debian() {
        return apt_get(&[format!("llvm-{major}"), format!("llvm-{major}-dev")]);
    }
    bail!(
        "LLVM {major} is missing: install its tools and development files from your system's \
         packages, set LLVM_PREFIX to where they are, and run `cargo xtask ebpf install` again"
    )
}

fn bpf_linker(major: u32) -> Command {
    let prefix = std::env::var("LLVM_PREFIX").unwrap_or(format!("/usr/lib/llvm-{major}"));
    let mut command = Command::new("cargo");
    command
        .args(["install", "bpf-linker", "--locked", "--force"])
        .args(["--version", BPF_LINKER, "--no-default-features"])
        .args(["--features", &format!("llvm-{major}")])
        .env("RUSTFLAGS", format!("-L {prefix}/lib"))
        .env("LLVM_PREFIX", prefix);
    command
}

/// Debian and what descends from it.
fn on_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let debian = release.lines().any(|line| {
        let names = line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE="));
        names.is_some_and(|names| {
            names
                .trim_matches('"')
                .split(' ')
                .any(|name| name == "debian")
        })
    });
    debian && which("apt-get").is_some()
}

fn apt_get(packages: &[String]) -> Result<Vec<Command>> {
    let (program, prefix) = if is_root()? {
        ("apt-get", None)
    } else {
        ("sudo", Some("apt-get"))
    };
    let command = || {
        let mut command = Command::new(program);
        command.args(prefix);
        command
    };
    let (mut update, mut install) = (command(), command());
    update.arg("update");
    install.args(["install", "--yes", "--no-install-recommends"]);
    install.args(packages);
    Ok(vec![update, install])
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata("/proc/self").context("read /proc/self")?.uid() == 0)
}

/// Prints each command, and runs it unless this is a dry run; ends at the first that fails.
fn steps(commands: Vec<Command>, dry_run: bool) -> Result<()> {
    for mut command in commands {
        println!("{}", spelled(&command));
        if !dry_run {
            run(&mut command)?;
        }
    }
    Ok(())
}
