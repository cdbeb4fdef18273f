//! Weighted least connections (`ip_vs_wlc.c`): the server with the fewest for its weight. What ipvsadm
//! takes when no scheduler is named.

use super::scan::{Candidate, overhead};
use crate::abi::dest::Counts;

#[inline(always)]
pub(super) fn better(best: Candidate, entry: u64, counts: Counts) -> Candidate {
    let load = overhead(counts);
    let new = Candidate { entry, load };
    let wins = !best.is_some() || new.is_lighter(best);
    if wins { new } else { best }
}
