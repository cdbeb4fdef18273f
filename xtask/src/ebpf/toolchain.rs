//! Finding a compiler for the BPF target.
//!
//! Three are tried in this order: the one that `FERROVS_BPF_RUSTC` names, Debian's `rustc-web`
//! (which comes with `core` compiled for BPF), and rustup's nightly (which compiles `core` from
//! the rust-src component). The last word on why one does not do is kept for the message.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::process::{capture, existing, which};

/// The target of the object: little-endian BPF.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

const VARIABLE: &str = "FERROVS_BPF_RUSTC";

/// A compiler that can compile for [`TARGET`].
pub(crate) struct Toolchain {
    /// The compiler itself, not rustup's proxy.
    pub(crate) rustc: PathBuf,
    /// The cargo to drive it with.
    pub(crate) cargo: PathBuf,
    /// Where the compiler's own libraries lie.
    pub(crate) sysroot: PathBuf,
    /// First line of `rustc --version --verbose`.
    pub(crate) version: String,
    /// Version of its LLVM, as `22.1.8`.
    pub(crate) llvm: String,
    /// Whether `core` must be compiled from rust-src along with the programs.
    pub(crate) build_std: bool,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rustc,
            version,
            llvm,
            ..
        } = self;
        write!(formatter, "{version}, LLVM {llvm}: {}", rustc.display())
    }
}

/// Finds the first compiler that will do.
///
/// # Errors
/// Says for each candidate why it does not, and what would install one.
pub(crate) fn find() -> Result<Toolchain> {
    if let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return probe(Path::new(&path)).with_context(|| format!("the compiler in {VARIABLE}"));
    }
    let mut reasons = Vec::new();
    for (name, candidate) in [
        ("Debian's rustc-web", debian()),
        ("rustup's nightly", nightly()),
    ] {
        match candidate.and_then(|rustc| probe(&rustc)) {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => reasons.push(format!("{name}: {reason:#}")),
        }
    }
    bail!(
        "no compiler for {TARGET} here ({}); run `cargo xtask ebpf install`, or name one in {VARIABLE}",
        reasons.join("; ")
    )
}

/// The major number of an LLVM version such as `22.1.8`.
///
/// # Errors
/// When the text does not begin with a number.
pub(crate) fn major(version: &str) -> Result<u32> {
    let digits = version.split('.').next().unwrap_or_default();
    digits
        .parse()
        .with_context(|| format!("\"{version}\" is no LLVM version"))
}

/// A tool of LLVM's (`llvm-objdump`) of the same major version as the compiler's LLVM, or the
/// one in the compiler's sysroot (rustup's llvm-tools component).
///
/// # Errors
/// Says what to install.
pub(crate) fn llvm_tool(toolchain: &Toolchain, tool: &str) -> Result<PathBuf> {
    let major = major(&toolchain.llvm)?;
    let prefix = env::var_os("LLVM_PREFIX").map(|prefix| PathBuf::from(prefix).join("bin"));
    prefix
        .into_iter()
        .chain([format!("/usr/lib/llvm-{major}/bin").into()])
        .find_map(|folder| existing(folder.join(tool)))
        .or_else(|| which(&format!("{tool}-{major}")))
        .or_else(|| in_sysroot(&toolchain.sysroot, tool))
        .or_else(|| which(tool))
        .with_context(|| {
            format!("{tool} is missing: install LLVM {major} or rustup's llvm-tools component")
        })
}

fn in_sysroot(sysroot: &Path, tool: &str) -> Option<PathBuf> {
    let hosts = sysroot.join("lib/rustlib").read_dir().ok()?;
    hosts
        .flatten()
        .find_map(|host| existing(host.path().join("bin").join(tool)))
}

fn debian() -> Result<PathBuf> {
    // Debian's own path, since rustup's proxy usually comes first in PATH.
    existing("/usr/bin/rustc".into()).context("not installed")
}

fn nightly() -> Result<PathBuf> {
    let rustup = which("rustup").context("rustup is not installed")?;
    let path = capture(Command::new(rustup).args(["which", "rustc", "--toolchain", "nightly"]))
        .context("not installed")?;
    Ok(PathBuf::from(path.trim()))
}

/// Asks a compiler what it is and whether it has `core` for the target, in either form.
fn probe(rustc: &Path) -> Result<Toolchain> {
    let verbose = capture(Command::new(rustc).args(["--version", "--verbose"]))?;
    let version = verbose.lines().next().unwrap_or_default().to_owned();
    let llvm = verbose
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .with_context(|| format!("{version} does not tell its LLVM version"))?
        .to_owned();
    let sysroot = PathBuf::from(capture(Command::new(rustc).args(["--print", "sysroot"]))?.trim());
    let rustlib = sysroot.join("lib/rustlib");
    let build_std = if rustlib.join(TARGET).is_dir() {
        false
    } else if rustlib.join("src/rust/library/core").is_dir() {
        true
    } else {
        bail!("{version} has neither core for {TARGET} nor the rust-src component");
    };
    Ok(Toolchain {
        rustc: rustc.to_owned(),
        cargo: cargo_for(&sysroot, build_std),
        sysroot,
        version,
        llvm,
        build_std,
    })
}

/// To compile `core` from source takes the cargo that belongs to the sources; otherwise the one
/// that runs this task will do.
fn cargo_for(sysroot: &Path, build_std: bool) -> PathBuf {
    let own = build_std
        .then(|| existing(sysroot.join("bin/cargo")))
        .flatten();
    own.or_else(|| env::var_os("CARGO").map(PathBuf::from))
        .unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn major_is_the_first_number() {
        assert_eq!(major("22.1.8").expect("a version"), 22);
        assert_eq!(major("9").expect("a version"), 9);
        assert!(major("unknown").is_err());
    }
}
