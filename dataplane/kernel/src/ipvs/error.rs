//! Why the kernel's IPVS cannot be read.

use std::io;

/// Why the kernel's IPVS cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no IPVS, so it holds nothing.
    #[error(
        "the kernel's own IPVS is not loaded, so it has no services that could be read \
         (`modprobe ip_vs` would load it, with none)"
    )]
    NotLoaded,
    /// The user lacks a capability.
    #[error(
        "the kernel shows its IPVS only to root (CAP_NET_ADMIN), and not to the root of a container that has \
         users of its own: run this as the host's root in this network namespace (see nsenter)"
    )]
    NoPermission,
    /// It was different each of so many times.
    #[error(
        "the services of the kernel's own IPVS were different each of the {0} times that they were read: \
         stop what changes them (keepalived, ldirectord, kube-proxy) and try again"
    )]
    Changing(usize),
    /// The kernel's answer makes no sense.
    #[error("the answer of the kernel's own IPVS cannot be understood: {0}")]
    Malformed(String),
    /// Something else that the kernel said.
    #[error("cannot read the kernel's own IPVS: {0}")]
    System(io::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match crate::net::errno(&error) {
            Some(libc::EPERM | libc::EACCES) => Self::NoPermission,
            _ => Self::System(error),
        }
    }
}

/// The result of reading the kernel's IPVS.
pub type Result<T> = std::result::Result<T, Error>;
