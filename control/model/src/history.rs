//! What happened to a service that its scheduler remembers, although the settings no longer say it.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Destination;

/// The memory of a scheduler about edits. Two are equal if the same edits were made, in one list or in several.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct History {
    /// How often the service got another scheduler, which then began anew.
    pub(crate) bound: u32,
    /// How often servers were added, edited or removed.
    pub(crate) edits: u32,
    /// Of wrr: what the round was after the edits of the last list of changes, each with its number. One
    /// that does not differ from the edit before is not there twice. Of no use once the list is published.
    #[serde(skip)]
    pub(crate) rounds: Vec<(u32, Round)>,
    /// The last weights of servers that have weight 0 now (`dest->last_weight`, which mh uses).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    resting: BTreeMap<SocketAddr, u32>,
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            bound,
            edits,
            rounds: _,
            resting,
        } = self;
        (*bound, *edits, resting) == (other.bound, other.edits, &other.resting)
    }
}

impl Eq for History {}

impl History {
    /// Whether nothing has happened; keeps it out of JSON.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The service got this scheduler.
    pub(crate) fn bind(&mut self, scheduler: &str, destinations: &[Destination]) {
        self.bound += 1;
        self.rounds.clear();
        self.note_round(scheduler, destinations);
    }

    /// A server was added, edited or removed; these are the servers now.
    pub(crate) fn edit(&mut self, scheduler: &str, destinations: &[Destination]) {
        self.edits += 1;
        self.note_round(scheduler, destinations);
    }

    /// The server at `address` gets `new` weight instead of `old`.
    pub(crate) fn weigh(&mut self, address: SocketAddr, old: u32, new: u32) {
        match (old, new) {
            (0, 0) => {}
            (_, 0) => {
                self.resting.insert(address, old);
            }
            _ => {
                self.resting.remove(&address);
            }
        }
    }

    /// The server at `address` is there no longer.
    pub(crate) fn remove(&mut self, address: SocketAddr) {
        self.resting.remove(&address);
    }

    /// The last weight of a server that was not 0; 0 if it never had another.
    pub(crate) fn last_weight(&self, server: &Destination) -> u32 {
        match server.weight {
            0 => self.resting.get(&server.address).copied().unwrap_or(0),
            weight => weight,
        }
    }

    fn note_round(&mut self, scheduler: &str, destinations: &[Destination]) {
        if scheduler != "wrr" {
            return;
        }
        let round = Round::of(destinations.iter().map(|one| one.weight));
        if self.rounds.last().is_none_or(|(_, last)| *last != round) {
            self.rounds.push((self.edits, round));
        } else if let Some((edit, _)) = self.rounds.last_mut() {
            *edit = self.edits;
        }
    }
}

/// The weights that the passes of a round of wrr go down by (`struct ip_vs_wrr_mark`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Round {
    /// The least weight that is visited in the first pass (`mw`); 0: nobody has any weight.
    pub(crate) top: u32,
    /// How much less it is in each further pass (`di`): the greatest common divisor of the weights.
    pub(crate) step: u32,
}

impl Round {
    /// Of servers with these weights (`ip_vs_wrr_gcd_weight`, `ip_vs_wrr_max_weight`).
    pub(crate) fn of(weights: impl Iterator<Item = u32> + Clone) -> Self {
        let weights = weights.filter(|&weight| weight > 0);
        let step = weights.clone().fold(0, gcd).max(1);
        let highest = weights.max().unwrap_or(0);
        Self {
            top: highest.saturating_sub(step - 1),
            step,
        }
    }

    /// The least weight of the pass that comes next, when it was `pass` before an edit made this the round
    /// (`ip_vs_wrr_dest_changed`).
    pub(crate) const fn after_edit(self, pass: u32) -> u32 {
        if pass > self.top || pass == 0 {
            self.top
        } else if self.step > 1 {
            pass / self.step * self.step + 1
        } else {
            pass
        }
    }
}

/// The greatest common divisor; of 0 and another number, the other.
pub(crate) const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_goes_down_from_the_highest_weight_to_one() {
        let round = |weights: &[u32]| {
            let Round { top, step } = Round::of(weights.iter().copied());
            (top, step)
        };
        assert_eq!(round(&[]), (0, 1));
        assert_eq!(round(&[0, 0]), (0, 1));
        assert_eq!(round(&[3, 1]), (3, 1));
        assert_eq!(round(&[2, 2]), (1, 2));
        assert_eq!(round(&[6, 4, 0]), (5, 2));
    }

    #[test]
    fn an_edit_keeps_the_pass_where_it_can() {
        let round = Round::of([6, 4].into_iter());
        let after: Vec<u32> = (0..=7).map(|pass| round.after_edit(pass)).collect();
        assert_eq!(after, [5, 1, 3, 3, 5, 5, 5, 5]);
    }

    #[test]
    fn the_last_weight_outlives_a_rest() {
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let server = |weight| Destination {
            weight,
            ..Destination::masq(address)
        };
        let mut history = History::default();
        assert_eq!(history.last_weight(&server(0)), 0);
        history.weigh(address, 5, 0);
        history.weigh(address, 0, 0);
        assert_eq!(history.last_weight(&server(0)), 5);
        history.weigh(address, 0, 2);
        assert_eq!(history.last_weight(&server(2)), 2);
        history.weigh(address, 2, 0);
        history.remove(address);
        assert_eq!(history.last_weight(&server(0)), 0);
    }
}
