//! What the kernel knows about the network of this namespace, through netlink.

mod features;
mod generic;
mod message;
mod neighbours;
mod routes;
mod snapshot;
mod socket;
mod xdp;

pub use snapshot::{Address, Link, Neighbour, Snapshot};

pub(crate) use features::{Features, xdp_features};
pub(crate) use generic::{Generic, Transport};
pub(crate) use message::errno;
pub(crate) use routes::{Place, Way};
pub(crate) use socket::{Query, Watch};
pub use xdp::XdpMode;
