//! XDP programs of an interface: attached through netlink, they stay when the process ends and go with
//! the interface.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage, LinkXdp},
};

use super::Query;

/// `XDP_FLAGS_UPDATE_IF_NOEXIST`.
const IF_NONE: u32 = 1 << 0;
/// `XDP_FLAGS_SKB_MODE`.
const GENERIC: u32 = 1 << 1;
/// `XDP_FLAGS_DRV_MODE`.
const NATIVE: u32 = 1 << 2;
/// `XDP_FLAGS_HW_MODE`.
const OFFLOADED: u32 = 1 << 3;
/// `XDP_FLAGS_REPLACE`: only if the program there is the expected one.
const REPLACE: u32 = 1 << 4;

/// Where in the way of a packet an XDP program runs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum XdpMode {
    /// In the driver.
    Native,
    /// In the kernel, after the packet has become an skb.
    Generic,
    /// In the network card.
    Offloaded,
}

impl XdpMode {
    const fn flag(self) -> u32 {
        match self {
            Self::Native => NATIVE,
            Self::Generic => GENERIC,
            Self::Offloaded => OFFLOADED,
        }
    }
}

impl Query {
    /// Attaches an XDP program in place of the one that is expected, or where there is none.
    ///
    /// # Errors
    /// `EBUSY` or `EEXIST` where another one is, `EOPNOTSUPP` without support by the driver, or what
    /// else the kernel says, in its own words.
    pub(crate) fn xdp_attach(
        &mut self,
        interface: u32,
        mode: XdpMode,
        program: BorrowedFd<'_>,
        expected: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let condition = if expected.is_some() { REPLACE } else { IF_NONE };
        let flags = mode.flag() | condition;
        self.xdp_set(interface, program.as_raw_fd(), flags, expected)
    }

    /// Takes an XDP program away, if it is the expected one.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn xdp_detach(
        &mut self,
        interface: u32,
        mode: XdpMode,
        expected: BorrowedFd<'_>,
    ) -> io::Result<()> {
        self.xdp_set(interface, -1, mode.flag() | REPLACE, Some(expected))
    }

    fn xdp_set(
        &mut self,
        interface: u32,
        program: i32,
        flags: u32,
        expected: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let mut xdp = vec![LinkXdp::Fd(program), LinkXdp::Flags(flags)];
        if let Some(expected) = expected {
            xdp.push(LinkXdp::ExpectedFd(expected.as_raw_fd() as u32));
        }
        let mut request = LinkMessage::default();
        request.header.index = interface;
        request.attributes = vec![LinkAttribute::Xdp(xdp)];
        self.act(RouteNetlinkMessage::SetLink(request), 0)
    }
}
