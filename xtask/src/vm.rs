//! A virtual machine with a kernel of Debian's, for what the running kernel lacks: the kernel's own IPVS,
//! SCTP, tunnels, VLANs, and other versions than this one.
//!
//! The guest sees the files of this machine's root file system, read-only through virtiofs with a layer of memory above, so that every
//! program that is installed here is there too, ferrovs and its tests among them. Nothing that it writes
//! comes back. The processor is emulated, ten to thirty times slower than this machine, unless KVM is asked for.

mod boot;
mod initramfs;
mod kernel;

use std::{ffi::OsString, fs, process::Command as Process};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    paths,
    process::{run as run_tool, which},
};

/// Programs that are needed, and the packages of Debian that have them.
const TOOLS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
];

/// Options of `cargo xtask vm`.
#[derive(Args)]
pub(crate) struct Options {
    /// The beginning of the kernel's version, for instance 6.1 or 6.12; the newest that fits is fetched from
    /// Debian's packages once, into target/vm
    kernel: String,
    /// Processors of the guest
    #[arg(long, default_value_t = 2)]
    cpus: u32,
    /// Memory of the guest, in MiB
    #[arg(long, default_value_t = 2048)]
    memory: u32,
    /// Seconds after which the guest is switched off
    #[arg(long, default_value_t = 540)]
    timeout: u64,
    /// Let the processor run the guest itself; not every machine that has /dev/kvm can do that
    #[arg(long)]
    kvm: bool,
    /// What to run in the guest, in the repository's root, with `ferrovs`, `ipvs-diff` and `ends` (debug builds) in the PATH
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs the command in a guest; gives its exit status.
///
/// # Errors
/// When the guest cannot be made or ended without a word, or tools are missing.
pub(crate) fn run(options: &Options) -> Result<u8> {
    check()?;
    run_tool(
        Process::new(env!("CARGO"))
            .args(["build", "--quiet", "--bins"])
            .args(["--package", "ferrovs", "--package", "ferrovs-tests"])
            .current_dir(paths::root()),
    )?;
    fs::create_dir_all(paths::vm())?;
    let kernel = kernel::fetch(&options.kernel)?;
    boot::boot(options, &kernel)
}

fn check() -> Result<()> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(program, _)| which(program).is_none())
        .map(|&(_, package)| package)
        .collect();
    if !missing.is_empty() {
        bail!(
            "programs are missing: apt-get install {}",
            missing.join(" ")
        );
    }
    boot::virtiofsd().map(drop)
}
