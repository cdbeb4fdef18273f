//! What a service's list has to say.

use std::net::SocketAddr;

use ferrovs_core::{
    abi::{
        schedule::{Entry, PLACES, Schedule},
        service::Scheduler,
    },
    tables::Tables,
};

use super::{
    super::{levels::Levels, rotation},
    buckets, maglev,
};
use crate::{Destination, SchedulerFlags, Service, scheduler};

/// The list of a service, wherever it will lie.
pub(super) struct Content {
    /// At line 0.
    pub(super) schedule: Schedule,
    /// Numbers of all servers, in list order.
    pub(super) order: Vec<u32>,
    /// Those that are in the list.
    pub(super) entries: Vec<Entry>,
    /// What is behind the entries.
    rest: Vec<u64>,
}

impl Content {
    /// For nobody.
    pub(super) fn empty() -> Self {
        Self {
            schedule: Schedule::new(0, Scheduler::None, 0, 0, 0),
            order: Vec::new(),
            entries: Vec::new(),
            rest: Vec::new(),
        }
    }

    /// Of a service; `number` knows all its servers.
    pub(super) fn of(service: &Service, number: impl Fn(SocketAddr) -> u32) -> Self {
        let name = &service.settings.scheduler;
        let scheduler = scheduler::built(name);
        let all = service.destinations.iter();
        let all = all.map(|dest| (dest, number(dest.address)));
        // Servers that rest keep the clients that hash to them. With lblc and lblcr, addresses are remembered also
        // while all of them rest.
        let keeps_resting = matches!(
            scheduler,
            Scheduler::SourceHash
                | Scheduler::DestinationHash
                | Scheduler::Maglev
                | Scheduler::BoundedMaglev
                | Scheduler::Locality
                | Scheduler::ReplicatedLocality
        );
        let listed = all.clone();
        let listed = listed.filter(|(dest, _)| dest.weight > 0 || keeps_resting);
        let entry = |(dest, number): (&Destination, u32)| Entry::new(number, dest.weight);
        let entries: Vec<_> = listed.clone().map(entry).collect();
        let weights = entries.iter().map(|entry| entry.weight());
        let mut levels = 0;
        let rest = match scheduler {
            // A service without servers has no piece of the table, so nothing may be written for it.
            _ if entries.is_empty() => Vec::new(),
            Scheduler::WeightedRoundRobin => {
                let of = Levels::of(&weights.collect::<Vec<_>>());
                levels = of.len() as u16;
                of.words(entries.len() as u32)
            }
            Scheduler::SourceHash => in_words(&buckets::fill(weights.map(|w| w.max(1)))),
            Scheduler::DestinationHash => in_words(&buckets::fill(weights.map(|_| 1))),
            Scheduler::Maglev | Scheduler::BoundedMaglev => {
                // A server of all ports is hashed as such (`dest->port`), wherever its flows go.
                let last = |(dest, _): (&Destination, _)| {
                    (dest.address, service.history.last_weight(dest))
                };
                let mut words = in_words(&maglev::fill(&listed.map(last).collect::<Vec<_>>()));
                if scheduler == Scheduler::BoundedMaglev {
                    words.push(weights.map(u64::from).sum());
                }
                words
            }
            Scheduler::TwoChoices | Scheduler::Latency => weights
                .scan(0, |sum, weight| {
                    *sum += u64::from(weight);
                    Some(*sum)
                })
                .collect(),
            _ => Vec::new(),
        };
        let limited = service
            .destinations
            .iter()
            .any(|dest| dest.upper_threshold > 0);
        let limited = if limited { Schedule::LIMITED } else { 0 };
        let flags = flags(scheduler, service.settings.scheduler_flags) | limited;
        Self {
            schedule: Schedule::new(0, scheduler, entries.len() as u16, levels, flags),
            order: all.map(|(_, number)| number).collect(),
            entries,
            rest,
        }
    }

    /// All words but the cursor.
    pub(super) fn words(&self) -> impl Iterator<Item = u64> {
        let entries = self.entries.iter().map(|entry| entry.0);
        entries.chain(self.rest.iter().copied())
    }

    /// Whether the piece of the table that a service's line names says just this.
    pub(super) fn is_in<T: Tables>(&self, tables: &T, current: Schedule) -> bool {
        let known = (current.entry(0)..).map(|number| rotation::word(tables, number));
        self.schedule.at(current.line()) == current && self.words().zip(known).all(|(a, b)| a == b)
    }
}

/// A flag means nothing to the other schedulers, though they may be given one.
fn flags(scheduler: Scheduler, flags: SchedulerFlags) -> u64 {
    if !matches!(
        scheduler,
        Scheduler::SourceHash | Scheduler::Maglev | Scheduler::BoundedMaglev
    ) {
        return 0;
    }
    let bit = |flag, bit| if flags.has(flag) { bit } else { 0 };
    bit(SchedulerFlags::FALLBACK, Schedule::FALLBACK) | bit(SchedulerFlags::PORT, Schedule::PORT)
}

/// Places of 16 bits, the first in the lowest bits.
fn in_words(places: &[u16]) -> Vec<u64> {
    let word = |places: &[u16]| {
        let places = places.iter().rev();
        places.fold(0, |word, &place| word << u16::BITS | u64::from(place))
    };
    places.chunks(PLACES as usize).map(word).collect()
}
