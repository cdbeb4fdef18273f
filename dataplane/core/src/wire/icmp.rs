//! Errors of ICMP (RFC 792) and ICMPv6 (RFC 4443), as far as the packet that they quote.
//!
//! A quotation begins with the quoted packet's IP header. Behind that there need be no more of it than eight bytes
//! (RFC 792), which the ports are among; a checksum is there only if more is quoted.

use super::{Link, Packet, SCTP, TCP, Tcp, UDP, ipv4, ipv6};
use crate::abi::endpoint::Endpoint;
use crate::frame::Frame;

/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
/// Offset of the checksum.
pub const CHECKSUM: usize = 2;
/// Length of the header, bytes; the quotation follows.
const HEADER: usize = 8;
/// Bytes of a quoted TCP, UDP or SCTP packet that there must be.
const LEAST: usize = 8;

/// An error about a TCP, UDP or SCTP packet.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Error {
    /// Offset of the ICMP header, bytes.
    pub icmp: usize,
    /// Where in the frame the quoted packet is.
    pub quoted: Quoted,
    /// The error as an answer to the quoted packet: with link header, length and TTL of its own, but protocol and
    /// endpoints of the quoted packet, whose source is the destination here.
    pub answer: Packet,
}

/// A quoted packet in its frame.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Quoted {
    /// Offset of its IP header, bytes.
    pub network: usize,
    /// Offset of its TCP, UDP or SCTP header, bytes.
    pub transport: usize,
    /// Its protocol.
    pub protocol: u8,
    /// Bytes of it that are quoted, from the transport header on; at least 8.
    pub length: usize,
    /// Bytes that it had, from there on.
    pub whole: usize,
}

/// The error behind `link`, if that is what the IPv4 packet there is: unreachable, source quench, time exceeded
/// (`ip_vs_out_icmp` takes these) or parameter problem. It is no fragment.
#[inline(always)]
pub fn parse_ipv4<F: Frame>(frame: &F, link: Link) -> Option<Error> {
    let network = link.length();
    let ip = ipv4::parse(frame, network)?;
    let icmp = network + ip.header;
    let [kind, _, _, _] = frame.read_u32(icmp)?.to_ne_bytes();
    if ip.protocol != ICMP || ip.more || !matches!(kind, 3 | 4 | 11 | 12) {
        return None;
    }
    let quoted = icmp + HEADER;
    let of = ipv4::parse(frame, quoted)?;
    if of.later {
        return None;
    }
    let quoted = Quoted {
        network: quoted,
        transport: quoted + of.header,
        protocol: of.protocol,
        length: (network + ip.length as usize).saturating_sub(quoted + of.header),
        whole: of.payload as usize,
    };
    let (from, to) = ports(frame, &quoted)?;
    Some(Error {
        icmp,
        quoted,
        answer: Packet {
            link,
            transport: icmp,
            length: ip.length as u32,
            ttl: ip.ttl,
            protocol: of.protocol,
            more: false,
            source: Endpoint {
                address: of.destination,
                port: to,
            },
            destination: Endpoint {
                address: of.source,
                port: from,
            },
            tcp: Tcp::default(),
        },
    })
}

/// The same of IPv6: every error there is (`ip_vs_out_icmp_v6`).
#[inline(always)]
pub fn parse_ipv6<F: Frame>(frame: &F, link: Link) -> Option<Error> {
    let network = link.length();
    let ip = ipv6::parse(frame, network)?;
    let outer = upper(frame, network + ipv6::HEADER, ip.next);
    let icmp = outer.offset;
    let [kind, _, _, _] = frame.read_u32(icmp)?.to_ne_bytes();
    // From 128 on it is no error.
    if outer.protocol != ICMPV6 || outer.fragment != 0 || kind == 0 || kind >= 128 {
        return None;
    }
    let quoted = icmp + HEADER;
    let of = ipv6::parse(frame, quoted)?;
    let inner = upper(frame, quoted + ipv6::HEADER, of.next);
    let headers = inner.offset.wrapping_sub(quoted + ipv6::HEADER);
    let end = network + ipv6::HEADER + ip.payload as usize;
    let quoted = Quoted {
        network: quoted,
        transport: inner.offset,
        protocol: inner.protocol,
        length: end.saturating_sub(inner.offset),
        whole: (of.payload as usize).saturating_sub(headers),
    };
    let (from, to) = ports(frame, &quoted)?;
    Some(Error {
        icmp,
        quoted,
        answer: Packet {
            link,
            transport: icmp,
            length: ip.payload as u32 + ipv6::HEADER as u32,
            ttl: ip.limit,
            protocol: inner.protocol,
            more: false,
            source: Endpoint {
                address: 0,
                port: to,
            },
            destination: Endpoint {
                address: 0,
                port: from,
            },
            tcp: Tcp::default(),
        },
    })
}

/// What stands behind the extension headers, the first of which may be at `offset` and is of kind `next` then.
#[inline(always)]
fn upper<F: Frame>(frame: &F, offset: usize, next: u8) -> ipv6::Upper {
    if ipv6::is_extension(next) {
        frame.skip_extensions(offset, next)
    } else {
        ipv6::Upper {
            offset,
            protocol: next,
            fragment: 0,
        }
    }
}

/// Source and destination port, wire order; `None` if the packet has none, or too little of it is quoted.
#[inline(always)]
fn ports<F: Frame>(frame: &F, quoted: &Quoted) -> Option<(u16, u16)> {
    let known = matches!(quoted.protocol, TCP | UDP | SCTP);
    if !known || quoted.length < LEAST {
        return None;
    }
    // All of what there must be, so that no later access can fail.
    let [s0, s1, d0, d1, ..] = frame.read_u64(quoted.transport)?.to_ne_bytes();
    Some((u16::from_ne_bytes([s0, s1]), u16::from_ne_bytes([d0, d1])))
}
