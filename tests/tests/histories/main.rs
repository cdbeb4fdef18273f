//! Random histories of packets, commands and time, through the model of IPVS and through the core.
//!
//! Both must do the same with every packet, and count the same. What the data plane does not forward yet is not
//! asked for ([`ferrovs_model::Wanted::unforwarded`]), and where it departs from IPVS, histories keep away
//! ([`departures`]). A history follows from its seed; one that fails is made as short as it still fails
//! ([`shrink`]).
//!
//! What IPVS does not have is looked at by itself, on the same core ([`latency`]).
//!
//! Not in any history: direct routing, tunnels, ICMP, fragments.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod departures;
mod event;
mod generator;
mod latency;
mod met;
mod pair;
mod plane;
mod shrink;
mod translate;
mod universe;

use std::{
    env,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use event::Command;
use ferrovs_tests::ipvs::Settings;
use generator::history;
use met::Met;
use pair::{Failure, Pair};
use plane::Core;
use universe::Slot;

/// As many histories, each of about 170 events. `FERROVS_HISTORIES` says how many instead, or which: the first seed and
/// the last, with `-` between them.
const HISTORIES: u64 = 10_000;

fn seeds() -> Range<u64> {
    let Ok(text) = env::var("FERROVS_HISTORIES") else {
        return 0..HISTORIES;
    };
    let seed = |text: &str| text.parse::<u64>().unwrap();
    match text.split_once('-') {
        Some((first, last)) => seed(first)..seed(last) + 1,
        None => 0..seed(&text),
    }
}

/// Runs histories until there are none left; what they met, and the one that failed.
fn work(next: &AtomicU64, end: u64) -> (Met, Option<(u64, Failure)>) {
    let mut met = Met::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return (met, None);
        }
        match Pair::run(&history(seed)) {
            Ok(more) => met.add(&more),
            Err(failure) => {
                next.store(end, Ordering::Relaxed);
                return (met, Some((seed, failure)));
            }
        }
    }
}

/// Which of the schedulers the data plane has.
fn schedulers() -> Vec<&'static str> {
    let forwards = |name: &&'static str| {
        let command = Command::AddService(Slot(0), Settings::new(name));
        Core::new().change(&command.change()).is_some()
    };
    let all = ferrovs_tests::ipvs::SCHEDULERS.into_iter();
    all.filter(forwards).collect()
}

#[test]
fn the_core_does_as_the_model_of_ipvs() {
    let Range { start, end } = seeds();
    let next = AtomicU64::new(start);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| work(&next, end)))
            .collect();
        let results = workers.into_iter().map(|worker| worker.join().unwrap());
        results.collect()
    });
    let mut met = Met::default();
    for (more, failed) in results {
        if let Some((seed, failure)) = failed {
            let (events, failure) = shrink::shorten(history(seed), failure);
            let events: Vec<_> = events.iter().map(|event| format!("{event:?}")).collect();
            panic!("seed {seed}, after\n{}\n{failure}", events.join("\n"));
        }
        met.add(&more);
    }
    let histories = end - start;
    met.check(&schedulers(), histories / 2);
    met.check(
        &[
            "to a server",
            "to a client",
            "left alone",
            "unreachable",
            "dropped",
            "ended",
            "opened anew",
            "on IPv6",
            "by SCTP",
            "past the director",
            "kept with its server",
            "alone",
            "beside a full server",
            "granted",
            "refused",
            "comes back",
        ],
        histories / 4,
    );
    // Only what nothing later took the place of is answered.
    met.check(&["answered alone"], histories / 20);
    met.check(&["of a call"], histories / 10);
}
