//! The Call-ID of a SIP message in a UDP datagram (`ip_vs_sip_fill_param`, `ct_sip_get_header`, `callid_len`).
//!
//! Read from one end to the other, byte by byte, but for what is in lines of no interest. As in IPVS: the first line is no header; a
//! header's name is `Call-ID` or `i`, in capitals or not; its value is as many of the characters that RFC 3261 has in a
//! `word` as there are, perhaps an `@` and more of them, and then the line must end. What is longer than [`LONGEST`]
//! or is not a Call-ID is none; a header without any value, or with nothing after the `@`, is passed over. Where the body begins does not matter.
//!
//! The eBPF programs make [`step`] a callback of `bpf_loop`, because the verifier must see a loop's end.

use crate::abi::call::{Call, LONGEST};
use crate::abi::config::{SECRET0, SECRET1};
use crate::abi::ipv6::Address;
use crate::abi::service;
use crate::frame::Frame;
use crate::tables::{Line, Tables};

/// Where in a frame the payload of a UDP datagram lies: bits 0..8 the first byte's offset, which is below 256 as the headers'
/// are, 8..32 that of the byte after the last. 0: it is none, or not known.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Payload(pub u32);

impl Payload {
    /// None.
    pub const NONE: Self = Self(0);

    /// From byte `start` to before byte `end`.
    #[inline(always)]
    pub const fn new(start: usize, end: usize) -> Self {
        Self((start & 0xff) as u32 | (end as u32) << 8)
    }

    #[inline(always)]
    const fn start(self) -> u32 {
        self.0 & 0xff
    }

    #[inline(always)]
    const fn end(self) -> u32 {
        self.0 >> 8
    }
}

/// In the midst of a line that does not matter.
const SKIP: u32 = 0;
/// After a carriage return, which a line feed may follow.
const RETURN: u32 = 1;
/// At the begin of a line.
const LINE: u32 = 2;
/// After so many characters of the header's name, the first one of [`NAME`] states.
const NAME: u32 = 3;
/// After `i`.
const COMPACT: u32 = NAME + NAME_LENGTH;
/// After the name, before the colon.
const COLON: u32 = COMPACT + 1;
/// Before the value.
const BLANK: u32 = COMPACT + 2;
/// Before the value, after a carriage return.
const FOLD_RETURN: u32 = COMPACT + 3;
/// Before the value, at the begin of a line that goes on with it if it begins with a blank.
const FOLD: u32 = COMPACT + 4;
/// In the value.
const VALUE: u32 = COMPACT + 5;
/// After its `@`.
const AT: u32 = COMPACT + 6;
/// After that.
const DOMAIN: u32 = COMPACT + 7;
/// The value is over.
const FOUND: u32 = COMPACT + 8;
/// There is none.
const FAILED: u32 = COMPACT + 9;

/// The header's name in small letters, first byte lowest.
const NAME_TEXT: u64 = u64::from_le_bytes(*b"call-id\0");
const NAME_LENGTH: u32 = 7;

/// Bytes that are read at once.
const CHUNK: u32 = 8;

/// A message that has been read so far.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Search {
    /// What is read and not yet looked at, first byte lowest.
    word: u64,
    /// Of the value so far.
    digest: u64,
    /// Of none.
    seed: u64,
    factor: u64,
    /// How many bytes that is.
    left: u32,
    /// Offset of the next byte to be read.
    at: u32,
    end: u32,
    phase: u32,
    /// Bytes of the value.
    length: u32,
    steps: u32,
}

impl Search {
    /// For the message in `payload`. `digest` and `factor` are what the Call-ID's digest is made with.
    #[inline(always)]
    fn new(payload: Payload, digest: u64, factor: u64) -> Self {
        let (at, end) = (payload.start(), payload.end());
        let bytes = end.saturating_sub(at);
        Self {
            word: 0,
            digest,
            seed: digest,
            factor,
            left: 0,
            at,
            // A datagram has headers before its payload, but whoever asks may have none.
            end: if at < CHUNK { 0 } else { end },
            phase: SKIP,
            length: 0,
            steps: bytes,
        }
    }

