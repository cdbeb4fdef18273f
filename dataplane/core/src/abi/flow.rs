//! A flow: one connection, one line, found from both directions.
//!
//! Everything that says whether the line may be used is in the [`Control`] word, which changes only by
//! compare-and-exchange (or by the one CPU that holds the line in [`Phase::Claimed`]). The endpoint
//! words change only while the line is claimed. The rule for readers and writers is in
//! [`crate::flow`].
//!
//! The four endpoint words of an IPv4 flow are as they are named. Those of an IPv6 flow, which is told by
//! [`super::endpoint::IPV6`] in the tag of [`CLIENT`], hold the client's address whole and the rest
//! packed; [`crate::flow::ends::Ends`] makes of both what keys and hashes are made of:
//!
//! | word | bits | IPv6 |
//! |---|---|---|
//! | [`CLIENT`] | 0..16 | service number |
//! | | 16..32 | local port, wire order |
//! | | 32..48 | client port, wire order |
//! | | 48..64 | tag: IP protocol and [`super::endpoint::IPV6`] |
//! | [`VIRTUAL`] | | first word of the client's address |
//! | [`DEST`] | 0..48 | real server endpoint, its address as a digest |
//! | | 48..64 | virtual port, wire order |
//! | [`LOCAL`] | | second word of the client's address |

use super::bits;

/// Word: see [`Control`].
pub const CONTROL: usize = 0;
/// Word: client endpoint, tag = IP protocol.
pub const CLIENT: usize = 1;
/// Word: virtual endpoint as the client addressed it, tag = service number, with [`ONE_PACKET`] if no packet of
/// the client shall find the line.
pub const VIRTUAL: usize = 2;
/// Word: real server endpoint, tag 0. No endpoint: the server's answers do not pass here
/// ([`super::dest::Method`]), so that no packet of the server's is ever taken for one.
pub const DEST: usize = 3;
/// Word: the endpoint that the server sees as its peer, tag = IP protocol. Equal to [`CLIENT`] unless
/// another source port had to be taken, or one of the [pool](super::pool) with its address.
pub const LOCAL: usize = 4;
/// Word: see [`Owner`].
pub const OWNER: usize = 5;
/// Word: see [`WayBack`].
pub const WAY_BACK: usize = 6;
/// Word: see [`Handshake`].
pub const HANDSHAKE: usize = 7;
/// Word of a template ([`super::state::TEMPLATE`]): ticks for which it is kept after its last use, whatever is
/// said of new ones since.
pub const KEPT: usize = HANDSHAKE;

/// Word of a UDP flow that the template of a [call](super::call::Call) keeps: bits 0..32 those of the call's number, bits
/// 48..64 the generation; of any other, no call.
pub const CALL: usize = HANDSHAKE;

/// Bit of the tag of [`VIRTUAL`]: the line only leads replies back ([`super::state::ONE_PACKET`]).
pub const ONE_PACKET: u16 = 1 << 15;

/// How far a line is from being a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(u8)]
pub enum Phase {
    /// Nobody's. Also what zeroed memory says.
    Free = 0,
    /// One CPU is writing or clearing it; nobody else may believe any other word.
    Claimed = 1,
    /// A flow.
    Live = 2,
}

/// The word that decides: phase, protection, state, generation and last use.
///
/// bits 0..2 phase, 2 protected, 3..8 state, 8..32 generation, 32..64 last seen.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Control(pub u64);

impl Control {
    /// A control word of the given parts.
    pub const fn new(phase: Phase, state: u8, generation: u32, last_seen: u32) -> Self {
        Self(
            phase as u64
                | ((state & 31) as u64) << 3
                | ((generation & 0x00ff_ffff) as u64) << 8
                | (last_seen as u64) << 32,
        )
    }

    /// Whether the line holds a flow.
    pub const fn is_live(self) -> bool {
        bits(self.0, 0, 2) == Phase::Live as u64
    }

    /// Whether the line is nobody's.
    pub const fn is_free(self) -> bool {
        bits(self.0, 0, 2) == Phase::Free as u64
    }

    /// Whether the client has acknowledged the server's own sequence number, or repeated its tag of SCTP: never
    /// evicted.
    pub const fn is_protected(self) -> bool {
        self.0 & 4 != 0
    }

    /// The [state](super::state) of the flow, 0..32.
    pub const fn state(self) -> u8 {
        bits(self.0, 3, 5) as u8
    }

    /// How often the line was claimed, modulo 2^24.
    pub const fn generation(self) -> u32 {
        bits(self.0, 8, 24) as u32
    }

