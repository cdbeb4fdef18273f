//! The rewriting: addresses, ports, TTL, checksums, Ethernet header.
//!
//! Relies on [`crate::wire`] having seen every byte that is touched here, so no access fails
//! half way.

pub mod checksum;
pub mod crc32c;
pub mod error;

use crate::abi::endpoint::Endpoint;
use crate::abi::ipv6::Address;
use crate::frame::{ChecksumChange, Frame};
use crate::hop::Hop;
use crate::wire::ethernet::{Link, TAG};
use crate::wire::transport::{TCP_CHECKSUM, UDP_CHECKSUM};
use crate::wire::{Headers, SCTP, UDP, ipv4, ipv6};

/// Who a packet will be from and to.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Rewrite {
    /// New source.
    pub source: Endpoint,
    /// New destination.
    pub destination: Endpoint,
}

/// Gives the frame the Ethernet addresses of `hop`. The caller has made sure that the
/// hop's frames have the same link header.
#[inline(always)]
pub fn readdress<F: Frame>(frame: &mut F, link: Link, hop: &Hop) -> Option<()> {
    if link == Link::Bare {
        return Some(());
    }
    frame.write_u64(0, hop.macs)?;
    frame.write_u32(8, hop.source_rest)?;
    if link == Link::Tagged {
        frame.write_u16(TAG, hop.tag)?;
    }
    Some(())
}

/// Gives the packet its new source and destination, takes one from its TTL (RFC 1812, 5.3.1) and
/// mends both checksums by their differences (RFC 1624).
#[inline(always)]
pub fn rewrite<F: Frame>(frame: &mut F, headers: Headers, new: Rewrite) -> Option<()> {
    let network = headers.network;
    let old_ports = frame.read_u32(headers.transport)?;
    let new_ports = ports(new.source.port, new.destination.port);
    let addresses = relabel(
        frame,
        network,
        new.source.address,
        new.destination.address,
        1,
    )?;
    frame.write_u32(headers.transport, new_ports)?;

    if headers.protocol == SCTP {
        let length = frame.read_u16(network + ipv4::LENGTH)?;
        return mend_crc(frame, headers, network, length, old_ports ^ new_ports);
    }
    let change = ChecksumChange {
        addresses,
        ports: checksum::difference(old_ports, new_ports),
        zero_is_none: headers.protocol == UDP,
        ipv6: false,
    };
    frame.change_checksum(checksum_field(headers), change)
}

/// Gives the IPv4 header at `network` new addresses and a TTL that is less by `hops`, and mends its checksum. The
/// difference of the addresses.
#[inline(always)]
pub(crate) fn relabel<F: Frame>(
    frame: &mut F,
    network: usize,
    source: u32,
    destination: u32,
    hops: u8,
) -> Option<u32> {
    let addresses = checksum::difference(frame.read_u32(network + ipv4::SOURCE)?, source)
        + checksum::difference(frame.read_u32(network + ipv4::DESTINATION)?, destination);
    let [ttl, protocol, c0, c1] = frame.read_u32(network + ipv4::TTL)?.to_ne_bytes();
    let old_ttl = u16::from_ne_bytes([ttl, protocol]);
    let new_ttl = u16::from_ne_bytes([ttl.wrapping_sub(hops), protocol]);
    let sum = checksum::apply(
        u16::from_ne_bytes([c0, c1]),
        addresses + checksum::difference(old_ttl as u32, new_ttl as u32),
    );
    frame.write_u32(network + ipv4::TTL, new_ttl as u32 | (sum as u32) << 16)?;
    frame.write_u32(network + ipv4::SOURCE, source)?;
    frame.write_u32(network + ipv4::DESTINATION, destination)?;
    Some(addresses)
}

/// Takes one from the TTL of an IPv4 packet, whose header is at `network`, that is not rewritten otherwise.
#[inline(always)]
pub fn age<F: Frame>(frame: &mut F, network: usize) -> Option<()> {
    let field = network + ipv4::TTL;
    let [ttl, protocol, c0, c1] = frame.read_u32(field)?.to_ne_bytes();
    let old = u16::from_ne_bytes([ttl, protocol]);
    let new = u16::from_ne_bytes([ttl.wrapping_sub(1), protocol]);
    let sum = checksum::apply(
        u16::from_ne_bytes([c0, c1]),
        checksum::difference(old as u32, new as u32),
    );
    frame.write_u32(field, new as u32 | (sum as u32) << 16)
}