    /// How many [steps](step) it may take, at most.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// The Call-ID's first byte and how many it has; none: 0.
    #[inline(always)]
    fn found(&self) -> (usize, usize) {
        if self.phase != FOUND {
            return (0, 0);
        }
        // What follows it has been looked at, but is not of it.
        let start = self.at - self.left - 1 - self.length;
        (start as usize, self.length as usize)
    }

    /// Reads on, if nothing is left; false at the end.
    #[inline(always)]
    fn fill<F: Frame>(&mut self, frame: &F) -> bool {
        if self.left > 0 {
            return true;
        }
        if self.at >= self.end {
            return false;
        }
        // The last bytes are read with some before them: a read that is not wholly inside the frame fails.
        let from = if self.end - self.at < CHUNK {
            self.end - CHUNK
        } else {
            self.at
        };
        let known = (self.at - from) & (CHUNK - 1);
        let mut bytes = [0; CHUNK as usize];
        if frame.copy(from as usize, &mut bytes).is_none() {
            return false;
        }
        self.word = u64::from_le_bytes(bytes) >> (known * 8);
        self.left = CHUNK - known;
        self.at = from + CHUNK;
        true
    }

    /// Drops what is read up to the end of the line, if that is read; else all of it.
    #[inline(always)]
    fn skip(&mut self) {
        let bits = 8 * first_newline(self.word);
        if bits >= 64 {
            self.left = 0;
            return;
        }
        self.word >>= bits & 63;
        self.left -= (bits / 8) & (CHUNK - 1);
    }

    #[inline(always)]
    fn take(&mut self) -> u8 {
        let byte = self.word as u8;
        self.word >>= 8;
        self.left -= 1;
        byte
    }

    /// Adds a byte to the value.
    #[inline(always)]
    fn append(&mut self, byte: u8, phase: u32) -> u32 {
        if self.length as usize >= LONGEST {
            return FAILED;
        }
        self.length += 1;
        let mixed = (self.digest ^ byte as u64).wrapping_mul(self.factor);
        self.digest = mixed ^ mixed >> 32;
        phase
    }

    /// The value's next byte, or what follows it, in `phase`.
    #[inline(always)]
    fn value(&mut self, phase: u32, byte: u8) -> u32 {
        if is_word(byte) {
            let inside = if phase == VALUE { VALUE } else { DOMAIN };
            return self.append(byte, inside);
        }
        if byte == b'@' && phase == VALUE && self.length > 0 {
            return self.append(byte, AT);
        }
        if self.length == 0 || phase == AT {
            self.length = 0;
            self.digest = self.seed;
            return rest(byte);
        }
        if is_newline(byte) { FOUND } else { FAILED }
    }

    /// What follows `self.phase` when this is the next byte.
    #[inline(always)]
    fn after(&mut self, byte: u8) -> u32 {
        match self.phase {
            SKIP => rest(byte),
            RETURN if byte == b'\n' => LINE,
            RETURN | LINE => line(byte),
            COMPACT => {
                if byte.is_ascii_alphabetic() {
                    SKIP
                } else {
                    colon(byte)
                }
            }
            COLON => colon(byte),
            BLANK | FOLD if is_blank(byte) => BLANK,
            BLANK if byte == b'\r' => FOLD_RETURN,
            BLANK | FOLD_RETURN if byte == b'\n' => FOLD,
            FOLD_RETURN if is_blank(byte) => BLANK,
            FOLD_RETURN | FOLD => line(byte),
            BLANK => self.value(VALUE, byte),
            VALUE | AT | DOMAIN => self.value(self.phase, byte),
            phase => name(phase, byte),
        }
    }
}

/// One step of reading; whether it was the last.
#[inline(always)]
pub fn step<F: Frame>(frame: &F, search: &mut Search) -> bool {
    if !search.fill(frame) {
        return true;
    }
    if search.phase == SKIP {
        search.skip();
        if search.left == 0 {
            return false;
        }
    }
    let byte = search.take();
    search.phase = search.after(byte);
    search.phase >= FOUND
}

