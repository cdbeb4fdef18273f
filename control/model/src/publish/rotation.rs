//! Where the schedulers that go round are in their lists.
//!
//! The programs pick by a ticket, the cursor's value before they advance it. IPVS instead remembers the
//! server picked last (rr: `svc->sched_data` in ip_vs_rr.c) or the pass (wrr: `struct ip_vs_wrr_mark`), and
//! goes on from there in the list as it is by then. To behave alike when the list changes, that is worked
//! out from the old list and its cursor, and the new list's cursor starts where IPVS would go on.

use ferrovs_core::abi::{
    WORDS,
    locality::Birth,
    schedule::{Entry, Schedule},
    service::Scheduler,
};
use ferrovs_core::tables::{Line, Tables};
use serde::{Deserialize, Serialize};

use super::levels::Levels;
use crate::{History, Round};

const RR: u8 = Scheduler::RoundRobin as u8;
const WRR: u8 = Scheduler::WeightedRoundRobin as u8;

/// The list a service's scheduler works on, and the position it was given.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Rotation {
    /// The list's [`Schedule`].
    schedule: u64,
    /// The cursor's first value.
    start: u64,
    /// Where the scheduler was when the list was made.
    position: Position,
}

/// What IPVS would remember of a scheduler's rounds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Position {
    /// [`History::bound`] of which this is the scheduler; none: whichever comes begins anew.
    bound: Option<u32>,
    /// [`History::edits`] that this has seen.
    edits: u32,
    /// Of rr: the server picked last, by number; none: the head of the list is next.
    last: Option<u32>,
    /// Of wrr: the least weight that the pass visits; 0: the first pass is next.
    pass: u32,
    /// Of lblc and lblcr: the [`Birth`]; 0: not born yet.
    #[serde(default)]
    birth: u64,
}

impl Rotation {
    /// The list.
    pub(super) const fn schedule(&self) -> Schedule {
        Schedule(self.schedule)
    }

    /// Since when the service has its scheduler, if that remembers addresses.
    pub(super) fn birth(&self) -> Option<Birth> {
        (self.position.birth != 0).then_some(Birth(self.position.birth))
    }

    /// The service is another one with the same key: its scheduler begins anew. The list stays noted until
    /// another replaces it, so that its words are not given away.
    pub(super) fn forget(&mut self) {
        self.position = Position::default();
    }

    /// Where the scheduler is now. `current` is what the service's line holds.
    pub(super) fn now<T: Tables>(&self, tables: &T, current: Schedule) -> Position {
        // Another list than the ledger's: it was never switched over to.
        if current != self.schedule() || current.dests() == 0 {
            return self.position;
        }
        let cursor = word(tables, current.cursor());
        if cursor == self.start {
            return self.position;
        }
        let ticket = cursor.wrapping_sub(1);
        let entry = |place| Entry(word(tables, current.entry(place)));
        match current.scheduler() {
            RR => Position {
                last: Some(entry((ticket % u64::from(current.dests())) as u32).dest()),
                ..self.position
            },
            WRR => {
                let weights: Vec<_> = (0..current.dests()).map(|at| entry(at).weight()).collect();
                let levels = Levels::of(&weights);
                let round = Round::of(weights.into_iter());
                Position {
                    pass: levels.pass_of(round, ticket % levels.tickets()),
                    ..self.position
                }
            }
            _ => self.position,
        }
    }
}

impl Position {
    /// After what happened to the service since; `old` and `new` are its servers by number, in list order.
    pub(super) fn after(self, history: Option<&History>, old: &[u32], new: &[u32]) -> Self {
        let Some(history) = history else {
            return Self::default();
        };
        let stays = self.bound == Some(history.bound);
        let (last, pass, birth) = if stays {
            (self.last, self.pass, self.birth)
        } else {
            (None, 0, 0)
        };
        let rounds = history.rounds.iter();
        let rounds = rounds.filter(|(edit, _)| !stays || *edit > self.edits);
        Self {
            bound: Some(history.bound),
            edits: history.edits,
            last: step_back(last, old, new),
            pass: rounds.fold(pass, |pass, (_, round)| round.after_edit(pass)),
            birth,
        }
    }

    /// The same of a scheduler that remembers addresses: one that has not been born yet is now, at `tick`, as the next of so
    /// many `lives`.
    pub(super) fn born(self, lives: &mut u32, tick: u32) -> Self {
        if self.birth != 0 {
            return self;
        }
        *lives += 1;
        Self {
            birth: Birth::new(*lives, tick).0,
            ..self
        }
    }

    /// The first ticket for a list with these servers, of which `entries` are those that get new flows.
    pub(super) fn cursor(self, order: &[u32], entries: &[Entry], scheduler: u8) -> u64 {
        match scheduler {
            _ if self.birth != 0 => self.birth,
            RR => {
                let eligible: Vec<u32> = entries.iter().map(|entry| entry.dest()).collect();
                follower(self.last, order, &eligible)
            }
            WRR => {
                let weights: Vec<u32> = entries.iter().map(|entry| entry.weight()).collect();
                let round = Round::of(weights.iter().copied());
                let pass = if self.pass == 0 { round.top } else { self.pass };
                Levels::of(&weights).first_ticket(round, pass)
            }
            _ => 0,
        }
    }

    /// From here on in this list, whose cursor begins with `start`.
    pub(super) const fn begin(self, schedule: Schedule, start: u64) -> Rotation {
        Rotation {
            schedule: schedule.0,
            start,
            position: self,
        }
    }
}

/// Of the `last` server, itself if it is still in the list, else the nearest one before it in the old
/// order that is: a scheduler that stood on a removed server steps back (`ip_vs_rr_del_dest`).
fn step_back(last: Option<u32>, old: &[u32], new: &[u32]) -> Option<u32> {
    let last = last?;
    let at = old.iter().position(|&dest| dest == last)?;
    old[..=at]
        .iter()
        .rev()
        .copied()
        .find(|dest| new.contains(dest))
}

/// Index into `eligible`, a part of `order` in the same order, of the first server behind `last`.
fn follower(last: Option<u32>, order: &[u32], eligible: &[u32]) -> u64 {
    let behind = last
        .and_then(|last| order.iter().position(|&dest| dest == last))
        .map_or(0, |at| at + 1);
    let next = order[behind..]
        .iter()
        .find_map(|dest| eligible.iter().position(|e| e == dest));
    next.unwrap_or(0) as u64
}

/// A word of the schedule table.
pub(super) fn word<T: Tables>(tables: &T, number: u32) -> u64 {
    match tables.schedule(number / WORDS as u32) {
        Some(line) => line.load(number as usize % WORDS),
        None => 0,
    }
}

/// Writes words from the first of `line` on.
pub(super) fn write_words<T: Tables>(tables: &T, line: u32, words: &[u64]) {
    for (number, chunk) in (line..).zip(words.chunks(WORDS)) {
        if let Some(line) = tables.schedule(number) {
            for (place, &word) in chunk.iter().enumerate() {
                line.store(place, word);
            }
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
