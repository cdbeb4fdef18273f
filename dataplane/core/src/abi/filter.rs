//! The endpoint filter: which service an address and port belong to, and on which side.
//!
//! A small open-addressed table, in two halves of which one is in use. A line holds four keys (words
//! 0..4) and their values (words 4..8). A key lies in one of the two lines that [`Geometry::line`] names,
//! which have nothing to do with each other, so that a half can be filled nearly to the last place
//! (cuckoo hashing); while there is room most keys lie in the first. Within a half a writer may add (value first, then key) and take away (key first); for
//! everything else it fills the other half and switches over by one write of [`Geometry`].

use super::bits;
use super::endpoint::Endpoint;

/// Entries in a line.
pub const ENTRIES: usize = 4;
/// Lines that may hold a key.
pub const PROBES: u32 = 2;
/// Lines of a half, at most.
pub const HALF: u32 = 65_536;
/// Tag bit of a key: the endpoint is a real server's, not a virtual one.
const REAL: u16 = 1 << 15;

/// Key of a virtual endpoint. Never 0.
pub const fn virtual_key(endpoint: Endpoint, protocol: u8) -> u64 {
    endpoint.pack(protocol as u16)
}

/// Key of a real server's endpoint. Never 0.
pub const fn real_key(endpoint: Endpoint, protocol: u8) -> u64 {
    endpoint.pack(protocol as u16 | REAL)
}

/// What an endpoint is: bits 0..16 service number, bit 16 [`Entry::SHARED`], bit 17 [`Entry::REAL`], bit 18
/// [`Entry::REMOVED`], bit 19 [`Entry::POOLED`], of a real server's IPv6 endpoint bits 32..64 the address's digest.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Entry(pub u64);

impl Entry {
    /// A real server's endpoint that serves, or lately served, more than one service: replies are
    /// looked for among the pointers first, and new flows reserve their reply tuple there.
    pub const SHARED: u64 = 1 << 16;

    /// Of what is looked up for all ports ([`crate::wildcard`]): the endpoint is a real server's. Never in the
    /// filter itself.
    pub const REAL: u64 = 1 << 17;

    /// A virtual endpoint whose service was removed: it is there for the flows that it has. Other packets
    /// are for a service for all ports, if there is one.
    pub const REMOVED: u64 = 1 << 18;

    /// A real server's endpoint with flows that have an address of the [pool](super::pool), or may have: replies to
    /// those are looked for among the pointers first.
    pub const POOLED: u64 = 1 << 19;

    /// Of what no endpoint is for ([`crate::outward`]): a server makes a connection of its own, or is answered in one.
    /// Never in the filter itself.
    pub const OUTWARD: u64 = 1 << 20;

    /// Of this service; for a shared endpoint, the one that had it first.
    pub const fn new(service: u16, shared: bool) -> Self {
        Self(service as u64 | if shared { Self::SHARED } else { 0 })
    }

    /// The same with this flag.
    #[must_use]
    pub const fn with(self, flag: u64) -> Self {
        Self(self.0 | flag)
    }

    /// The same of a server with an IPv6 address of this digest.
    #[must_use]
    pub const fn with_digest(self, digest: u32) -> Self {
        Self(self.0 & 0xffff_ffff | (digest as u64) << 32)
    }

    /// The digest of the server's IPv6 address.
    pub const fn digest(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The service's number.
    pub const fn service(self) -> u16 {
        self.0 as u16
    }

    /// Whether it has this flag.
    pub const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// Whether replies may belong to several services.
    pub const fn is_shared(self) -> bool {
        self.0 & Self::SHARED != 0
    }
}

/// Where the half in use starts and how large it is.
///
/// bits 0..32 first line, 32..37 log2 of its lines, bit 37 [`Geometry::WILDCARDS`], bit 38
/// [`Geometry::MARKS`], bit 39 [`Geometry::OUTWARD`], 40..64 seed of its hash.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Geometry(pub u64);

impl Geometry {
    /// Some endpoints, of either family, are for all ports: they stand in the filter with port 0.
    pub const WILDCARDS: u64 = 1 << 37;
    /// There are services by mark.
    pub const MARKS: u64 = 1 << 38;

    /// Servers of some networks have a way out ([`crate::outward`]).
    pub const OUTWARD: u64 = 1 << 39;

    /// The same with these of the flags, and no others.
    #[must_use]
    pub const fn with(self, flags: u64) -> Self {
        Self(self.0 & !(Self::WILDCARDS | Self::MARKS | Self::OUTWARD) | flags)
    }

    /// Whether any bit of `flag` is set.
    pub const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// A half of `1 << log2` lines from `first`, at most [`HALF`].
    pub const fn new(first: u32, log2: u32, seed: u32) -> Self {
        Self(first as u64 | (log2 as u64 & 0x1f) << 32 | (seed as u64 & 0x00ff_ffff) << 40)
    }

    /// Number of the line where probe `probe` (0 or 1) looks for `key`.
    pub const fn line(self, key: u64, probe: u32) -> u32 {
        // The seed is in the factor: keys that meet under one seed part under another.
        let factor = 0x9e37_79b9_7f4a_7c15 ^ (self.0 >> 40) << 1;
        let mixed = key.wrapping_mul(factor);
        let log2 = bits(self.0, 32, 5) as u32;
        let mask = (1u32 << log2) - 1;
        self.0 as u32 + ((mixed >> (48 - 16 * (probe & 1))) as u32 & mask)
    }
}
