//! TCP (RFC 9293) and UDP (RFC 768) headers; SCTP's are in [`super::sctp`].

use super::{SCTP, TCP, UDP, sctp};
use crate::frame::Frame;

/// Offset of the checksum in a TCP header.
pub const TCP_CHECKSUM: usize = 16;
/// Offset of the checksum in a UDP header.
pub const UDP_CHECKSUM: usize = 6;

const TCP_HEADER: u16 = 20;
/// Bytes of a UDP header.
pub(super) const UDP_HEADER: u16 = 8;

/// What TCP says about the connection, or SCTP in the same words.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Tcp {
    /// The flags of byte 13. Of SCTP, also the type of a [chunk](super::sctp::chunk), from bit
    /// [`Tcp::CHUNK`] on.
    pub flags: u16,
    /// The acknowledgement number (meaningless without [`Tcp::ACK`]); of a SYN, the number that will
    /// acknowledge it. Of SCTP, a tag instead.
    pub number: u32,
}

impl Tcp {
    /// No more data from the sender.
    pub const FIN: u16 = 1;
    /// Opens a connection.
    pub const SYN: u16 = 2;
    /// Ends a connection at once.
    pub const RST: u16 = 4;
    /// The acknowledgement number counts.
    pub const ACK: u16 = 16;
    /// First bit of the type of SCTP's chunk.
    pub const CHUNK: u32 = 8;

    /// Whether all bits of `flags` are set.
    #[inline(always)]
    pub const fn has(self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    /// Whether this is a client's first segment.
    #[inline(always)]
    pub const fn opens(self) -> bool {
        self.flags & (Self::SYN | Self::RST | Self::ACK) == Self::SYN
    }

    /// The type of SCTP's chunk.
    #[inline(always)]
    pub const fn chunk(self) -> u8 {
        (self.flags >> Self::CHUNK) as u8
    }

    /// In one number, for a call that returns only that. Never [`sctp::UNREADABLE`].
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.number as u64 | (self.flags as u64) << 32
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            flags: (word >> 32) as u16,
            number: word as u32,
        }
    }
}

/// Source and destination port (wire order) and what TCP or SCTP says, of the header at `offset`, of which
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
            let flags = flags as u16;
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
        SCTP if payload >= sctp::SHORTEST => match frame.read_sctp(offset, payload) {
            sctp::UNREADABLE => None,
            said => Some((ports, Tcp::unpack(said))),
        },
        _ => None,
    }
}
