//! Locality-based least connections (`ip_vs_lblc.c`): an address that clients ask for stays with its server, unless
//! that has too much to do. For caches.

use std::{collections::VecDeque, net::IpAddr};

use super::{Schedule, Sight, wlc};
use crate::ipvs::{Dest, SECOND};

/// How often addresses are looked through, milliseconds.
const INTERVAL: u64 = 60 * SECOND;
/// Every so often, those are forgotten that nobody has asked for in a day.
const ROUNDS: u64 = 30;
/// How long an address is remembered, milliseconds (`lblc_expiration`, `lblcr_expiration`).
pub(super) const EXPIRATION: u64 = 24 * 60 * 60 * SECOND;
/// More addresses than this are thinned out, which the model does not do.
const MOST: usize = 16 * 1024;

/// When a table is looked through next.
#[derive(Debug)]
pub(super) struct Rounds {
    pub(super) next: u64,
    counter: u64,
}

impl Rounds {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            next: now + INTERVAL,
            counter: 1,
        }
    }

    /// Whether old entries are to be forgotten now (`ip_vs_lblc_check_expire`).
    pub(super) fn is_due(&mut self, now: u64, entries: usize) -> bool {
        assert!(entries <= MOST, "the model keeps all addresses");
        if now < self.next {
            return false;
        }
        self.next = now + INTERVAL;
        let due = self.counter.is_multiple_of(ROUNDS);
        self.counter = if due { 1 } else { self.counter + 1 };
        due
    }
}

/// Whether a server has too much to do while another has little.
pub(super) fn is_overloaded(dest: &Dest, servers: &[&Dest]) -> bool {
    let mut others = servers.iter();
    dest.active > u64::from(dest.server.weight)
        && others.any(|other| other.active * 2 < u64::from(other.server.weight))
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    dest: usize,
    last_use: u64,
}

#[derive(Debug)]
pub(super) struct LocalityBased {
    entries: Vec<Entry>,
    rounds: Rounds,
}

impl LocalityBased {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            entries: Vec::new(),
            rounds: Rounds::new(now),
        }
    }
}

impl Schedule for LocalityBased {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let address = sight.packet.destination.ip();
        let servers = sight.servers();
        let mut places = self.entries.iter();
        let place = places.position(|entry| entry.address == address);
        if let Some(place) = place {
            let entry = &mut self.entries[place];
            entry.last_use = sight.now;
            let dest = &sight.dests[entry.dest];
            if dest.is_available() && dest.server.weight > 0 && !is_overloaded(dest, &servers) {
                return Some(entry.dest);
            }
        }
        let picked = wlc::lightest(&servers, Dest::overhead)?;
        match place {
            Some(place) => self.entries[place].dest = picked,
            None => self.entries.push(Entry {
                address,
                dest: picked,
                last_use: sight.now,
            }),
        }
        Some(picked)
    }

    fn remembers(&self, dest: usize) -> bool {
        self.entries.iter().any(|entry| entry.dest == dest)
    }

    fn next_tick(&self) -> Option<u64> {
        Some(self.rounds.next)
    }

    fn tick(&mut self, now: u64) {
        if self.rounds.is_due(now, self.entries.len()) {
            self.entries
                .retain(|entry| now < entry.last_use + EXPIRATION);
        }
    }
}
