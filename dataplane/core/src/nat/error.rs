//! Rewriting an ICMP error: it goes to the other end of a flow, and speaks of the packet as that end has sent it
//! (`ip_vs_nat_icmp`).
//!
//! Checksums are mended by their differences, the quoted ones too as far as they are quoted (RFC 5508, section 4.2;
//! IPVS leaves quoted TCP, UDP and SCTP checksums as they are). All bytes are written as they are, at tc too: the sum of an
//! ICMP message with its checksum, and with the addresses that ICMPv6's covers, is the same before and after, so what
//! the kernel knows of it (CHECKSUM_COMPLETE) stays true, and nobody leaves it to a device (CHECKSUM_PARTIAL).

use super::{Rewrite, checksum, checksum_field, ports, relabel, replace};
use crate::abi::endpoint::Endpoint;
use crate::abi::ipv6::Address;
use crate::frame::{ChecksumChange, Frame};
use crate::wire::icmp::{CHECKSUM, Error, Quoted};
use crate::wire::{Headers, SCTP, UDP, ipv4, ipv6, sctp};

/// Has the error come from the address `source` (wire order; 0: from where it comes), go to who has sent the packet, and quote that as
/// it was between the ends of `quoted`. Takes one from the error's TTL.
#[inline(always)]
pub fn rewrite<F: Frame>(frame: &mut F, error: &Error, source: u32, quoted: Rewrite) -> Option<()> {
    let network = error.answer.network();
    let source = match source {
        0 => frame.read_u32(network + ipv4::SOURCE)?,
        other => other,
    };
    relabel(frame, network, source, quoted.source.address, 1)?;
    let (from, to) = (quoted.source, quoted.destination);
    let addresses = relabel(frame, error.quoted.network, from.address, to.address, 0)?;
    // The quoted IP header sums up to what it did.
    let difference = rewrite_quoted(frame, &error.quoted, from, to, addresses)?;
    mend(frame, error, difference)
}

/// As [`rewrite`], of an ICMPv6 error: `address` takes the place of the one at the offset `outer` of its header and of the one
/// at the offset `inner` of the quoted header, which are the same one.
#[inline(always)]
pub fn rewrite_ipv6<F: Frame>(
    frame: &mut F,
    error: &Error,
    outer: usize,
    inner: usize,
    address: Address,
    quoted: Rewrite,
) -> Option<()> {
    let network = error.answer.network();
    super::age_ipv6(frame, network)?;
    let pseudo = replace(frame, network + outer, address)?;
    let addresses = replace(frame, error.quoted.network + inner, address)?;
    let (from, to) = (quoted.source, quoted.destination);
    let difference = rewrite_quoted(frame, &error.quoted, from, to, addresses)?;
    mend(frame, error, pseudo + addresses + difference)
}

/// Gives the quoted transport header the ports of these ends, and mends its checksum if that is quoted. `addresses` is the
/// difference of its pseudo-header; the result that of what is written.
#[inline(always)]
fn rewrite_quoted<F: Frame>(
    frame: &mut F,
    quoted: &Quoted,
    from: Endpoint,
    to: Endpoint,
    addresses: u32,
) -> Option<u32> {
    let new = ports(from.port, to.port);
    let old = frame.read_u32(quoted.transport)?;
    frame.write_u32(quoted.transport, new)?;
    let ports = checksum::difference(old, new);
    if quoted.protocol == SCTP {
        return Some(ports + mend_sctp(frame, quoted, old ^ new).unwrap_or(0));
    }
    let change = ChecksumChange {
        addresses,
        ports,
        zero_is_none: quoted.protocol == UDP,
        ipv6: false,
    };
    Some(ports + mend_quoted(frame, quoted, change).unwrap_or(0))
}

/// Mends a quoted TCP or UDP checksum; the difference of it. `None`, and nothing done, if it is not quoted.
#[inline(always)]
fn mend_quoted<F: Frame>(frame: &mut F, quoted: &Quoted, change: ChecksumChange) -> Option<u32> {
    let field = checksum_field(Headers {
        network: 0,
        transport: 0,
        protocol: quoted.protocol,
    });
    if quoted.length < field + 2 {
        return None;
    }
    let old = frame.read_u16(quoted.transport + field)?;
    let new = checksum::change(old, change);
    frame.write_u16(quoted.transport + field, new)?;
    Some(checksum::difference(old as u32, new as u32))
}

/// Mends a quoted SCTP checksum, likewise.
#[inline(always)]
fn mend_sctp<F: Frame>(frame: &mut F, quoted: &Quoted, change: u32) -> Option<u32> {
    if change == 0 || quoted.length < sctp::CHECKSUM + 4 {
        return None;
    }
    let field = quoted.transport + sctp::CHECKSUM;
    let old = frame.read_u32(field)?;
    frame.mend_crc(quoted.transport, quoted.whole as u32, change)?;
    Some(checksum::difference(old, frame.read_u32(field)?))
}

/// Mends the error's own checksum.
#[inline(always)]
fn mend<F: Frame>(frame: &mut F, error: &Error, difference: u32) -> Option<()> {
    let field = error.icmp + CHECKSUM;
    let old = frame.read_u16(field)?;
    frame.write_u16(field, checksum::apply(old, difference))
}

/// Which address of an IPv6 header each way of [`rewrite_ipv6`] changes.
pub mod place {
    use super::ipv6;

    /// Of an error that goes to a server: outside whom it is for, inside who has sent the packet.
    pub const TO_SERVER: [usize; 2] = [ipv6::DESTINATION, ipv6::SOURCE];
    /// Of one that goes to a client: the other way round.
    pub const TO_CLIENT: [usize; 2] = [ipv6::SOURCE, ipv6::DESTINATION];
}
