//! Never queue (`ip_vs_nq.c`): the first server with nothing to do, however weak; when all are busy, as
//! [sed].

use super::scan::Candidate;
use super::sed;
use crate::abi::dest::Counts;

#[inline(always)]
pub(super) fn better(best: Candidate, entry: u64, counts: Counts) -> (Candidate, bool) {
    if counts.active() == 0 {
        return (Candidate { entry, load: 1 }, true);
    }
    sed::better(best, entry, counts)
}
