//! The IPv4 header (RFC 791), options allowed.

use crate::frame::Frame;

/// Offset of the total length.
pub const LENGTH: usize = 2;
/// Offset of flags and fragment offset.
pub const FRAGMENT: usize = 6;
/// Offset of time to live and protocol; the header checksum follows.
pub const TTL: usize = 8;
/// Offset of the source address; the destination follows.
pub const SOURCE: usize = 12;
/// Offset of the destination address.
pub const DESTINATION: usize = 16;

/// Offset of the identification.
pub const ID: usize = 4;

/// More fragments follow.
const MORE: u16 = u16::from_ne_bytes([0x20, 0]);
/// Where the fragment belongs in its packet; 0: it is the first.
const OFFSET: u16 = u16::from_ne_bytes([0x1f, 0xff]);

/// What the header says.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Ipv4 {
    /// Header length, 20 to 60 bytes.
    pub header: usize,
    /// Total length, bytes.
    pub length: u16,
    /// Bytes after the header.
    pub payload: u16,
    /// A fragment of a packet, but not the first.
    pub later: bool,
    /// A fragment that is not the last one.
    pub more: bool,
    /// Time to live.
    pub ttl: u8,
    /// IP protocol number.
    pub protocol: u8,
    /// Source address, wire order.
    pub source: u32,
    /// Destination address, wire order.
    pub destination: u32,
}

/// The IPv4 header at `offset`; `None` if it is not one or contradicts itself.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, offset: usize) -> Option<Ipv4> {
    let [version, _, l0, l1] = frame.read_u32(offset)?.to_ne_bytes();
    let [ttl, protocol, _, _] = frame.read_u32(offset + TTL)?.to_ne_bytes();
    let fragment = frame.read_u16(offset + FRAGMENT)?;
    let source = frame.read_u32(offset + SOURCE)?;
    let destination = frame.read_u32(offset + DESTINATION)?;
    let length = u16::from_be_bytes([l0, l1]);
    let header = (version & 15) as usize * 4;
    if version >> 4 != 4 || header < 20 || (length as usize) < header {
        return None;
    }
    let payload = length - header as u16;
    Some(Ipv4 {
        header,
        length,
        payload,
        later: fragment & OFFSET != 0,
        more: fragment & MORE != 0,
        ttl,
        protocol,
        source,
        destination,
    })
}
