//! `ferrovs import`: the way from another load balancer to ferrovs.
//!
//! It prints what `ferrovs restore` takes, and changes nothing: two directors must not hold one virtual
//! address at once, and when to change over is the administrator's choice.

mod kernel;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use ferrovs_config::saved;
use ferrovs_kernel::ipvs;

use super::output;

/// How to change over once the file is written.
const STEPS: &str = "\
To change over without losing a service:

  ferrovs import --kernel services.toml
  ipvsadm -C                        # the ipvsadm of the kernel's IPVS
  ferrovs restore services.toml

Connections that the kernel's IPVS has do not move; new ones are ferrovs's.";

/// Options of `ferrovs import`.
#[derive(Clone, Debug, Args)]
#[command(after_help = STEPS)]
pub(super) struct Options {
    /// From the kernel's own IPVS, as of this network namespace
    #[arg(long, required = true)]
    kernel: bool,
    /// Write to this file instead of standard output; it is replaced whole, or not at all
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let wanted = match kernel::wanted(&ipvs::read()?) {
        Ok(wanted) => wanted,
        Err(without_equal) => bail!(
            "ferrovs has no equal for this; change it in the kernel's IPVS and import again:\n  {}",
            without_equal.join("\n  ")
        ),
    };
    output::put(options.file.as_deref(), &saved::write(&wanted)?)
}
