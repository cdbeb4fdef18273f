//! What an interface does for the kernel (`ethtool -K`), through the ioctl of `linux/ethtool.h`.

use std::{io, os::fd::AsRawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::Link;
use crate::error::{Doing, Error, Result};

/// Work that the kernel may leave to an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offload {
    /// Computing the checksums of what is sent. Without it there is no segmentation offload either.
    TxChecksum,
    /// Cutting TCP data into packets.
    TcpSegmentation,
    /// Cutting data into packets as late as possible, in software.
    Segmentation,
    /// Joining received packets. On a veth it also makes the interface able to receive what an XDP
    /// program on its other end redirects to it.
    Receive,
}

impl Offload {
    /// The commands that read and set it: `ETHTOOL_GTXCSUM` and so on.
    fn commands(self) -> (u32, u32) {
        match self {
            Self::TxChecksum => (0x16, 0x17),
            Self::TcpSegmentation => (0x1e, 0x1f),
            Self::Segmentation => (0x23, 0x24),
            Self::Receive => (0x2b, 0x2c),
        }
    }
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

impl Link<'_> {
    /// Whether the interface does this work.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn offload(&self, offload: Offload) -> Result<bool> {
        Ok(self
            .ethtool(offload.commands().0, 0)
            .doing(|| self.describe("ask"))?
            != 0)
    }

    /// Lets the interface do this work, or not, and checks that it obeys.
    ///
    /// # Errors
    /// When the kernel refuses or the interface cannot do otherwise.
    pub fn set_offload(&self, offload: Offload, on: bool) -> Result<()> {
        self.ethtool(offload.commands().1, u32::from(on))
            .doing(|| self.describe(&format!("set {offload:?} of")))?;
        if self.offload(offload)? == on {
            return Ok(());
        }
        Err(Error::Unexpected(
            self.describe(&format!("cannot turn {offload:?} {on} on")),
        ))
    }

    /// One command; the value that comes back.
    fn ethtool(&self, command: u32, data: u32) -> io::Result<u32> {
        let name = self.name().map_err(io::Error::other)?;
        let ask = || {
            let socket = socket(
                AddressFamily::Inet,
                SockType::Datagram,
                SockFlag::SOCK_CLOEXEC,
                None,
            )?;
            let mut value = EthtoolValue { command, data };
            // SAFETY: an ifreq of zeroes is a valid one: integers, bytes and null pointers.
            let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
            let room = request.ifr_name.len() - 1;
            for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
                *to = from.cast_signed();
            }
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            // SAFETY: the socket is open, and SIOCETHTOOL with these commands reads and writes one
            // ethtool_value where ifru_data points; both live to the end of this block.
            let outcome = unsafe {
                libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request)
            };
            if outcome < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(value.data)
            }
        };
        self.namespace.run(ask).map_err(io::Error::other)?
    }
}
