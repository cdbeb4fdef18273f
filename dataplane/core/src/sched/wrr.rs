//! Weighted round robin (`ip_vs_wrr.c`): rounds of passes. The first pass visits the servers of the
//! highest weight, each further pass those whose weight is at least a step less, the last one all.
//!
//! IPVS walks the list and skips who is too light. Here a ticket says it at once: passes that visit the
//! same servers make a *level*; the ticket's place in the round tells the level, its place in the level
//! tells which of the level's servers it is, in the order of the list. Both are found by halving, so
//! thousands of servers cost little more than two.

use super::scan::{Search, Walk};
use super::search::nth_bit;
use super::{entry, load, ticket};
use crate::abi::schedule::{Entry, MEMBERS, Schedule};
use crate::tables::Tables;

/// The most steps of `bpf_loop`.
const MAX_STEPS: u32 = 1 << 23;

#[inline(always)]
pub(super) fn begin<T: Tables>(tables: &T, schedule: Schedule) -> Option<Search> {
    let ticket = ticket(tables, schedule)?;
    if schedule.has(Schedule::LIMITED) {
        let walk = Walk::new(ticket, longest_walk(tables, schedule, ticket)?);
        // Each server is met at most once in a level, in the round's rest and in the next round's begin.
        let steps = (schedule.levels() + 1).saturating_mul(schedule.dests() + 1);
        let steps = if steps > MAX_STEPS { MAX_STEPS } else { steps };
        return Some(Search::walking(schedule, walk, steps));
    }
    let level = level(tables, schedule, ticket)?;
    Some(Search::over(server(tables, schedule, &level)?))
}

/// After how many tickets IPVS gives up: when all servers were looked at in a last pass. If the ticket
/// before was of a last pass itself, that pass is walked to the same place once more.
#[inline(always)]
fn longest_walk<T: Tables>(tables: &T, schedule: Schedule, ticket: u64) -> Option<u64> {
    let round = round(tables, schedule)?;
    let at = ticket.checked_rem(round)?;
    let before = (at + round - 1).checked_rem(round)?;
    let last_pass = round.checked_sub(schedule.dests() as u64)?;
    Some(if before >= last_pass {
        round
    } else {
        round - at
    })
}

/// The level of a ticket.
pub(super) struct Level {
    number: u32,
    /// How many servers it has.
    pub(super) size: u64,
    /// Tickets that are left in it, this one included.
    pub(super) left: u64,
    /// Which of its servers the ticket is for.
    nth: u64,
}

#[inline(always)]
pub(super) fn level<T: Tables>(tables: &T, schedule: Schedule, ticket: u64) -> Option<Level> {
    let levels = schedule.levels();
    let ends = schedule.rest();
    let ticket = ticket.checked_rem(round(tables, schedule)?)?;
    let number = tables.below(ends, levels, ticket, 0);
    let begin = match number {
        0 => 0,
        number => load(tables, ends + number - 1)?,
    };
    let size = load(tables, ends + levels + number)?;
    Some(Level {
        number,
        size,
        left: load(tables, ends + number)? - ticket,
        nth: (ticket - begin).checked_rem(size)?,
    })
}

/// Who has a ticket, of which this is the level.
#[inline(always)]
pub(super) fn server<T: Tables>(tables: &T, schedule: Schedule, level: &Level) -> Option<Entry> {
    let members = schedule.members(level.number);
    let words = schedule.member_words();
    let word = tables
        .below(members, words, level.nth, MEMBERS)
        .checked_sub(1)?;
    let of_word = load(tables, members + word)?;
    let bit = nth_bit(of_word, (level.nth - (of_word >> MEMBERS)) as u32);
    entry(tables, schedule, word * MEMBERS + bit)
}

/// How many tickets a round has.
#[inline(always)]
fn round<T: Tables>(tables: &T, schedule: Schedule) -> Option<u64> {
    load(tables, schedule.rest() + schedule.levels().checked_sub(1)?)
}
