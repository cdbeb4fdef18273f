//! Round robin (`ip_vs_rr.c`): one after the other, weights do not matter but for 0, which the
//! daemon leaves out of the list.
//!
//! The cursor is a ticket counter shared by all CPUs; `ticket % n` is the place in the list. When the
//! list changes, the daemon sets the new list's cursor so that the round goes on where it was.

use super::word;
use crate::abi::schedule::Span;
use crate::tables::{Line, Tables};

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, span: Span) -> Option<u32> {
    if span.dests() == 0 {
        return None;
    }
    let (line, cursor) = word(tables, span.first())?;
    let ticket = line.fetch_add(cursor, 1);
    let place = (ticket % span.dests() as u64) as u32;
    let (line, entry) = word(tables, span.first() + 1 + place)?;
    Some(line.load(entry) as u32)
}
