//! The options of `ferrovs lab`.

use std::net::SocketAddrV4;

use clap::{Args, ValueEnum, value_parser};
use ferrovs_lab::Hook;

/// The options of `ferrovs lab`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Leave it standing, and say how to enter and remove it
    #[arg(long)]
    pub(super) keep: bool,

    /// Remove what --keep, or a lab that was killed, has left
    #[arg(long, conflicts_with_all = ["keep", "hook", "count", "scheduler", "servers", "pages"])]
    pub(super) remove: bool,

    /// Where the data plane meets the packets: auto, xdp or tc
    #[arg(long, default_value_t)]
    pub(super) hook: Hook,

    /// How many real servers, 2 to 200
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u16).range(2..=200))]
    pub(super) count: u16,

    /// How connections are spread over the real servers
    #[arg(long, value_name = "NAME", default_value = "rr")]
    pub(super) scheduler: String,

    /// What serves the pages
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Servers::Builtin)]
    pub(super) servers: Servers,

    /// How many pages the client loads, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u16).range(1..=1000))]
    pub(super) pages: u16,

    /// What the built-in web servers run
    #[arg(long, hide = true, value_name = "ADDRESS:PORT", exclusive = true)]
    pub(super) serve: Option<SocketAddrV4>,
}

/// What serves the pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Servers {
    /// A small web server of ferrovs's own
    Builtin,
    /// nginx, which must be installed
    Nginx,
}
