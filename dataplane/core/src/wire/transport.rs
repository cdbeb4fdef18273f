//! TCP (RFC 9293) and UDP (RFC 768) headers.

use super::{TCP, UDP};
use crate::frame::Frame;

/// Offset of the checksum in a TCP header.
pub const TCP_CHECKSUM: usize = 16;
/// Offset of the checksum in a UDP header.
pub const UDP_CHECKSUM: usize = 6;

const TCP_HEADER: u16 = 20;
const UDP_HEADER: u16 = 8;

/// What TCP says about the connection.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Tcp {
    /// The flags of byte 13.
    pub flags: u8,
    /// The acknowledgement number (meaningless without [`Tcp::ACK`]); of a SYN, the number that will
    /// acknowledge it.
    pub number: u32,
}

impl Tcp {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Opens a connection.
    pub const SYN: u8 = 2;
    /// Ends a connection at once.
    pub const RST: u8 = 4;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 16;

    /// Whether all bits of `flags` are set.
    #[inline(always)]
    pub const fn has(self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Whether this is a client's first segment.
    #[inline(always)]
    pub const fn opens(self) -> bool {
        self.flags & (Self::SYN | Self::RST | Self::ACK) == Self::SYN
    }
}

/// Source and destination port (wire order) and TCP's fields of the header at `offset`, of which
/// `payload` bytes belong to the packet; `None` for other protocols and for a header cut short.
#[inline(always)]
pub fn parse<F: Frame>(
    frame: &F,
    offset: usize,
    protocol: u8,
    payload: u16,
) -> Option<((u16, u16), Tcp)> {
    let ports = frame.read_u32(offset)?.to_ne_bytes();
    let ports = (
        u16::from_ne_bytes([ports[0], ports[1]]),
        u16::from_ne_bytes([ports[2], ports[3]]),
    );
    match protocol {
        TCP if payload >= TCP_HEADER => {
            // The last bytes that NAT will touch: read once, so that no later access can fail.
            frame.read_u32(offset + TCP_CHECKSUM)?;
            let [_, flags] = frame.read_u16(offset + 12)?.to_ne_bytes();
            let [s0, s1, s2, s3, a0, a1, a2, a3] = frame.read_u64(offset + 4)?.to_ne_bytes();
            let number = if flags & Tcp::SYN != 0 {
                u32::from_be_bytes([s0, s1, s2, s3]).wrapping_add(1)
            } else {
                u32::from_be_bytes([a0, a1, a2, a3])
            };
            Some((ports, Tcp { flags, number }))
        }
        UDP if payload >= UDP_HEADER => {
            frame.read_u32(offset + 4)?;
            Some((ports, Tcp::default()))
        }
        _ => None,
    }
}
