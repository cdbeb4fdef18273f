//! Shortest expected delay (`ip_vs_sed.c`): the server that would have the fewest active connections for
//! its weight with one more. Prefers strong servers while there is little to do.

use super::scan::Candidate;
use crate::abi::dest::Counts;

#[inline(always)]
pub(super) fn better(best: Candidate, entry: u64, counts: Counts) -> Candidate {
    let load = counts.active() as u64 + 1;
    let new = Candidate { entry, load };
    let wins = !best.is_some() || new.is_lighter(best);
    if wins { new } else { best }
}