/// Takes one from the hop limit of an IPv6 packet.
#[inline(always)]
pub fn age_ipv6<F: Frame>(frame: &mut F, network: usize) -> Option<()> {
    let field = network + ipv6::NEXT_AND_LIMIT;
    let [next, limit] = frame.read_u16(field)?.to_ne_bytes();
    frame.write_u16(field, u16::from_ne_bytes([next, limit.wrapping_sub(1)]))
}

/// What becomes of an IPv6 packet. One of its addresses is the client's, which stays, or has been
/// [changed](rewrite_address).
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct RewriteIpv6 {
    /// Offset, in the IP header, of the address that changes.
    pub place: usize,
    /// What it will be.
    pub address: Address,
    /// New source port, wire order.
    pub source: u16,
    /// New destination port, wire order.
    pub destination: u16,
}

/// As [`rewrite`]: gives the packet its new address and ports, takes one from its hop limit (RFC 8200,
/// section 3) and mends the checksum.
#[inline(always)]
pub fn rewrite_ipv6<F: Frame>(frame: &mut F, headers: Headers, new: RewriteIpv6) -> Option<()> {
    let place = headers.network + new.place;
    let addresses = replace(frame, place, new.address)?;

    let new_ports = ports(new.source, new.destination);
    let old_ports = frame.read_u32(headers.transport)?;
    frame.write_u32(headers.transport, new_ports)?;

    age_ipv6(frame, headers.network)?;

    if headers.protocol == SCTP {
        let length = frame.read_u16(headers.network + ipv6::LENGTH)?;
        let payload = headers.network + ipv6::HEADER;
        return mend_crc(frame, headers, payload, length, old_ports ^ new_ports);
    }
    let change = ChecksumChange {
        addresses,
        ports: checksum::difference(old_ports, new_ports),
        zero_is_none: headers.protocol == UDP,
        ipv6: true,
    };
    frame.change_checksum(checksum_field(headers), change)
}

/// Writes an address; the difference that it makes to a sum.
#[inline(always)]
pub(crate) fn replace<F: Frame>(frame: &mut F, offset: usize, new: Address) -> Option<u32> {
    let Address([first, second]) = new;
    Some(
        checksum::difference_of_u64(exchange(frame, offset, first)?, first)
            + checksum::difference_of_u64(exchange(frame, offset + 8, second)?, second),
    )
}

/// Gives an IPv6 packet another address at the offset `place` of its IP header, and mends the checksum: before
/// [`rewrite_ipv6`], for a packet of which both addresses change.
#[inline(always)]
pub fn rewrite_address<F: Frame>(
    frame: &mut F,
    headers: Headers,
    place: usize,
    address: Address,
) -> Option<()> {
    let place = headers.network + place;
    let addresses = replace(frame, place, address)?;
    if headers.protocol == SCTP {
        return Some(());
    }
    let change = ChecksumChange {
        addresses,
        ports: 0,
        zero_is_none: headers.protocol == UDP,
        ipv6: true,
    };
    frame.change_checksum(checksum_field(headers), change)
}

/// Writes eight bytes; what they were before.
#[inline(always)]
fn exchange<F: Frame>(frame: &mut F, offset: usize, new: u64) -> Option<u64> {
    let old = frame.read_u64(offset)?;
    frame.write_u64(offset, new)?;
    Some(old)
}

/// Mends the checksum of SCTP, which addresses are no part of, if ports have changed: they are its first four
/// bytes. The packet ends `length` bytes (wire order) behind the offset `start`.
#[inline(always)]
fn mend_crc<F: Frame>(
    frame: &mut F,
    headers: Headers,
    start: usize,
    length: u16,
    change: u32,
) -> Option<()> {
    if change == 0 {
        return Some(());
    }
    let end = start as u32 + u16::from_be(length) as u32;
    let length = end.wrapping_sub(headers.transport as u32);
    frame.mend_crc(headers.transport, length, change)
}

/// Offset of the TCP or UDP checksum.
#[inline(always)]
const fn checksum_field(headers: Headers) -> usize {
    headers.transport
        + if headers.protocol == UDP {
            UDP_CHECKSUM
        } else {
            TCP_CHECKSUM
        }
}

/// The first four bytes of a TCP, UDP or SCTP header, as memory has them on a little-endian machine. Ports in
/// wire order.
#[inline(always)]
const fn ports(source: u16, destination: u16) -> u32 {
    source as u32 | (destination as u32) << 16
}
