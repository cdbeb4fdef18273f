//! What can be said on the command line of `ferrovs run`.

use clap::{Args, ValueEnum};
use ferrovs_kernel::{FLOWS, HookChoice};
use serde::{Deserialize, Serialize};

/// Options of `ferrovs run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Where packets are met: tc works everywhere; xdp is faster on network cards; auto takes xdp on
    /// network cards whose driver runs it and tc elsewhere
    #[arg(long, value_enum, default_value = "tc")]
    pub hook: HookArg,
    /// Hook this interface at once, besides those that carry a virtual address or lead to a real
    /// server (can be given several times)
    #[arg(long = "interface", value_name = "NAME")]
    pub interfaces: Vec<String>,
    /// How many flows the table is made for [default: by memory, 65,536 to 1,048,576]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(FLOWS))]
    pub flows: Option<u64>,
    /// Started by a command: log to the journal or to /run/ferrovs, and end when there is nothing left
    /// to do
    #[arg(long, hide = true)]
    pub autostart: bool,
}

/// A choice of hooks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HookArg {
    /// tc everywhere
    Tc,
    /// XDP everywhere, with tc behind it
    Xdp,
    /// XDP on network cards whose driver runs it, tc elsewhere
    Auto,
}

/// What `ferrovs run` was told that its successors must know too.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Manner {
    hook: HookArg,
    /// Interfaces named by the administrator.
    pub(super) named: Vec<String>,
    /// Whether a command started the daemon.
    pub(super) autostarted: bool,
}

impl Manner {
    /// What the administrator said about hooks.
    pub(super) const fn choice(&self) -> HookChoice {
        match self.hook {
            HookArg::Tc => HookChoice::Tc,
            HookArg::Xdp => HookChoice::Xdp,
            HookArg::Auto => HookChoice::Auto,
        }
    }
}

impl RunArgs {
    /// How to run: as the command line says, or, for a daemon that a command starts, as the daemon whose
    /// place it takes.
    pub(super) fn manner(&self, earlier: Option<Manner>) -> Manner {
        match earlier {
            Some(earlier) if self.autostart => earlier,
            _ => Manner {
                hook: self.hook,
                named: self.interfaces.clone(),
                autostarted: self.autostart,
            },
        }
    }
}
