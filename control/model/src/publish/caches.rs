//! What lblc and lblcr remember in the tables: which servers, and what may be forgotten.
//!
//! A removed server that is remembered stays in the trash for as long, as one of IPVS does that an entry refers to
//! (`ip_vs_dest_hold` in `ip_vs_lblc_new`): when it comes back, its addresses are its own again. Programs never free
//! an entry; that is left to [`collect`].

use std::collections::{BTreeMap, BTreeSet};

use ferrovs_core::{
    abi::{
        WORDS,
        config::{LBLC_EXPIRATION, LBLCR_EXPIRATION, SYSCTLS},
        locality::{Birth, LocalityKey, MEMBERS, SET, Set, USED, chunk_of},
        service::Scheduler,
    },
    sched::local::is_remembered,
    tables::{Line, Tables},
};

use super::{Plane, ledger::Ledger};

/// The lines of all caches.
pub type Localities = BTreeMap<LocalityKey, [u64; WORDS]>;

/// The schedulers that remember addresses now, by their lives: when each was born, and for how many ticks it remembers.
struct Living(BTreeMap<u32, (Birth, u64)>);

impl Living {
    fn of<P: Plane>(plane: &P, ledger: &Ledger) -> Self {
        const LBLCR: u8 = Scheduler::ReplicatedLocality as u8;
        let sysctls = plane.tables().config(SYSCTLS);
        let expiration = |scheduler| {
            let word = match scheduler {
                LBLCR => LBLCR_EXPIRATION,
                _ => LBLC_EXPIRATION,
            };
            sysctls.map_or(0, |line| line.load(word))
        };
        let rotations = ledger.services.iter().map(|record| &record.rotation);
        let living = rotations.filter_map(|rotation| {
            let birth = rotation.birth()?;
            let scheduler = rotation.schedule().scheduler();
            Some((birth.life(), (birth, expiration(scheduler))))
        });
        Self(living.collect())
    }

    fn remember(&self, key: LocalityKey, words: &[u64; WORDS], now: u32) -> bool {
        let living = self.0.get(&key.life());
        living.is_some_and(|&(birth, expiration)| {
            is_remembered(words[USED] as u32, birth, expiration, now)
        })
    }
}

/// The numbers of all servers that are remembered.
pub(super) fn held<P: Plane>(plane: &P, ledger: &Ledger) -> BTreeSet<u32> {
    let living = Living::of(plane, ledger);
    if living.0.is_empty() {
        return BTreeSet::new();
    }
    let lines = plane.localities();
    let now = plane.tables().now();
    let mut held = BTreeSet::new();
    for (&key, words) in &lines {
        if key.number() != 0 || !living.remember(key, words, now) {
            continue;
        }
        let members = MEMBERS..MEMBERS + Set(words[SET]).size();
        held.extend(members.filter_map(|place| {
            let (number, word) = chunk_of(place);
            Some(lines.get(&key.chunk(number))?[word] as u32)
        }));
    }
    held
}

/// Frees the lines that nothing will be read from any more.
pub(super) fn collect<P: Plane>(plane: &P, ledger: &Ledger) {
    let living = Living::of(plane, ledger);
    let now = plane.tables().now();
    let lines = plane.localities();
    for &key in lines.keys() {
        let first = lines.get(&key.chunk(0));
        if !first.is_some_and(|words| living.remember(key, words, now)) {
            plane.forget_locality(key);
        }
    }
}
