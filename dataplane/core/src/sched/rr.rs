//! Round robin (`ip_vs_rr.c`): one after the other, weights do not matter but for 0, which the
//! daemon leaves out of the list.
//!
//! The cursor is a ticket counter shared by all CPUs; `ticket % n` is the place in the list. When the
//! list changes, the daemon sets the new list's cursor so that the round goes on where it was.

use super::scan::{Search, Walk};
use super::{entry, ticket};
use crate::abi::schedule::{Entry, Schedule};
use crate::tables::Tables;

#[inline(always)]
pub(super) fn begin<T: Tables>(tables: &T, schedule: Schedule) -> Option<Search> {
    let ticket = ticket(tables, schedule)?;
    if schedule.has(Schedule::LIMITED) {
        let walk = Walk::new(ticket, schedule.dests() as u64);
        return Some(Search::walking(schedule, walk, schedule.dests()));
    }
    Some(Search::over(server(tables, schedule, ticket)?))
}

/// Who has this ticket.
#[inline(always)]
pub(super) fn server<T: Tables>(tables: &T, schedule: Schedule, ticket: u64) -> Option<Entry> {
    let place = ticket.checked_rem(schedule.dests() as u64)?;
    entry(tables, schedule, place as u32)
}
