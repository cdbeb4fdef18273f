//! Weighted round robin (`ip_vs_wrr.c`): rounds of passes. The first pass visits the servers of the
//! highest weight, each further pass those whose weight is at least a step less, the last one all.
//!
//! IPVS walks the list and skips who is too light. Here a ticket says it at once: passes that visit the
//! same servers make a *level*; the ticket's place in the round tells the level, its place in the level
//! tells which of the level's servers it is, in the order of the list. Both are found by halving, so
//! thousands of servers cost little more than two.

use super::search::nth_bit;
use super::{entry, load, ticket};
use crate::abi::schedule::{MEMBERS, Schedule};
use crate::tables::Tables;

#[inline(always)]
pub(super) fn pick<T: Tables>(tables: &T, schedule: Schedule) -> Option<u32> {
    let levels = schedule.levels();
    let ends = schedule.rest();
    let round = load(tables, ends + levels.checked_sub(1)?)?;
    let ticket = ticket(tables, schedule)?.checked_rem(round)?;
    let level = tables.below(ends, levels, ticket, 0);
    let begin = match level {
        0 => 0,
        level => load(tables, ends + level - 1)?,
    };
    let size = load(tables, ends + levels + level)?;
    let nth = (ticket - begin).checked_rem(size)?;

    let members = schedule.members(level);
    let word = tables
        .below(members, schedule.member_words(), nth, MEMBERS)
        .checked_sub(1)?;
    let of_word = load(tables, members + word)?;
    let bit = nth_bit(of_word, (nth - (of_word >> MEMBERS)) as u32);
    Some(entry(tables, schedule, word * MEMBERS + bit)?.dest())
}
