//! The stage: network namespaces, links, servers, traffic and captures, for `ferrovs lab` and the tests.
//!
//! Everything here is made through the kernel's own interfaces (netlink, ioctl, `setns`), never by
//! calling `ip`, and everything is taken away again when the value that made it is dropped, also
//! when a test panics. What a caller needs, from the outside in:
//!
//! - [`Topology`]: the LVS-NAT demonstration, with a client, a director, real servers and their cables;
//! - [`Daemon`] and [`ipvsadm`]: the program under test, inside the director;
//! - [`http`] and [`udp`]: servers and clients; [`Storm`] and [`Held`]: load that notices every failure;
//! - [`Capture`]: what really passed on a wire;
//! - [`Namespace`] and [`Link`]: what the above are made of.
//!
//! All of it needs root. Namespaces are named under `/run/netns`, as iproute2 does, so that
//! `ip netns exec NAME COMMAND` enters them.

pub mod capture;
mod daemon;
mod error;
pub mod http;
mod link;
pub mod load;
pub mod namespace;
mod nginx;
mod process;
mod route;
mod snmp;
mod tcp;
mod topology;
pub mod udp;

pub use capture::{Capture, Record};
pub use daemon::{Daemon, Hook, ferrovs, ipvsadm};
pub use error::{Error, Result};
pub use link::{Link, Mac, Offload, veth};
pub use load::{Held, Storm};
pub use namespace::Namespace;
pub use nginx::nginx;
pub use process::Service;
pub use topology::{
    CLIENT, DIP, Id, Options, PREFIX, Progress, RealServer, Removed, Topology, VIP, WebServers,
    leftovers, remove_leftovers, server_address,
};

/// Whether this process may make network namespaces, which everything in this crate needs.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
