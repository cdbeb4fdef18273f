//! Overflow (`ip_vs_ovf.c`): the server with the highest weight, until it has more active connections
//! than its weight says; then the next one. When all are full, nobody.

use super::scan::Candidate;
use crate::abi::dest::Counts;

#[inline(always)]
pub(super) fn better(best: Candidate, entry: u64, counts: Counts) -> Candidate {
    let new = Candidate { entry, load: 0 };
    let has_room = counts.active() as u64 <= new.weight();
    let wins = has_room && new.weight() > best.weight();
    if wins { new } else { best }
}
