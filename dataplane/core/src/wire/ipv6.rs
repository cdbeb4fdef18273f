//! The IPv6 header (RFC 8200) and its extension headers.

use crate::abi::ipv6::Address;
use crate::frame::Frame;

/// Length of the header, bytes.
pub const HEADER: usize = 40;
/// Offset of the length of what follows the header.
pub const LENGTH: usize = 4;
/// Offset of next header and hop limit.
pub const NEXT_AND_LIMIT: usize = 6;
/// Offset of the source address.
pub const SOURCE: usize = 8;
/// Offset of the destination address.
pub const DESTINATION: usize = 24;
/// Bytes of extension headers that are read over; what has more is left to the stack.
pub const EXTENSIONS: usize = 128;

/// Headers that are looked at: the five extension headers that RFC 8200, section 4.1, has for a packet
/// without fragments and encryption, and the one behind them.
const LOOKS: u32 = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const OPTIONS: u8 = 60;

/// What the header says.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Ipv6 {
    /// Bytes after the header.
    pub payload: u16,
    /// What kind of header follows.
    pub next: u8,
    /// Hop limit.
    pub limit: u8,
}

/// The IPv6 header at `offset`; `None` if it is not one.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, offset: usize) -> Option<Ipv6> {
    let [version, _, _, _] = frame.read_u32(offset)?.to_ne_bytes();
    let [p0, p1, next, limit] = frame.read_u32(offset + 4)?.to_ne_bytes();
    // The last bytes of it, so that no later access can fail.
    frame.read_u64(offset + DESTINATION + 8)?;
    if version >> 4 != 6 {
        return None;
    }
    let payload = u16::from_be_bytes([p0, p1]);
    Some(Ipv6 {
        payload,
        next,
        limit,
    })
}

/// The address at `offset`.
#[inline(always)]
pub fn address<F: Frame>(frame: &F, offset: usize) -> Option<Address> {
    Some(Address([
        frame.read_u64(offset)?,
        frame.read_u64(offset + 8)?,
    ]))
}

/// Where the extension headers end.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Upper {
    /// Offset of what follows them.
    pub offset: usize,
    /// What that is; not a protocol of ours if it cannot be told.
    pub protocol: u8,
}

impl Upper {
    /// Whether it is a part of a larger packet, first or later.
    #[inline(always)]
    pub const fn is_fragment(self) -> bool {
        self.protocol == FRAGMENT
    }

    /// In one number, for a call that returns only that.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.offset as u32 as u64 | (self.protocol as u64) << 32
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            offset: word as u32 as usize,
            protocol: (word >> 32) as u8,
        }
    }
}

/// Reads over the extension headers, the first of which is of kind `next` and stands at `offset`.
///
/// As `ipv6_find_hdr` does. A routing header with segments left goes to the stack: its packet is for
/// somebody else, and its checksum for another address.
#[inline(always)]
pub fn skip<F: Frame>(frame: &F, offset: usize, next: u8) -> Upper {
    let unknown = Upper {
        offset,
        protocol: NO_NEXT,
    };
    let mut upper = Upper {
        offset,
        protocol: next,
    };
    for _ in 0..LOOKS {
        let kind = upper.protocol;
        if !is_extension(kind) {
            return upper;
        }
        let Some(header) = frame.read_u32(upper.offset) else {
            return unknown;
        };
        let [next, length, _, left] = header.to_ne_bytes();
        if kind == ROUTING && left != 0 {
            return unknown;
        }
        let bytes = if kind == AUTHENTICATION {
            (length as usize + 2) * 4
        } else {
            (length as usize + 1) * 8
        };
        upper = Upper {
            offset: upper.offset + bytes,
            protocol: next,
        };
        if upper.offset > offset + EXTENSIONS {
            return unknown;
        }
    }
    unknown
}

/// Whether a header of this kind has to be read over.
#[inline(always)]
pub const fn is_extension(kind: u8) -> bool {
    matches!(kind, HOP_BY_HOP | ROUTING | AUTHENTICATION | OPTIONS)
}
