//! From bytes to a [`Packet`]: Ethernet, 802.1Q or bare IP; IPv4; TCP and UDP.
//!
//! Checks all lengths that later rooms rely on: whoever holds a [`Packet`] may read and write its
//! headers and knows that every access succeeds. IPv4 header checksums are not verified, as a router
//! would: XDP runs before the kernel does it, and a wrong one stays wrong through incremental updates,
//! so the receiver drops the packet (RFC 1624, section 3).

pub mod ethernet;
pub mod ipv4;
pub mod transport;

use crate::abi::endpoint::Endpoint;
use crate::frame::Frame;
pub use ethernet::Link;
pub use transport::Tcp;

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;

/// The headers of a packet that may concern us.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Packet {
    /// What stands before the IP header.
    pub link: Link,
    /// Offset of the TCP or UDP header, bytes.
    pub transport: usize,
    /// IP total length, bytes: what IPVS counts.
    pub length: u16,
    /// Time to live.
    pub ttl: u8,
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// What TCP says; all zero for UDP.
    pub tcp: Tcp,
}

impl Packet {
    /// Offset of the IP header, bytes.
    #[inline(always)]
    pub const fn network(&self) -> usize {
        self.link.length()
    }
}

/// What a frame turned out to be.
pub enum Parsed {
    /// TCP or UDP with its whole header.
    Packet(Packet),
    /// A fragment, first or later, of any packet.
    Fragment,
    /// Nothing that a service could want.
    Foreign,
}

/// Reads the headers of `frame`, which begins with an Ethernet header addressed to `mac`, or with the
/// IP header if there is none.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, mac: Option<u64>) -> Parsed {
    let Some(link) = ethernet::parse(frame, mac) else {
        return Parsed::Foreign;
    };
    let network = link.length();
    let Some(ip) = ipv4::parse(frame, network) else {
        return Parsed::Foreign;
    };
    if ip.fragment {
        return Parsed::Fragment;
    }
    let transport = network + ip.header;
    let Some((ports, tcp)) = transport::parse(frame, transport, ip.protocol, ip.payload) else {
        return Parsed::Foreign;
    };
    Parsed::Packet(Packet {
        link,
        transport,
        length: ip.length,
        ttl: ip.ttl,
        protocol: ip.protocol,
        source: Endpoint {
            address: ip.source,
            port: ports.0,
        },
        destination: Endpoint {
            address: ip.destination,
            port: ports.1,
        },
        tcp,
    })
}
