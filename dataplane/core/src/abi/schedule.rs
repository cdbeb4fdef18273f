//! The schedule table: for each service what its scheduler picks from.
//!
//! A service owns a piece of the table, from the start of a line on, so that no two services take each
//! other's cursor from a CPU's cache. The piece is a row of words:
//!
//! | words | what |
//! |---|---|
//! | 1 | the cursor, a ticket counter that the programs advance; of lblc and lblcr a [`Birth`], of mhb a count of connections (bits 32..64) and the tick for which it holds (0..32) |
//! | [`Schedule::dests`] | an [`Entry`] for each destination, in the order in which IPVS visits them |
//! | the rest | what the scheduler wants besides: [`Schedule::rest`] |
//!
//! A piece is never edited in place: the daemon writes a new one elsewhere and switches the service over
//! by one write of its [`Schedule`], which says all there is to know about the piece.

#[cfg(doc)]
use super::locality::Birth;
use super::service::Scheduler;
use super::{WORDS, bits};

/// Lines in the table: 128 MiB. The largest piece, wrr's for 4,096 servers of as many weights, has 45,570.
pub const LINES: u32 = 1 << 21;

/// Places of 16 bits in a word of [buckets](Schedule::buckets).
pub const PLACES: u32 = 4;
/// In a bucket: no destination.
pub const NOBODY: u16 = 0xffff;

/// Words of a [level](Schedule::levels) besides its members: of all levels first how many tickets a round
/// has up to their ends, then how many destinations they have.
pub const LEVEL_WORDS: u32 = 2;
/// Destinations in a word of a level's members: bits 0..48 say which of 48 in a row belong to the level,
/// bits 48..64 how many of those before them do.
pub const MEMBERS: u32 = 48;

/// A service's piece of the table and how to pick from it.
///
/// bits 0..24 first line, 24..40 number of destinations, 40..56 number of levels, 56..61 [`Scheduler`],
/// 61 [`Schedule::FALLBACK`], 62 [`Schedule::PORT`], 63 [`Schedule::LIMITED`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, Default))]
pub struct Schedule(pub u64);

impl Schedule {
    /// Flag of sh and mh: if the chosen destination gets nothing, another one is taken.
    pub const FALLBACK: u64 = 1 << 61;
    /// Flag of sh, mh and mhb: the client's port counts too.
    pub const PORT: u64 = 1 << 62;
    /// Flag: some destination has [limits](super::dest::Limits).
    pub const LIMITED: u64 = 1 << 63;

    /// A piece that starts with line `first`.
    pub const fn new(
        first: u32,
        scheduler: Scheduler,
        dests: u16,
        levels: u16,
        flags: u64,
    ) -> Self {
        Self(
            (first & 0x00ff_ffff) as u64
                | (dests as u64) << 24
                | (levels as u64) << 40
                | (scheduler as u64) << 56
                | flags & (Self::FALLBACK | Self::PORT | Self::LIMITED),
        )
    }

    /// The same that starts with line `first`.
    #[must_use]
    pub const fn at(self, first: u32) -> Self {
        Self(self.0 & !0x00ff_ffff | (first & 0x00ff_ffff) as u64)
    }

    /// The same list for another scheduler, one that wants nothing behind the entries.
    #[must_use]
    pub const fn by(self, scheduler: Scheduler) -> Self {
        Self(self.0 & !(31 << 56) | (scheduler as u64) << 56)
    }

    /// Its first line.
    pub const fn line(self) -> u32 {
        bits(self.0, 0, 24) as u32
    }

    /// Number of the cursor's word.
    pub const fn cursor(self) -> u32 {
        self.line() * WORDS as u32
    }

    /// Number of the word with the entry in place `place`.
    pub const fn entry(self, place: u32) -> u32 {
        self.cursor() + 1 + place
    }

    /// Number of destinations.
    pub const fn dests(self) -> u32 {
        bits(self.0, 24, 16) as u32
    }

    /// Number of levels (wrr): destinations of at least the same weight.
    pub const fn levels(self) -> u32 {
        bits(self.0, 40, 16) as u32
    }

    /// The [`Scheduler`]'s number.
    pub const fn scheduler(self) -> u8 {
        bits(self.0, 56, 5) as u8
    }

    /// Whether a flag is set.
    pub const fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// Number of the first word behind the entries: of wrr's levels, of the buckets, or of the sums of
    /// weights of twos and ewma, each that of the destinations up to one.
    pub const fn rest(self) -> u32 {
        self.entry(self.dests())
    }