    /// When a packet was last seen, in ticks of [`super::config::TICK_SHIFT`].
    pub const fn last_seen(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// What the next claimer of the line writes.
    #[must_use]
    pub const fn claimed(self, now: u32) -> Self {
        Self::new(Phase::Claimed, 0, self.generation().wrapping_add(1), now)
    }

    /// The same with another state.
    #[must_use]
    pub const fn with_state(self, state: u8) -> Self {
        Self(self.0 & !(31 << 3) | ((state & 31) as u64) << 3)
    }

    /// The same, protected.
    #[must_use]
    pub const fn with_protection(self) -> Self {
        Self(self.0 | 4)
    }

    /// The same, last seen at `tick`.
    #[must_use]
    pub const fn with_last_seen(self, tick: u32) -> Self {
        Self(self.0 & 0xffff_ffff | (tick as u64) << 32)
    }
}

/// Which destination a flow counts for, and how it can be found.
///
/// bits 0..24 destination number, 24..32 the pool's address, 32..36 flags, 36..64 the digest of the client's IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Owner(pub u64);

impl Owner {
    /// The line is not in its home bucket, whose header counts it.
    pub const DISPLACED: u64 = 1 << 32;
    /// A pointer leads to it from the server's side.
    pub const SERVER_POINTER: u64 = 1 << 33;
    /// A template chose its server, and is kept as long as it lives.
    pub const KEPT: u64 = 1 << 34;

    /// Of this destination, whose client has, if it is an IPv6 one, this digest.
    pub const fn new(dest: u32, digest: u32) -> Self {
        Self((dest & 0x00ff_ffff) as u64 | (digest as u64) << 36)
    }

    /// The digest of the client's IPv6 address ([`super::ipv6::Address::digest`]).
    pub const fn digest(self) -> u32 {
        (self.0 >> 36) as u32
    }

    /// The same with these flags.
    #[must_use]
    pub const fn with(self, flags: u64) -> Self {
        Self(self.0 | flags)
    }

    /// The destination's number.
    pub const fn dest(self) -> u32 {
        self.0 as u32 & 0x00ff_ffff
    }

    /// The same of a flow that has the address with this number in the [pool](super::pool), less than 256.
    #[must_use]
    pub const fn with_pool(self, number: u32) -> Self {
        Self(self.0 & !(0xff << 24) | ((number & 0xff) as u64) << 24)
    }

    /// The number of the pool's address that the server knows the client by; 0: by its own.
    pub const fn pool(self) -> u32 {
        bits(self.0, 24, 8) as u32
    }

    /// Whether all bits of `flag` are set.
    pub const fn has(self, flag: u64) -> bool {
        self.0 & flag == flag
    }
}

/// The way back to the client: bits 0..24 the next hop's number, 24..48 the interface the flow came in
/// by; bits 48..64 repeat the generation, so that a late write cannot land in the line's next flow.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct WayBack(pub u64);

impl WayBack {
    /// By next hop `number` (0: not known yet), for a flow of this generation from `interface`.
    pub const fn new(number: u32, interface: u32, generation: u32) -> Self {
        Self(
            (number & 0x00ff_ffff) as u64
                | ((interface & 0x00ff_ffff) as u64) << 24
                | (generation as u64) << 48,
        )
    }

    /// Number of the next hop towards the client.
    pub const fn next_hop(self) -> u32 {
        bits(self.0, 0, 24) as u32
    }

    /// Index of the interface by which the flow's first packet came.
    pub const fn interface(self) -> u32 {
        bits(self.0, 24, 24) as u32
    }

    /// The same by another interface.
    #[must_use]
    pub const fn by(self, interface: u32) -> Self {
        Self(self.0 & !(0x00ff_ffff << 24) | ((interface & 0x00ff_ffff) as u64) << 24)
    }

    /// The same with the next hop's number.
    #[must_use]
    pub const fn with_next_hop(self, number: u32) -> Self {
        Self(self.0 & !0x00ff_ffff | (number & 0x00ff_ffff) as u64)
    }
}

/// What the server's SYN+ACK or INIT ACK said: bits 0..32 the sequence number that acknowledges it (its own plus
/// one), or the tag of SCTP, bit 32 whether one was seen, bits 48..64 the generation. Until one is seen, bit 33 says
/// whether it is waited for with a clock in the hand, and bits 0..32 since when: nanoseconds shifted right by
/// [`Self::CLOCK`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Handshake(pub u64);

impl Handshake {
    /// Nanoseconds of the clock's unit, as a power of two: a microsecond.
    pub const CLOCK: u32 = 10;

    const TIMED: u64 = 1 << 33;

    /// No SYN+ACK yet, which is waited for since `nanoseconds`.
    pub const fn timed(nanoseconds: u64, generation: u32) -> Self {
        let since = (nanoseconds >> Self::CLOCK) as u32;
        Self(Self::none(generation).0 | Self::TIMED | since as u64)
    }

    /// How long the SYN+ACK that comes now took, nanoseconds; `None` if it is not the first, or not waited for.
    pub const fn took(self, nanoseconds: u64) -> Option<u64> {
        if self.0 & Self::TIMED == 0 || self.expected().is_some() {
            return None;
        }
        let now = (nanoseconds >> Self::CLOCK) as u32;
        Some((now.wrapping_sub(self.0 as u32) as u64) << Self::CLOCK)
    }

    /// No SYN+ACK yet.
    pub const fn none(generation: u32) -> Self {
        Self((generation as u64) << 48)
    }

    /// A SYN+ACK whose acknowledgement is `expected`.
    pub const fn answered(expected: u32, generation: u32) -> Self {
        Self(expected as u64 | 1 << 32 | (generation as u64) << 48)
    }

    /// The acknowledgement number that proves the client heard the server.
    pub const fn expected(self) -> Option<u32> {
        if self.0 & (1 << 32) == 0 {
            None
        } else {
            Some(self.0 as u32)
        }
    }
}
