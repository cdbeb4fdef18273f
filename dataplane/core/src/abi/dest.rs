//! A real server's two lines, numbered `2 * dest` (settings) and `2 * dest + 1` (live counts), and its
//! counters, one line for each CPU.

/// Lines of one destination.
pub const LINES: u32 = 2;

/// Word of the first line: endpoint, tag 0.
pub const ENDPOINT: usize = 0;
/// Word of the first line: bits 0..16 service number, bit 32 [`FORWARDS`].
pub const MODE: usize = 1;
/// Word of the first line: number of the next hop towards it.
pub const NEXT_HOP: usize = 2;

/// Bit of [`MODE`]: the server exists. Packets of flows whose server was removed are dropped, as IPVS
/// does with `expire_nodest_conn` = 0, until it comes back or they expire.
pub const FORWARDS: u64 = 1 << 32;

/// Word of the second line: flows, see [`Counts`].
pub const COUNTS: usize = 0;

/// Counter word: flows scheduled.
pub const CONNS: usize = 0;
/// Counter word: packets client to server.
pub const IN_PACKETS: usize = 1;
/// Counter word: bytes client to server, IP header included (as IPVS counts).
pub const IN_BYTES: usize = 2;
/// Counter word: packets server to client.
pub const OUT_PACKETS: usize = 3;
/// Counter word: bytes server to client.
pub const OUT_BYTES: usize = 4;

/// Line number of the counters of `dest` on `cpu`.
pub const fn counters(cpu: u32, dest: u32) -> u32 {
    cpu * super::MAX_DESTS + dest
}

/// Active flows in the upper half, inactive ones in the lower, so that a move between them is one
/// addition.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Counts(pub u64);

impl Counts {
    /// Added when an active flow begins.
    pub const ACTIVE: u64 = 1 << 32;
    /// Added when an inactive flow begins.
    pub const INACTIVE: u64 = 1;

    /// What to add to end or begin a flow of the given kind.
    pub const fn unit(active: bool) -> u64 {
        if active { Self::ACTIVE } else { Self::INACTIVE }
    }

    /// Flows in an active state.
    pub const fn active(self) -> u32 {
        not_negative((self.0 >> 32) as u32)
    }

    /// All other flows.
    pub const fn inactive(self) -> u32 {
        not_negative(self.0 as u32)
    }
}

/// A flow's end may be counted an instant before the change of state that came first.
const fn not_negative(flows: u32) -> u32 {
    if (flows as i32) < 0 { 0 } else { flows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_counted_before_the_last_change_shows_no_flows() {
        let active = Counts::unit(true);
        let ended_as_inactive = active.wrapping_sub(Counts::unit(false));
        let counts = Counts(ended_as_inactive);
        assert_eq!((counts.active(), counts.inactive()), (0, 0));
        let moved = Counts::unit(false).wrapping_sub(Counts::unit(true));
        assert_eq!(ended_as_inactive.wrapping_add(moved), 0);
    }
}
