//! How many flows a destination has, and whether those are too many.

use crate::abi::dest::{CONNS, COUNTS, Counts, LEADS, LIMITS, Leads, Limits, OVERLOADED};
use crate::abi::state::{ONE_PACKET, TEMPLATE, UDP, is_active};
use crate::tables::Line;

/// Counts a flow that begins in `state`; `counts` is the line of its destination's live counts.
#[inline(always)]
pub(super) fn begin<L: Line>(counts: L, state: u8) {
    match state {
        TEMPLATE => lead(counts, Leads::TEMPLATE),
        ONE_PACKET => lead(counts, Leads::REPLY),
        _ => {
            change(counts, Counts::unit(is_active(state)));
            counts.fetch_add(CONNS, 1);
        }
    }
}

/// Counts a flow that ends in `state` down.
#[inline(always)]
pub(super) fn end<L: Line>(counts: L, state: u8) {
    match state {
        TEMPLATE => lead(counts, Leads::TEMPLATE.wrapping_neg()),
        ONE_PACKET => lead(counts, Leads::REPLY.wrapping_neg()),
        _ => change(counts, Counts::unit(is_active(state)).wrapping_neg()),
    }
}

#[inline(always)]
fn lead<L: Line>(counts: L, change: u64) {
    counts.fetch_add(LEADS, change);
}

/// Counts a datagram that is a connection of its own, which ends with it (`ip_vs_conn_put`).
#[inline(always)]
pub(super) fn pass<L: Line>(counts: L) {
    begin(counts, UDP);
    end(counts, UDP);
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
