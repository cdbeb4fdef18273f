//! From bytes to a [`Packet`]: Ethernet, 802.1Q or bare IP; IPv4 or IPv6; TCP, UDP and SCTP.
//!
//! Checks all lengths that later rooms rely on: whoever holds a [`Packet`] may read and write its
//! headers and knows that every access succeeds. IPv4 header checksums are not verified, as a router
//! would: XDP runs before the kernel does it, and a wrong one stays wrong through incremental updates,
//! so the receiver drops the packet (RFC 1624, section 3).

pub mod ethernet;
pub mod ipv4;
pub mod ipv6;
pub mod sctp;
pub mod transport;

use crate::abi::endpoint::Endpoint;
use crate::frame::Frame;
use crate::sip::Payload;
pub use ethernet::{Link, Version};
pub use transport::Tcp;

/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of SCTP.
pub const SCTP: u8 = 132;

/// The headers of a packet that may concern us.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Packet {
    /// What stands before the IP header.
    pub link: Link,
    /// Offset of the TCP, UDP or SCTP header, bytes.
    pub transport: usize,
    /// Length with the IP header, bytes: what IPVS counts.
    pub length: u32,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// [`TCP`], [`UDP`] or [`SCTP`].
    pub protocol: u8,
    /// Where it comes from.
    pub source: Endpoint,
    /// Where it goes.
    pub destination: Endpoint,
    /// What TCP or SCTP says; all zero for UDP.
    pub tcp: Tcp,
}

impl Packet {
    /// Offset of the IP header, bytes.
    #[inline(always)]
    pub const fn network(&self) -> usize {
        self.link.length()
    }

    /// Where its payload is, if it is a UDP datagram.
    #[inline(always)]
    pub const fn datagram(&self) -> Payload {
        if self.protocol != UDP {
            return Payload::NONE;
        }
        let end = self.network() + self.length as usize;
        Payload::new(self.transport + transport::UDP_HEADER as usize, end)
    }

    /// Where its headers are.
    #[inline(always)]
    pub const fn headers(&self) -> Headers {
        Headers {
            network: self.network(),
            transport: self.transport,
            protocol: self.protocol,
        }
    }
}

/// Where in a frame the headers of its packet are.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Headers {
    /// Offset of the IP header, bytes, below 256.
    pub network: usize,
    /// Offset of the TCP, UDP or SCTP header, bytes, below 256.
    pub transport: usize,
    /// [`TCP`], [`UDP`] or [`SCTP`].
    pub protocol: u8,
}

impl Headers {
    /// In 24 bits, for a call that takes numbers.
    #[inline(always)]
    pub const fn pack(self) -> u32 {
        self.network as u32 | (self.transport as u32) << 8 | (self.protocol as u32) << 16
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u32) -> Self {
        Self {
            network: (word & 0xff) as usize,
            transport: (word >> 8 & 0xff) as usize,
            protocol: (word >> 16) as u8,
        }
    }
}

/// What a frame turned out to be.
pub enum Parsed {
    /// TCP, UDP or SCTP with its whole header.
    Packet(Packet),
    /// A fragment, first or later, of any packet.
    Fragment,
    /// Nothing that a service could want.
    Foreign,
}

/// Reads the headers of a frame that has an IPv4 packet behind `link`.
#[inline(always)]
pub fn parse_ipv4<F: Frame>(frame: &F, link: Link) -> Parsed {
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
        length: ip.length as u32,
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

/// Reads the headers of a frame that has an IPv6 packet behind `link`. The endpoints have no addresses
/// yet: what stands for them depends on the [side](crate::side).
#[inline(always)]
pub fn parse_ipv6<F: Frame>(frame: &F, link: Link) -> Parsed {
    let network = link.length();
    let Some(ip) = ipv6::parse(frame, network) else {
        return Parsed::Foreign;
    };
    let first = network + ipv6::HEADER;
    let upper = if ipv6::is_extension(ip.next) {
        frame.skip_extensions(first, ip.next)
    } else {
        ipv6::Upper {
            offset: first,
            protocol: ip.next,
        }
    };
    if upper.is_fragment() {
        return Parsed::Fragment;
    }
    let extensions = upper.offset.wrapping_sub(first);
    if extensions > ip.payload as usize {
        return Parsed::Foreign;
    }
    let payload = ip.payload - extensions as u16;
    let Some((ports, tcp)) = transport::parse(frame, upper.offset, upper.protocol, payload) else {
        return Parsed::Foreign;
    };
    Parsed::Packet(Packet {
        link,
        transport: upper.offset,
        length: ip.payload as u32 + ipv6::HEADER as u32,
        ttl: ip.limit,
        protocol: upper.protocol,
        source: Endpoint {
            address: 0,
            port: ports.0,
        },
        destination: Endpoint {
            address: 0,
            port: ports.1,
        },
        tcp,
    })
}
