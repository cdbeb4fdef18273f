//! How many flows a destination has, and whether those are too many.

use crate::abi::dest::{COUNTS, Counts, LIMITS, Limits, OVERLOADED};
use crate::tables::Line;

/// Adds to the flows of a destination; `counts` is the line of its live counts.
#[inline(always)]
pub(super) fn change<L: Line>(counts: L, change: u64) {
    counts.fetch_add(COUNTS, change);
    let limits = Limits(counts.load(LIMITS));
    if limits.0 != 0 {
        judge(counts, limits);
    }
}

/// Notes whether a destination with these limits is overloaded. Two CPUs that judge at once may leave it
/// so, or not so, until the next flow begins or ends.
#[inline(always)]
pub fn judge<L: Line>(counts: L, limits: Limits) {
    let was = counts.load(OVERLOADED) != 0;
    let is = limits.overload(was, Counts(counts.load(COUNTS)));
    if is != was {
        counts.store(OVERLOADED, is as u64);
    }
}
