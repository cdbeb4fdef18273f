//! A next hop: the interface a frame leaves by, and the Ethernet addresses it leaves with.
//!
//! Two next hops, `2 * line` and `2 * line + 1`, share a line, each with a [half](crate::tables::Half).
//!
//! Only the daemon writes it. It makes [`STATUS`] odd, writes, and makes it even and larger; a reader
//! that sees another [`STATUS`] after than before has read a mixture and takes the slow way.

/// Word: bits 0..32 version (odd: being written), bit 32 [`USABLE`], bit 33 [`ETHERNET`].
pub const STATUS: usize = 0;
/// Word: destination MAC (six bytes) and the first two of the source MAC, in wire order.
pub const MACS: usize = 1;
/// Word: bits 0..32 the other four bytes of the source MAC in wire order, 32..64 interface index.
pub const OUT: usize = 2;
/// Word: bits 0..16 VLAN tag control information, [`NO_VLAN`] for none; 16..32 MTU in bytes; for the
/// daemon, 32..64 IPv4 address of the neighbour (wire order), 0 for an IPv6 neighbour.
pub const LINK: usize = 3;

/// Next hops that share a line.
pub const PER_LINE: u32 = 2;

/// Number of the line of which next hop `number` has a half.
pub const fn line(number: u32) -> u32 {
    number / PER_LINE
}

/// MTU in a word [`LINK`], bytes; 0: not known, or larger.
pub const fn mtu(link: u64) -> u16 {
    (link >> 16) as u16
}

/// Address of the neighbour in a word [`LINK`].
pub const fn neighbour(link: u64) -> u32 {
    (link >> 32) as u32
}

/// The neighbour's link-layer address is known and the interface can transmit what is redirected to it.
pub const USABLE: u64 = 1 << 32;
/// The interface carries Ethernet frames.
pub const ETHERNET: u64 = 1 << 33;
/// No 802.1Q tag.
pub const NO_VLAN: u16 = 0xffff;

/// Key of the table that leads from a neighbour to its next hop number.
pub const fn neighbour_key(address: u32, interface: u32) -> u64 {
    address as u64 | (interface as u64) << 32
}

/// The two address words of an Ethernet header with this destination and source.
pub const fn pack_macs(destination: [u8; 6], source: [u8; 6]) -> (u64, u32) {
    let [d0, d1, d2, d3, d4, d5] = destination;
    let [s0, s1, s2, s3, s4, s5] = source;
    (
        u64::from_ne_bytes([d0, d1, d2, d3, d4, d5, s0, s1]),
        u32::from_ne_bytes([s2, s3, s4, s5]),
    )
}
