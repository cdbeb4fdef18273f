//! Where a round-robin scheduler is in its list.
//!
//! The programs pick the server at `cursor % n` and advance the cursor. IPVS instead remembers the
//! last picked server (`svc->sched_data` in ip_vs_rr.c) and goes on behind it in the list as it is by
//! then. To behave alike when the list changes, the last pick is worked out from the old list and its
//! cursor, and the new list's cursor starts at that server's follower.

use ferrovs_core::abi::{
    WORDS,
    schedule::{Entry, Span},
};
use ferrovs_core::tables::{Line, Tables};
use serde::{Deserialize, Serialize};

/// The list a service's scheduler works on, and the position it was given.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Rotation {
    /// The list's [`Span`].
    pub(super) span: u64,
    /// The cursor's first value.
    pub(super) start: u64,
    /// The last picked server when the list was made, by number; none: the head of the list is next.
    pub(super) last: Option<u32>,
    /// The [`ferrovs_core::abi::service::Scheduler`] the list was made for.
    #[serde(default)]
    pub(super) scheduler: u8,
}

impl Rotation {
    /// The server picked last, by number. `current` is the span that the service's line holds.
    pub(super) fn last_picked<T: Tables>(&self, tables: &T, current: Span) -> Option<u32> {
        // Another span than the ledger's: the list was never switched over to.
        if current.0 != self.span || current.dests() == 0 {
            return self.last;
        }
        let cursor = word(tables, current.first());
        if cursor == self.start {
            return self.last;
        }
        let index = (cursor.wrapping_sub(1) % u64::from(current.dests())) as u32;
        Some(Entry(word(tables, current.first() + 1 + index)).dest())
    }
}

/// Of the `last` server, itself if it is still in the list, else the nearest one before it in the old
/// order that is: a scheduler that stood on a removed server steps back (`ip_vs_rr_del_dest`).
pub(super) fn step_back(last: Option<u32>, old: &[u32], new: &[u32]) -> Option<u32> {
    let last = last?;
    let at = old.iter().position(|&dest| dest == last)?;
    old[..=at]
        .iter()
        .rev()
        .copied()
        .find(|dest| new.contains(dest))
}

/// Index into `eligible`, a part of `order` in the same order, of the first server behind `last`.
pub(super) fn follower(last: Option<u32>, order: &[u32], eligible: &[u32]) -> u64 {
    let behind = last
        .and_then(|last| order.iter().position(|&dest| dest == last))
        .map_or(0, |at| at + 1);
    let next = order[behind..]
        .iter()
        .find_map(|dest| eligible.iter().position(|e| e == dest));
    next.unwrap_or(0) as u64
}

/// The entries of a span as the table holds them.
pub(super) fn list<T: Tables>(tables: &T, span: Span) -> impl Iterator<Item = Entry> {
    (1..=span.dests()).map(move |at| Entry(word(tables, span.first() + at)))
}

/// A word of the schedule table.
pub(super) fn word<T: Tables>(tables: &T, index: u32) -> u64 {
    match tables.schedule(index / WORDS as u32) {
        Some(line) => line.load(index as usize % WORDS),
        None => 0,
    }
}

/// Writes a list with its cursor.
pub(super) fn write_list<T: Tables>(tables: &T, span: Span, start: u64, entries: &[Entry]) {
    let words = std::iter::once(start).chain(entries.iter().map(|entry| entry.0));
    for (index, value) in (span.first()..).zip(words) {
        if let Some(line) = tables.schedule(index / WORDS as u32) {
            line.store(index as usize % WORDS, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_follower_skips_servers_that_get_nothing() {
        assert_eq!(follower(None, &[5, 3, 1], &[3, 1]), 0);
        assert_eq!(follower(Some(5), &[5, 3, 1], &[5, 1]), 1);
        assert_eq!(follower(Some(1), &[5, 3, 1], &[5, 1]), 0);
        assert_eq!(follower(Some(3), &[5, 3, 1], &[3]), 0);
        assert_eq!(follower(Some(3), &[5, 3, 1], &[]), 0);
    }

    #[test]
    fn a_removed_server_hands_its_place_to_the_one_before() {
        assert_eq!(step_back(Some(3), &[5, 3, 1], &[5, 1]), Some(5));
        assert_eq!(step_back(Some(5), &[5, 3, 1], &[3, 1]), None);
        assert_eq!(step_back(Some(3), &[5, 3, 1], &[7, 5, 3, 1]), Some(3));
        assert_eq!(step_back(None, &[5], &[5]), None);
    }
}
