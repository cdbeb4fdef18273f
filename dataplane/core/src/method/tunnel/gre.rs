//! Generic Routing Encapsulation (RFC 2784, `ip_vs_gre_encap`): no key, no sequence number, a checksum if the
//! server is to have one.

use crate::abi::dest;
use crate::frame::Frame;
use crate::nat::checksum::{finish, sum_of};

/// IP protocol number.
pub(super) const PROTOCOL: u8 = 47;

/// Bit of the first two bytes: there is a checksum.
const CHECKSUM: u16 = u16::from_ne_bytes([0x80, 0]);

/// Length of the header for a server with this mode, bytes.
#[inline(always)]
pub(super) const fn length(mode: u64) -> usize {
    if mode & dest::CHECKSUM == 0 { 4 } else { 8 }
}

/// Writes the header at `offset`, with a checksum if there is the sum of its contents.
#[inline(always)]
pub(super) fn write<F: Frame>(
    frame: &mut F,
    offset: usize,
    ethertype: u16,
    sum: Option<u32>,
) -> Option<()> {
    let kind = (ethertype as u32) << 16;
    let Some(sum) = sum else {
        return frame.write_u32(offset, kind);
    };
    let first = CHECKSUM as u32 | kind;
    frame.write_u32(offset, first)?;
    frame.write_u32(offset + 4, finish(sum + sum_of(first)) as u32)
}
