//! Never queue (`ip_vs_nq.c`): the first server with nothing to do, however weak; when all are busy, as
//! [`super::sed`].

use crate::abi::dest::Counts;

/// Whether the search is over with this server.
#[inline(always)]
pub(super) const fn is_idle(counts: Counts) -> bool {
    counts.active() == 0
}
