//! How many flows a destination has, and whether those are too many.

use crate::abi::dest::{CONNS, COUNTS, Counts, LIMITS, Limits, OVERLOADED, TEMPLATES};
use crate::abi::state::{TEMPLATE, is_active};
use crate::tables::Line;

/// Counts a flow that begins in `state`; `counts` is the line of its destination's live counts.
#[inline(always)]
pub(super) fn begin<L: Line>(counts: L, state: u8) {
    if state == TEMPLATE {
        counts.fetch_add(TEMPLATES, 1);
        return;
    }
    change(counts, Counts::unit(is_active(state)));
    counts.fetch_add(CONNS, 1);
}

/// Counts a flow that ends in `state` down.
#[inline(always)]
pub(super) fn end<L: Line>(counts: L, state: u8) {
    if state == TEMPLATE {
        counts.fetch_add(TEMPLATES, 1_u64.wrapping_neg());
        return;
    }
    change(counts, Counts::unit(is_active(state)).wrapping_neg());
}

#[inline(always)]
fn change<L: Line>(counts: L, change: u64) {
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
