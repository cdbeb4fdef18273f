//! The rewriting: addresses, ports, TTL, checksums, Ethernet header.
//!
//! Relies on [`crate::wire::parse`] having seen every byte that is touched here, so no access fails
//! half way.

pub mod checksum;

use crate::abi::endpoint::Endpoint;
use crate::frame::{ChecksumChange, Frame};
use crate::hop::Hop;
use crate::wire::ethernet::{Link, TAG};
use crate::wire::transport::{TCP_CHECKSUM, UDP_CHECKSUM};
use crate::wire::{Packet, UDP, ipv4};

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
pub fn rewrite<F: Frame>(frame: &mut F, packet: &Packet, new: Rewrite) -> Option<()> {
    let addresses = checksum::difference(packet.source.address, new.source.address)
        + checksum::difference(packet.destination.address, new.destination.address);
    let old_ports = ports(packet.source, packet.destination);
    let new_ports = ports(new.source, new.destination);

    let [ttl, protocol, c0, c1] = frame.read_u32(packet.network() + ipv4::TTL)?.to_ne_bytes();
    let old_ttl = u16::from_ne_bytes([ttl, protocol]);
    let new_ttl = u16::from_ne_bytes([ttl.wrapping_sub(1), protocol]);
    let sum = checksum::apply(
        u16::from_ne_bytes([c0, c1]),
        addresses + checksum::difference(old_ttl as u32, new_ttl as u32),
    );
    frame.write_u32(
        packet.network() + ipv4::TTL,
        new_ttl as u32 | (sum as u32) << 16,
    )?;
    frame.write_u32(packet.network() + ipv4::SOURCE, new.source.address)?;
    frame.write_u32(
        packet.network() + ipv4::DESTINATION,
        new.destination.address,
    )?;
    frame.write_u32(packet.transport, new_ports)?;

    let udp = packet.protocol == UDP;
    let field = packet.transport + if udp { UDP_CHECKSUM } else { TCP_CHECKSUM };
    let change = ChecksumChange {
        addresses,
        ports: checksum::difference(old_ports, new_ports),
        zero_is_none: udp,
    };
    frame.change_checksum(field, change)
}

/// The first four bytes of a TCP or UDP header, as memory has them on a little-endian machine.
#[inline(always)]
const fn ports(source: Endpoint, destination: Endpoint) -> u32 {
    source.port as u32 | (destination.port as u32) << 16
}
