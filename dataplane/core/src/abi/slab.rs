//! Tables that grow.
//!
//! How many services, servers and neighbours there will be is not known when the tables are made, and memory
//! for all that there may be would be a waste. So such a table is made of slabs, arrays of one size, to which
//! the daemon adds another when it needs its lines. Lines keep their numbers and their places: what is in
//! use is never moved. A line whose slab is not there is out of range.

use super::{MAX_DESTS, MAX_NEXT_HOPS, MAX_SERVICES, dest, filter, next_hop, schedule};

/// A table that grows.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(u8)]
pub enum Table {
    /// Virtual services.
    Services,
    /// What the schedulers pick from.
    Schedules,
    /// Real servers.
    Dests,
    /// Their traffic, on one CPU. A slab has the lines of all CPUs, those of one behind those of another.
    DestTraffic,
    /// Next hops.
    NextHops,
    /// The endpoint filter, both halves.
    Filter,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Services,
        Self::Schedules,
        Self::Dests,
        Self::DestTraffic,
        Self::NextHops,
        Self::Filter,
    ];

    /// Lines it may have.
    pub const fn most(self) -> u32 {
        match self {
            Self::Services => MAX_SERVICES,
            Self::Schedules => schedule::LINES,
            Self::Dests => MAX_DESTS / 2 * dest::PAIR,
            Self::DestTraffic => MAX_DESTS / 2,
            Self::NextHops => MAX_NEXT_HOPS / next_hop::PER_LINE,
            Self::Filter => 2 * filter::HALF,
        }
    }

    /// Lines of a slab, a power of two: 64 KiB, or of the traffic a page for each CPU.
    pub const fn slab(self) -> u32 {
        match self {
            Self::DestTraffic => 64,
            _ => 1024,
        }
    }

    /// Slabs it may have.
    pub const fn slabs(self) -> u32 {
        self.most() / self.slab()
    }

    /// The number of the slab with this line.
    pub const fn slab_of(self, line: u32) -> u32 {
        line / self.slab()
    }

    /// Where in its slab this line is.
    pub const fn place(self, line: u32) -> u32 {
        line % self.slab()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_everything_has_a_line() {
        for table in Table::ALL {
            assert_eq!(table.slabs() * table.slab(), table.most(), "{table:?}");
        }
        let last = MAX_DESTS - 1;
        assert!(dest::counts(last) < Table::Dests.most());
        assert!(dest::traffic(last) < Table::DestTraffic.most());
        assert!(next_hop::line(MAX_NEXT_HOPS - 1) < Table::NextHops.most());
        // A schedule has 24 bits for its first line.
        const { assert!(schedule::LINES <= 1 << 24) };
    }
}
