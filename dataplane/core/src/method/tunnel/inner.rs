//! What a tunnel's headers say about the packet in it.

use crate::frame::Frame;
use crate::nat::{self, checksum::sum_of};
use crate::wire::icmp::{ICMP, ICMPV6};
use crate::wire::transport::UDP_CHECKSUM;
use crate::wire::{Headers, TCP, UDP, ipv4, ipv6};

/// IP protocol number of IPv4 in IP.
const IPV4_IN_IP: u8 = 4;
/// IP protocol number of IPv6 in IP.
const IPV6_IN_IP: u8 = 41;

/// An IPv4 header's "don't fragment".
const DONT_FRAGMENT: u16 = u16::from_ne_bytes([0x40, 0]);

/// Its "more fragments" and fragment offset.
const IS_FRAGMENT: u16 = u16::from_ne_bytes([0x3f, 0xff]);

/// The fields of its IP header that matter outside, in one word (stack is short): bits 0..16 length, 16..24 class, 24..32
/// TTL, 32..48 identification, 48..64 [`DONT_FRAGMENT`] or nothing, as it stands in an IPv4 header; there bit 48 says
/// that it is an IPv6 packet, which has neither.
#[derive(Clone, Copy)]
pub(super) struct Inner(u64);

const IPV6: u64 = 1 << 48;
/// First bit of the TTL, which is at least 2.
const TTL: u32 = 24;

impl Inner {
    #[inline(always)]
    pub(super) fn read<F: Frame>(frame: &F, network: usize) -> Option<Self> {
        let [version, class, l0, l1] = frame.read_u32(network)?.to_ne_bytes();
        if version >> 4 == 6 {
            let [p0, p1, _, limit] = frame.read_u32(network + 4)?.to_ne_bytes();
            let length = ipv6::HEADER as u64 + u16::from_be_bytes([p0, p1]) as u64;
            let class = version << 4 | class >> 4;
            return Some(Self(
                length | (class as u64) << 16 | (limit as u64) << TTL | IPV6,
            ));
        }
        let [ttl, _] = frame.read_u16(network + ipv4::TTL)?.to_ne_bytes();
        let length = u16::from_be_bytes([l0, l1]) as u64;
        let id = frame.read_u16(network + 4)? as u64;
        let fragment = (frame.read_u16(network + 6)? & DONT_FRAGMENT) as u64;
        Some(Self(
            length | (class as u64) << 16 | (ttl as u64) << TTL | id << 32 | fragment << 48,
        ))
    }

    /// Takes one from the TTL of the packet, which is now at `network` (`decrement_ttl`).
    #[inline(always)]
    pub(super) fn age<F: Frame>(self, frame: &mut F, network: usize) -> Option<Self> {
        if self.is_ipv6() {
            nat::age_ipv6(frame, network)?;
        } else {
            nat::age(frame, network)?;
        }
        Some(Self(self.0 - (1 << TTL)))
    }

    /// Whether it is an IPv6 packet.
    #[inline(always)]
    pub(super) const fn is_ipv6(self) -> bool {
        self.0 & IPV6 != 0
    }

    /// Length with the IP header, bytes.
    #[inline(always)]
    pub(super) const fn length(self) -> usize {
        self.0 as u16 as usize
    }

    /// Type of service, or traffic class, with both ECN bits.
    #[inline(always)]
    pub(super) const fn class(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Time to live, or hop limit.
    #[inline(always)]
    pub(super) const fn ttl(self) -> u8 {
        (self.0 >> TTL) as u8
    }

    /// Identification, wire order; of IPv6 nothing.
    #[inline(always)]
    pub(super) const fn id(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// What stands in the outer header's flags, if that is an IPv4 one: DF or nothing.
    #[inline(always)]
    pub(super) const fn fragment(self) -> u16 {
        (self.0 >> 48) as u16 & DONT_FRAGMENT
    }

    /// Its number as an IP protocol.
    #[inline(always)]
    pub(super) const fn protocol(self) -> u8 {
        if self.is_ipv6() {
            IPV6_IN_IP
        } else {
            IPV4_IN_IP
        }
    }

    /// Its number as an Ethernet type, wire order.
    #[inline(always)]
    pub(super) const fn ethertype(self) -> u16 {
        if self.is_ipv6() {
            0x86dd_u16.to_be()
        } else {
            0x0800_u16.to_be()
        }
    }

    /// A number that is the same for all packets of a connection, and scattered over the connections.
    #[inline(always)]
    pub(super) fn entropy<F: Frame>(self, frame: &F, headers: Headers) -> Option<u32> {
        let client = if self.is_ipv6() {
            frame.read_u32(headers.network + ipv6::SOURCE + 12)?
        } else {
            frame.read_u32(headers.network + ipv4::SOURCE)?
        };
        let ports = frame.read_u32(headers.transport)?;
        let mixed = (client ^ ports.rotate_left(16)).wrapping_mul(0x9e37_79b1);
        Some(mixed ^ mixed >> 15)
    }

    /// The one's complement sum of the whole packet with its next TTL, without a look at its payload: a right checksum makes the
    /// sum of a segment that of its pseudo-header, inverted, and an IPv4 header's zero. `None` where no such
    /// checksum is at hand: UDP without one, SCTP, fragments, and IPv6 with extension headers. Also right where the kernel will
    /// complete the checksum later (CHECKSUM_PARTIAL).
    #[inline(always)]
    pub(super) fn sum<F: Frame>(self, frame: &F, headers: Headers) -> Option<u32> {
        let network = headers.network;
        let header = headers.transport - network;
        if !self.is_ipv6() && frame.read_u16(network + ipv4::FRAGMENT)? & IS_FRAGMENT != 0 {
            return None;
        }
        match headers.protocol {
            TCP => {}
            UDP if frame.read_u16(headers.transport + UDP_CHECKSUM)? != 0 => {}
            // It has no pseudo-header.
            ICMP => return Some(inverted(0)),
            ICMPV6 => {}
            _ => return None,
        }
        let segment = (self.length() - header) as u16;
        let pseudo = segment.to_be() as u32 + u16::from_ne_bytes([0, headers.protocol]) as u32;
        if !self.is_ipv6() {
            let addresses = sum_of(frame.read_u32(network + ipv4::SOURCE)?)
                + sum_of(frame.read_u32(network + ipv4::DESTINATION)?);
            return Some(inverted(pseudo + addresses));
        }
        if header != ipv6::HEADER {
            return None;
        }
        // The addresses are in the header and in the pseudo-header, and cancel each other out.
        let limit = u32::from_ne_bytes([0, 0, 0, 1]);
        let fields =
            sum_of(frame.read_u32(network)?) + sum_of(frame.read_u32(network + 4)? - limit);
        Some(fields + inverted(pseudo))
    }
}

/// What makes a one's complement sum zero.
#[inline(always)]
const fn inverted(sum: u32) -> u32 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    0xffff - sum
}
