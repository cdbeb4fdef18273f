//! Ending a flow, by whoever finds it at its end: the sweeper, a new flow that needs the line, a
//! client that opens the same connection anew.

use super::{Flow, place};
use crate::abi::bucket::{DISPLACED, LINES};
use crate::abi::dest::{self, Counts};
use crate::abi::endpoint::tag;
use crate::abi::flow::{CONTROL, Control, Owner, Phase};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::state;
use crate::tables::{Line, Tables};

/// Ends `flow` if it is still exactly as it was read; whether this caller ended it. The line is free
/// afterwards.
#[inline(always)]
pub fn retire<T: Tables>(tables: &T, line: T::Line, flow: &Flow, now: u32) -> bool {
    let Some(claimed) = take(tables, line, flow, now) else {
        return false;
    };
    line.store(
        CONTROL,
        Control::new(Phase::Free, 0, claimed.generation(), now).0,
    );
    true
}

/// As [`retire`], but leaves the line claimed by the caller, under the returned control word.
#[inline(always)]
pub(super) fn take<T: Tables>(tables: &T, line: T::Line, flow: &Flow, now: u32) -> Option<Control> {
    let claimed = Control::new(
        Phase::Claimed,
        0,
        flow.control.generation().wrapping_add(1),
        now,
    );
    if !line.compare_exchange(CONTROL, flow.control.0, claimed.0) {
        return None;
    }
    count_down(tables, flow);
    if flow.owner.has(Owner::SERVER_POINTER) {
        forget(tables, flow, &PointerKey([flow.dest, flow.local]));
    }
    if flow.owner.has(Owner::CLIENT_POINTER) {
        forget(tables, flow, &PointerKey([flow.client, flow.virtual_]));
        if let Some(config) = tables.config(0) {
            let home = place::of(config, flow.client, tag(flow.virtual_)).bucket;
            if let Some(header) = tables.flow(home * LINES) {
                header.fetch_add(DISPLACED, 1u64.wrapping_neg());
            }
        }
    }
    Some(claimed)
}

#[inline(always)]
fn count_down<T: Tables>(tables: &T, flow: &Flow) {
    if let Some(counts) = tables.dest(dest::LINES * flow.owner.dest() + 1) {
        let active = state::is_active(flow.control.state());
        counts.fetch_add(dest::COUNTS, Counts::unit(active).wrapping_neg());
    }
}

/// Removes a pointer if it is this flow's.
#[inline(always)]
fn forget<T: Tables>(tables: &T, flow: &Flow, key: &PointerKey) {
    if tables.pointer(key) == Some(Pointer::new(flow.number, flow.control.generation())) {
        tables.pointer_remove(key);
    }
}