    /// Words that tell a level's members (wrr). Those of level 0 come first.
    pub const fn member_words(self) -> u32 {
        self.dests().div_ceil(MEMBERS)
    }

    /// Number of the first word of the members of `level`.
    pub const fn members(self, level: u32) -> u32 {
        self.rest() + self.levels() * LEVEL_WORDS + level * self.member_words()
    }

    /// Number of buckets (sh, dh, mh, mhb), each the place of a destination's entry or [`NOBODY`].
    pub const fn buckets(self) -> u32 {
        buckets(self.scheduler())
    }

    /// Whether the scheduler remembers addresses that clients ask for (lblc, lblcr).
    pub const fn is_local(self) -> bool {
        const LBLC: u8 = Scheduler::Locality as u8;
        const LBLCR: u8 = Scheduler::ReplicatedLocality as u8;
        matches!(self.scheduler(), LBLC | LBLCR)
    }

    /// Number of the word behind the buckets with the sum of all weights (mhb).
    pub const fn weights(self) -> u32 {
        self.rest() + self.buckets().div_ceil(PLACES)
    }

    /// Lines of the piece; a service without destinations has none, unless its scheduler remembers addresses.
    pub const fn lines(self) -> u32 {
        const TWOS: u8 = Scheduler::TwoChoices as u8;
        const EWMA: u8 = Scheduler::Latency as u8;
        const MHB: u8 = Scheduler::BoundedMaglev as u8;
        if self.dests() == 0 && !self.is_local() {
            return 0;
        }
        let sums = match self.scheduler() {
            TWOS | EWMA => self.dests(),
            MHB => 1,
            _ => 0,
        };
        let levels = self.levels() * (LEVEL_WORDS + self.member_words());
        let buckets = self.buckets().div_ceil(PLACES);
        (1 + self.dests() + sums + levels + buckets).div_ceil(WORDS as u32)
    }
}

/// Buckets of sh and dh (`IP_VS_SH_TAB_SIZE`, `IP_VS_DH_TAB_SIZE`).
pub const HASH_BUCKETS: u32 = 256;
/// Buckets of mh: what Linux is built with unless somebody chooses otherwise
/// (`CONFIG_IP_VS_MH_TAB_INDEX` = 12).
pub const MAGLEV_BUCKETS: u32 = 4093;

const fn buckets(scheduler: u8) -> u32 {
    const SH: u8 = Scheduler::SourceHash as u8;
    const DH: u8 = Scheduler::DestinationHash as u8;
    const MH: u8 = Scheduler::Maglev as u8;
    const MHB: u8 = Scheduler::BoundedMaglev as u8;
    match scheduler {
        SH | DH => HASH_BUCKETS,
        MH | MHB => MAGLEV_BUCKETS,
        _ => 0,
    }
}

/// A destination in a list: bits 0..32 its number, 32..64 its weight.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Entry(pub u64);

impl Entry {
    /// Destination number `dest`, never 0, of this weight.
    pub const fn new(dest: u32, weight: u32) -> Self {
        Self(dest as u64 | (weight as u64) << 32)
    }

    /// The destination's number.
    pub const fn dest(self) -> u32 {
        self.0 as u32
    }

    /// Its weight. 0 is met by those that hash, and by lblc and lblcr, only: the lists of the others leave such destinations out.
    pub const fn weight(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_room_for_all_that_is_in_it() {
        let rr = Schedule::new(5, Scheduler::RoundRobin, 7, 0, 0);
        assert_eq!((rr.lines(), rr.cursor(), rr.entry(6)), (1, 40, 47));
        let wrr = Schedule::new(1, Scheduler::WeightedRoundRobin, 49, 3, 0);
        // Cursor, entries, three levels of two words, and of two words of members.
        assert_eq!(wrr.lines(), (1 + 49 + 3 * (2 + 2_u32)).div_ceil(8));
        assert_eq!(wrr.members(2) + 2, wrr.cursor() + 1 + 49 + 12);
        let flags = Schedule::FALLBACK | Schedule::PORT;
        let sh = Schedule::new(0, Scheduler::SourceHash, 1, 0, flags);
        assert_eq!(sh.lines(), (2 + 64_u32).div_ceil(8));
        assert!(sh.has(Schedule::PORT) && sh.at(9).has(Schedule::FALLBACK));
        assert_eq!((sh.at(9).line(), sh.at(9).dests()), (9, 1));
        let nobody = Schedule::new(0, Scheduler::Maglev, 0, 0, 0);
        assert_eq!(nobody.lines(), 0);
    }
}
