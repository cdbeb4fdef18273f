//! Weighted round robin's passes, for `ferrovs_core`'s `sched/wrr.rs`: [`ferrovs_core::abi::schedule`] says
//! how they lie in the table.

use ferrovs_core::abi::schedule::MEMBERS;

use crate::Round;

/// The passes of a round that visit the same servers.
struct Level {
    /// How many passes.
    passes: u64,
    /// Places of the servers, ascending.
    places: Vec<u32>,
}

/// All levels of a round over servers with these weights, in list order, none of them 0.
pub(super) struct Levels(Vec<Level>);

impl Levels {
    pub(super) fn of(weights: &[u32]) -> Self {
        let Round { step, .. } = Round::of(weights.iter().copied());
        let mut distinct = weights.to_vec();
        distinct.sort_unstable_by(|a, b| b.cmp(a));
        distinct.dedup();
        let next = distinct.iter().skip(1).copied().chain([0]);
        let levels = distinct.iter().zip(next);
        let level = |(&weight, next): (&u32, u32)| Level {
            passes: u64::from((weight - next) / step),
            places: (0..)
                .zip(weights)
                .filter(|(_, of)| **of >= weight)
                .map(|(place, _)| place)
                .collect(),
        };
        Self(levels.map(level).collect())
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The words behind the entries.
    pub(super) fn words(&self, dests: u32) -> Vec<u64> {
        let ends = self.0.iter().scan(0, |end, level| {
            *end += level.passes * level.places.len() as u64;
            Some(*end)
        });
        let sizes = self.0.iter().map(|level| level.places.len() as u64);
        let members = self
            .0
            .iter()
            .flat_map(|level| members(&level.places, dests));
        ends.chain(sizes).chain(members).collect()
    }

    /// The round's first ticket of the pass that visits servers of at least the weight `least`.
    pub(super) fn first_ticket(&self, round: Round, least: u32) -> u64 {
        let mut passes = u64::from(round.top.saturating_sub(least) / round.step);
        let mut ticket = 0;
        for level in &self.0 {
            let before = passes.min(level.passes);
            ticket += before * level.places.len() as u64;
            passes -= before;
        }
        ticket
    }

    /// The least weight that the pass with this ticket of the round visits.
    pub(super) fn pass_of(&self, round: Round, ticket: u64) -> u32 {
        let mut ticket = ticket;
        let mut passes = 0;
        for level in &self.0 {
            let size = level.places.len() as u64;
            if ticket < level.passes * size {
                passes += ticket / size;
                break;
            }
            ticket -= level.passes * size;
            passes += level.passes;
        }
        (u64::from(round.top)).saturating_sub(passes * u64::from(round.step)) as u32
    }

    /// Tickets of a round.
    pub(super) fn tickets(&self) -> u64 {
        let of_level = |level: &Level| level.passes * level.places.len() as u64;
        self.0.iter().map(of_level).sum()
    }
}

/// Which places of `dests` are a level's, [`MEMBERS`] in a word, each with the number of those before.
fn members(places: &[u32], dests: u32) -> impl Iterator<Item = u64> {
    (0..dests.div_ceil(MEMBERS)).map(move |word| {
        let before = places.partition_point(|&place| place < word * MEMBERS);
        let of_word = places[before..].iter();
        let of_word = of_word.take_while(|&&place| place < (word + 1) * MEMBERS);
        let bits = of_word.fold(0, |bits, place| bits | 1_u64 << (place % MEMBERS));
        bits | (before as u64) << MEMBERS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_and_passes_lead_to_each_other() {
        for weights in [&[1, 2, 5][..], &[4, 6], &[3, 3], &[7], &[10, 4, 2, 4]] {
            let round = Round::of(weights.iter().copied());
            let levels = Levels::of(weights);
            let steps = weights.iter().map(|w| u64::from(w / round.step));
            assert_eq!(levels.tickets(), steps.sum::<u64>());
            let mut pass = round.top;
            loop {
                let first = levels.first_ticket(round, pass);
                assert_eq!(levels.pass_of(round, first), pass, "{weights:?}");
                if first > 0 {
                    assert_eq!(levels.pass_of(round, first - 1), pass + round.step);
                }
                if pass <= round.step {
                    break;
                }
                pass -= round.step;
            }
            assert_eq!(levels.pass_of(round, levels.tickets() - 1), pass);
        }
    }
}
