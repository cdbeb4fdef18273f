//! The power of two choices (`ip_vs_twos.c`; Mitzenmacher 2001): of two servers drawn by chance, the
//! heavier ones more often, the one with less to do for its weight. As even as wlc within a small factor,
//! without looking at all servers, and without every director sending its clients to the same one.

use super::scan::{Candidate, Search, overhead};
use super::{entry, is_usable, load};
use crate::abi::dest::{COUNTS, Counts};
use crate::abi::schedule::Schedule;
use crate::tables::{Line, Tables};

/// How often is drawn for two that are not overloaded, before all are looked at for one.
pub(super) const DRAWS: u32 = 256;

#[inline(always)]
pub(super) fn begin(schedule: Schedule) -> Search {
    Search::through(schedule, DRAWS + schedule.dests())
}

/// A server, each with a chance in proportion to its weight; none if it is one that gets no new flows.
#[inline(always)]
pub(super) fn draw<T: Tables>(tables: &T, schedule: Schedule) -> Option<Candidate> {
    let sums = schedule.rest();
    let all = load(tables, sums + schedule.dests().checked_sub(1)?)?;
    let random = (tables.random() as u64) << 32 | tables.random() as u64;
    let drawn = random.checked_rem(all)?;
    let place = tables.below(sums, schedule.dests(), drawn, 0);
    let entry = entry(tables, schedule, place)?;
    if !is_usable(tables, schedule, entry) {
        return None;
    }
    let counts = Counts(tables.counts(entry.dest())?.load(COUNTS));
    Some(Candidate {
        entry: entry.0,
        load: overhead(counts),
    })
}