/// The call that a datagram for service `number` is of, which comes from a client with this whole address (an IPv4 one in
/// the lowest bits).
#[inline(always)]
pub fn call<F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    number: u16,
    payload: Payload,
    client: Address,
) -> Call {
    let (Some(config), Some(service)) = (tables.config(0), tables.service(number as u32)) else {
        return Call::NONE;
    };
    let Address([first, second]) = client;
    let factor = config.load(SECRET1) | 1;
    let mut digest = config.load(SECRET0);
    for word in [
        first & service.load(service::MASK),
        second & service.load(service::MASK + 1),
    ] {
        digest = (digest ^ word).wrapping_mul(factor);
        digest ^= digest >> 32;
    }
    let search = frame.seek(Search::new(payload, digest, factor));
    if search.phase != FOUND {
        return Call::NONE;
    }
    Call::new(search.digest.wrapping_mul(factor))
}

/// Keeps the Call-ID of the datagram, which is of `call`, to be listed.
#[inline(always)]
pub fn note<F: Frame, T: Tables>(frame: &F, tables: &T, payload: Payload, call: Call) {
    let (start, length) = frame.seek(Search::new(payload, 0, 1)).found();
    if length != 0 {
        tables.note_call(frame, call, start, length);
    }
}

/// In the midst of a line.
#[inline(always)]
const fn rest(byte: u8) -> u32 {
    match byte {
        b'\r' => RETURN,
        b'\n' => LINE,
        _ => SKIP,
    }
}

/// At the begin of a line. One that begins with a blank belongs to the line before.
#[inline(always)]
const fn line(byte: u8) -> u32 {
    match byte | 0x20 {
        b'c' => NAME + 1,
        b'i' => COMPACT,
        _ => rest(byte),
    }
}

/// In the name. What was read of it is the same for the name's begin and nothing else.
#[inline(always)]
const fn name(phase: u32, byte: u8) -> u32 {
    let at = (phase - NAME) & 7;
    if is_newline(byte) {
        return rest(byte);
    }
    if byte | 0x20 != (NAME_TEXT >> (at * 8)) as u8 {
        return SKIP;
    }
    if at + 1 == NAME_LENGTH {
        COLON
    } else {
        phase + 1
    }
}

/// After the name.
#[inline(always)]
const fn colon(byte: u8) -> u32 {
    match byte {
        b':' => BLANK,
        b' ' | b'\t' => COLON,
        _ => rest(byte),
    }
}

#[inline(always)]
const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[inline(always)]
const fn is_newline(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

/// Bits of the characters below 64 that are in a word (`iswordc`).
const LOW: u64 = bits(b"!\"%'()*+-./0123456789:<>?", 0);
/// The same of those from 64 on.
const HIGH: u64 = bits(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]_`abcdefghijklmnopqrstuvwxyz{}~",
    64,
);

const fn bits(mut characters: &[u8], first: u8) -> u64 {
    let mut set = 0;
    while let [character, others @ ..] = characters {
        set |= 1 << (*character - first);
        characters = others;
    }
    set
}

/// Whether it may be in a word. As in IPVS, letters of Latin-1 may (`isalnum`).
#[inline(always)]
const fn is_word(byte: u8) -> bool {
    let set = match byte >> 6 {
        0 => LOW,
        1 => HIGH,
        3 => return byte != 0xd7 && byte != 0xf7,
        _ => return false,
    };
    set >> (byte & 63) & 1 != 0
}

/// How many bytes of the word, first byte lowest, come before the first line feed or carriage return; 8: all.
#[inline(always)]
const fn first_newline(word: u64) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let feeds = word ^ (b'\n' as u64 * ONES);
    let returns = word ^ (b'\r' as u64 * ONES);
    // The highest bit of each byte that is zero; above the first such byte, perhaps of others.
    let zeros =
        (feeds.wrapping_sub(ONES) & !feeds | returns.wrapping_sub(ONES) & !returns) & ONES << 7;
    if zeros == 0 {
        return 8;
    }
    let first = (zeros & zeros.wrapping_neg()) >> 7;
    // A factor of which each byte says how far it was moved when it is the highest one of the product.
    (first.wrapping_mul(0x0001_0203_0405_0607) >> 56) as u32
}
