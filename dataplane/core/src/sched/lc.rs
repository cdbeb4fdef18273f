//! Least connections (`ip_vs_lc.c`): the server with the fewest, whatever its weight. For servers that
//! are alike and connections that last.

use super::scan::{Candidate, overhead};
use crate::abi::dest::Counts;

#[inline(always)]
pub(super) fn better(best: Candidate, entry: u64, counts: Counts) -> Candidate {
    let load = overhead(counts);
    let wins = !best.is_some() || load < best.load;
    if wins {
        Candidate { entry, load }
    } else {
        best
    }
}
