//! Weighted failover (`ip_vs_fo.c`): the server with the highest weight takes everything. The others are
//! spares.

use super::scan::Candidate;

#[inline(always)]
pub(super) fn better(best: Candidate, entry: u64) -> Candidate {
    let new = Candidate { entry, load: 0 };
    let wins = new.weight() > best.weight();
    if wins { new } else { best }
}
