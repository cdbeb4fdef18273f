//! Round robin (`ip_vs_rr.c`): one after the other, weights do not matter but for 0, which the
//! daemon leaves out of the list.
//!
//! The cursor is a ticket counter shared by all CPUs; `ticket % n` is the place in the list. When the
//! list changes, the daemon sets the new list's cursor so that the round goes on where it was.

use super::{entry, ticket};
use crate::abi::schedule::Schedule;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, schedule: Schedule) -> Option<u32> {
    let place = ticket(tables, schedule)?.checked_rem(schedule.dests() as u64)?;
    Some(entry(tables, schedule, place as u32)?.dest())
}
