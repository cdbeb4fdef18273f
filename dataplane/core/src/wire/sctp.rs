//! The SCTP common header and chunks (RFC 9260, section 3), as far as IPVS looks (`set_sctp_state`): at the
//! first chunk, and at the one behind a COOKIE ECHO or COOKIE ACK.
//!
//! What they say is told in TCP's words ([`Tcp`]), so that the way of a packet is one for both protocols:
//! an INIT opens as a SYN does, an INIT ACK answers it with the number (the tag) that only who has heard it can
//! repeat, an ABORT ends at once, and all the rest repeats the number.
//!
//! Of a packet that the device is to cut into several (GSO), only the common header lies where the others' headers
//! do; chunks are read as what may lie anywhere.
//!
//! The eBPF programs make [`read`] a function that is verified by itself: only SCTP pays for it.

use super::Tcp;
use crate::frame::Frame;

/// Length of the common header, bytes.
const HEADER: usize = 12;
/// Shortest packet: the common header and the header of a chunk.
pub const SHORTEST: u16 = 16;
/// Offset of the verification tag.
const TAG: usize = 4;
/// Offset of the checksum.
pub const CHECKSUM: usize = 8;
/// Offset of the initiate tag of an INIT or INIT ACK.
const INITIATE_TAG: usize = 16;

/// Chunk types (RFC 9260, section 3.2), as far as they change a state.
pub mod chunk {
    /// Also stands for every type that changes no state.
    pub const DATA: u8 = 0;
    /// Opens an association.
    pub const INIT: u8 = 1;
    /// Answers an INIT, with a cookie.
    pub const INIT_ACK: u8 = 2;
    /// Ends an association at once.
    pub const ABORT: u8 = 6;
    /// No more data from the sender.
    pub const SHUTDOWN: u8 = 7;
    /// Answers a SHUTDOWN.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// Something is wrong.
    pub const ERROR: u8 = 9;
    /// Brings the cookie back.
    pub const COOKIE_ECHO: u8 = 10;
    /// Answers a COOKIE ECHO.
    pub const COOKIE_ACK: u8 = 11;
    /// The last packet of an association.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}

/// What [`read`] says of a packet that cannot be read.
pub const UNREADABLE: u64 = u64::MAX;

/// What the SCTP packet at `offset`, of `payload` bytes, says: a [`Tcp`], packed; [`UNREADABLE`] if its header is
/// cut short, or if its checksum is not there yet where it has to be complete ([`Frame::COMPLETE`]).
#[inline(always)]
pub fn read<F: Frame>(frame: &F, offset: usize, payload: u16) -> u64 {
    match said(frame, offset, payload) {
        Some(said) => said.pack(),
        None => UNREADABLE,
    }
}

#[inline(always)]
fn said<F: Frame>(frame: &F, offset: usize, payload: u16) -> Option<Tcp> {
    // Read in any case: so it is there when it has to be mended.
    let checksum = frame.read_u32(offset + CHECKSUM)?;
    if F::COMPLETE && checksum == 0 {
        return None;
    }
    let [first, _, l0, l1] = frame.read_far(offset + HEADER)?.to_ne_bytes();
    let mut kind = first;
    if first == chunk::COOKIE_ECHO || first == chunk::COOKIE_ACK {
        let length = u16::from_be_bytes([l0, l1]) as usize;
        if second(frame, offset, payload, length) == chunk::ABORT {
            kind = chunk::ABORT;
        }
    }
    let has_own_tag = kind == chunk::INIT || kind == chunk::INIT_ACK;
    let tag = if has_own_tag { INITIATE_TAG } else { TAG };
    // One that is cut off is nobody's, and such a packet nothing that a server answers.
    let number = frame.read_far(offset + tag).unwrap_or(0);
    let flags = match kind {
        chunk::INIT => Tcp::SYN,
        chunk::INIT_ACK => Tcp::SYN | Tcp::ACK,
        chunk::ABORT => Tcp::RST,
        _ => Tcp::ACK,
    };
    Some(Tcp {
        flags: flags | (shown(kind) as u16) << Tcp::CHUNK,
        number,
    })
}

/// The type of the chunk behind the first one, which has this length; DATA if there is none.
#[inline(always)]
fn second<F: Frame>(frame: &F, offset: usize, payload: u16, length: usize) -> u8 {
    let at = HEADER + ((length + 3) & !3);
    if length < 4 || at + 4 > payload as usize {
        return chunk::DATA;
    }
    match frame.read_far(offset + at) {
        Some(header) => header.to_ne_bytes()[0],
        None => chunk::DATA,
    }
}

/// The type by which a state is found (`sctp_events`).
#[inline(always)]
const fn shown(kind: u8) -> u8 {
    match kind {
        chunk::INIT..=chunk::INIT_ACK
        | chunk::ABORT..=chunk::COOKIE_ACK
        | chunk::SHUTDOWN_COMPLETE => kind,
        _ => chunk::DATA,
    }
}
