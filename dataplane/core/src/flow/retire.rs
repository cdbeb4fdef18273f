//! Ending a flow, by whoever finds it at its end: the sweeper, a new flow that needs the line, a
//! client that opens the same connection anew.

use super::ends::Words;
use super::{load, place};
use crate::abi::bucket::{DISPLACED, LINES};
use crate::abi::endpoint::tag;
use crate::abi::flow::{CONTROL, Control, OWNER, Owner, Phase};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::tables::{Line, Tables};

/// Ends the flow in line `number` if its control word still is `seen`; whether this caller ended it.
/// The line is free afterwards.
#[inline(always)]
pub fn retire<T: Tables>(tables: &T, number: u32, seen: Control, now: u32) -> bool {
    let taken = tables.take(number, seen, now);
    if taken && let Some(line) = tables.flow(number) {
        let claimed = seen.claimed(now);
        let free = Control::new(Phase::Free, 0, claimed.generation(), now);
        // Not if the line was taken from us because we stood still for too long.
        line.compare_exchange(CONTROL, claimed.0, free.0);
    }
    taken
}

/// As [`retire`], but leaves the line claimed by the caller.
#[inline(always)]
pub fn take<T: Tables>(tables: &T, number: u32, seen: Control, now: u32) -> bool {
    let Some(line) = tables.flow(number) else {
        return false;
    };
    // Read before the claim: if that succeeds, they all belong to the flow that was seen, and it does
    // not matter how long the rest takes.
    let owner = Owner(line.load(OWNER));
    let words = Words::load(line);
    let claimed = seen.claimed(now);
    if !line.compare_exchange(CONTROL, seen.0, claimed.0) {
        return false;
    }
    count_down(tables, owner, seen);
    if owner.has(Owner::SERVER_POINTER) || owner.has(Owner::DISPLACED) {
        give_back(tables, number, claimed, owner, words);
    }
    true
}

/// Takes away what led to the ended flow but its line's tag.
#[inline(always)]
fn give_back<T: Tables>(tables: &T, number: u32, claimed: Control, owner: Owner, words: Words) {
    let ends = words.ends(owner);
    if owner.has(Owner::SERVER_POINTER) {
        forget(
            tables,
            number,
            claimed,
            &PointerKey([ends.dest, ends.local]),
        );
    }
    if owner.has(Owner::DISPLACED)
        && let Some(config) = tables.config(0)
    {
        let home = place::of(config, ends.client, tag(ends.virtual_)).bucket;
        if let Some(header) = tables.flow(home * LINES) {
            header.fetch_add(DISPLACED, 1u64.wrapping_neg());
        }
    }
}

#[inline(always)]
fn count_down<T: Tables>(tables: &T, owner: Owner, seen: Control) {
    if let Some(counts) = tables.counts(owner.dest()) {
        load::end(counts, seen.state());
    }
}

/// Removes the ended flow's pointer. Nobody replaces it while the line is claimed by us.
#[inline(always)]
fn forget<T: Tables>(tables: &T, number: u32, claimed: Control, key: &PointerKey) {
    let ended = claimed.generation().wrapping_sub(1);
    if tables.pointer(key) == Some(Pointer::new(number, ended))
        && let Some(line) = tables.flow(number)
        && line.load(CONTROL) == claimed.0
    {
        tables.pointer_remove(key);
    }
}
