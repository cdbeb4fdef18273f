//! The IPv6 header (RFC 8200) and its extension headers.

use crate::abi::ipv6::Address;
use crate::frame::Frame;

/// Length of the header, bytes.
pub const HEADER: usize = 40;
/// Length of a fragment header, bytes.
pub const FRAGMENT_HEADER: usize = 8;
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

/// Where a fragment belongs in its packet, as its header's last two bytes say in host order.
const OFFSET: u16 = 0xfff8;
/// Bit of the last byte: more fragments follow.
const MORE: u8 = 1;

/// Headers that are looked at: the five extension headers that RFC 8200, section 4.1, has for a packet
/// without fragments and encryption, and the one behind them. A fragment header takes the place of one.
const LOOKS: u32 = 6;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
/// The next header's number of a fragment header.
pub const FRAGMENT: u8 = 44;
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
    /// Offset of the fragment header among them, if the packet is the first of several fragments; else 0.
    pub fragment: usize,
}

impl Upper {
    /// Whether it is a fragment of a packet, but not the first.
    #[inline(always)]
    pub const fn is_later(self) -> bool {
        self.protocol == FRAGMENT
    }

    /// In one number, for a call that returns only that. Offsets are below 2^16.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        self.offset as u32 as u64 | (self.protocol as u64) << 32 | (self.fragment as u64) << 48
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            offset: word as u32 as usize,
            protocol: (word >> 32) as u8,
            fragment: (word >> 48) as usize,
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
        fragment: 0,
    };
    let mut upper = Upper {
        offset,
        protocol: next,
        fragment: 0,
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
        let mut fragment = upper.fragment;
        let bytes = match kind {
            AUTHENTICATION => (length as usize + 2) * 4,
            FRAGMENT => {
                let [_, _, o0, o1] = header.to_ne_bytes();
                if u16::from_be_bytes([o0, o1]) & OFFSET != 0 {
                    return upper;
                }
                if o1 & MORE != 0 {
                    fragment = upper.offset;
                }
                FRAGMENT_HEADER
            }
            _ => (length as usize + 1) * 8,
        };
        upper = Upper {
            offset: upper.offset + bytes,
            protocol: next,
            fragment,
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
    matches!(
        kind,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | OPTIONS
    )
}
