//! What lblc and lblcr remember of an address that clients ask for: the cache of a service's scheduler.
//!
//! A hash map leads to lines. The first line of an address, chunk 0, says when it was used last, and of
//! lblcr how large its set of servers is. From word [`MEMBERS`] on it holds the servers' numbers, one a word, the one that came
//! last behind the others; what has no room there is in further chunks, which hold nothing else. With lblc an address has one server.

use super::{WORDS, bits};

/// Lines there may be, for all services together; IPVS has so many addresses for each (`max_size` in ip_vs_lblc.c).
pub const LINES: u32 = 16_384;

/// Word of chunk 0: tick at which the address was last asked for.
pub const USED: usize = 0;
/// Word of chunk 0: see [`Set`].
pub const SET: usize = 1;
/// The place of the first server: word `place % 8` of chunk `place / 8`.
pub const MEMBERS: u32 = 2;

/// What leads to a line: bits 0..32 which scheduler it is that remembers ([`Birth::life`]), 32..64 the address, an IPv6
/// one folded; then the number of the chunk.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct LocalityKey(pub [u64; 2]);

impl LocalityKey {
    /// Of the first line of an address.
    pub const fn new(life: u32, address: u32) -> Self {
        Self([life as u64 | (address as u64) << 32, 0])
    }

    /// Of another line of the same address.
    #[must_use]
    pub const fn chunk(self, number: u32) -> Self {
        let Self([first, _]) = self;
        Self([first, number as u64])
    }

    /// The number of the chunk.
    pub const fn number(self) -> u32 {
        let Self([_, number]) = self;
        number as u32
    }

    /// Which scheduler remembers it.
    pub const fn life(self) -> u32 {
        let Self([first, _]) = self;
        first as u32
    }
}

/// The number of the chunk that `place` is in, and its word there.
pub const fn chunk_of(place: u32) -> (u32, usize) {
    (place / WORDS as u32, place as usize % WORDS)
}

/// Which scheduler a service has, in the place of its [cursor](super::schedule::Schedule::cursor): bits 0..32 a number that no
/// other has or had, 32..64 the tick since which the service has it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Birth(pub u64);

impl Birth {
    /// Of the scheduler `life`, never 0, that a service has since `tick`.
    pub const fn new(life: u32, tick: u32) -> Self {
        Self(life as u64 | (tick as u64) << 32)
    }

    /// Its number.
    pub const fn life(self) -> u32 {
        self.0 as u32
    }

    /// When it began.
    pub const fn tick(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The set of an address: bits 0..32 tick of its last change, 32..56 how many servers it has, bit 63 whether a CPU is
/// changing it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Set(pub u64);

impl Set {
    const LOCK: u64 = 1 << 63;

    /// Of so many servers since `tick`; nobody is changing it.
    pub const fn new(size: u32, tick: u32) -> Self {
        Self(tick as u64 | ((size & 0x00ff_ffff) as u64) << 32)
    }

    /// How many servers it has.
    pub const fn size(self) -> u32 {
        bits(self.0, 32, 24) as u32
    }

    /// Tick of its last change.
    pub const fn changed(self) -> u32 {
        self.0 as u32
    }

    /// Whether a CPU is changing it.
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCK != 0
    }

    /// The same, which a CPU is changing.
    #[must_use]
    pub const fn locked(self) -> Self {
        Self(self.0 | Self::LOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let key = LocalityKey::new(7, 0x0a00_0001).chunk(3);
        assert_eq!((key.life(), key.number()), (7, 3));
        assert_eq!(key.chunk(0), LocalityKey::new(7, 0x0a00_0001));
        let birth = Birth::new(u32::MAX, 5);
        assert_eq!((birth.life(), birth.tick()), (u32::MAX, 5));
        let set = Set::new(4096, u32::MAX);
        assert_eq!((set.size(), set.changed()), (4096, u32::MAX));
        assert!(set.locked().is_locked() && !set.is_locked());
        assert_eq!(set.locked().size(), 4096);
        assert_eq!(chunk_of(MEMBERS + 6), (1, 0));
    }
}
