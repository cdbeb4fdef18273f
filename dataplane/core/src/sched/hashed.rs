//! What the schedulers that hash share: sh, dh, mh. A flow's key has a bucket, the bucket a server.
//!
//! A server that takes no new flows keeps its buckets, so that its clients come back to it later; until
//! then they are refused, unless the service has the flag [`Schedule::FALLBACK`].

use super::scan::Search;
use super::{entry, is_usable, load, mh, sh};
use crate::abi::schedule::{Entry, NOBODY, PLACES, Schedule};
use crate::abi::service::Scheduler;
use crate::tables::Tables;

#[inline(always)]
pub(super) fn begin<T: Tables>(tables: &T, schedule: Schedule, key: u32) -> Option<Search> {
    let chosen = holder(tables, schedule, bucket(schedule, key, 0))?;
    if is_usable(tables, schedule, chosen) {
        Some(Search::over(chosen))
    } else if schedule.has(Schedule::FALLBACK) {
        Some(Search::hashing(schedule, key))
    } else {
        None
    }
}

/// Where the `at`th try of a fallback leads (`ip_vs_sh_get_fallback`, `ip_vs_mh_get_fallback`: from the
/// key's bucket on, round the table).
#[inline(always)]
pub(super) fn fallback<T: Tables>(
    tables: &T,
    schedule: Schedule,
    key: u32,
    at: u32,
) -> Option<Entry> {
    let offset = (at + bucket(schedule, key, 0)).checked_rem(schedule.buckets())?;
    holder(tables, schedule, bucket(schedule, key, offset))
}

#[inline(always)]
const fn bucket(schedule: Schedule, key: u32, offset: u32) -> u32 {
    const MH: u8 = Scheduler::Maglev as u8;
    match schedule.scheduler() {
        MH => mh::bucket(key, offset),
        _ => sh::bucket(key, offset),
    }
}

/// Whose a bucket is.
#[inline(always)]
pub(super) fn holder<T: Tables>(tables: &T, schedule: Schedule, bucket: u32) -> Option<Entry> {
    let places = load(tables, schedule.rest() + bucket / PLACES)?;
    let place = (places >> (bucket % PLACES * u16::BITS)) as u16;
    if place == NOBODY {
        return None;
    }
    entry(tables, schedule, place as u32)
}
