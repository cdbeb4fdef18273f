//! Locality-based least connections with replication (`ip_vs_lblcr.c`): as `lblc`, but an address has a set of
//! servers, which grows when they have too much to do, and shrinks after a day without change.

use std::{collections::VecDeque, net::IpAddr};

use super::{
    Schedule, Sight,
    lblc::{EXPIRATION, Rounds, is_overloaded},
    wlc,
};
use crate::ipvs::Dest;

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// Numbers of its servers, the one added last first.
    set: Vec<usize>,
    last_change: u64,
    last_use: u64,
}

impl Entry {
    /// `ip_vs_dest_set_insert`.
    fn add(&mut self, dest: usize, now: u64) {
        if !self.set.contains(&dest) {
            self.set.insert(0, dest);
            self.last_change = now;
        }
    }

    /// `ip_vs_dest_set_min`.
    fn lightest(&self, dests: &[Dest]) -> Option<usize> {
        let servers = self.set.iter().map(|&dest| &dests[dest]);
        let available: Vec<_> = servers.filter(|dest| dest.is_available()).collect();
        wlc::lightest(&available, Dest::overhead)
    }

    /// The server with the most load for its weight, the first of those that are alike; also one that is gone
    /// (`ip_vs_dest_set_max`).
    fn heaviest(&self, dests: &[Dest]) -> Option<usize> {
        let servers = self.set.iter().map(|&dest| &dests[dest]);
        let mut weighty = servers.filter(|dest| dest.server.weight > 0);
        let mut most = weighty.next()?;
        for dest in weighty {
            let (weight, most_weight) = (dest.server.weight, most.server.weight);
            if most.overhead() * u128::from(weight) < dest.overhead() * u128::from(most_weight) {
                most = dest;
            }
        }
        Some(most.number)
    }

    /// Takes the heaviest server out of a set of several that has not changed for long.
    fn shrink(&mut self, dests: &[Dest], now: u64) {
        if self.set.len() > 1
            && now > self.last_change + EXPIRATION
            && let Some(heaviest) = self.heaviest(dests)
        {
            self.set.retain(|dest| *dest != heaviest);
            self.last_change = now;
        }
    }
}

#[derive(Debug)]
pub(super) struct LocalityBasedReplicated {
    entries: Vec<Entry>,
    rounds: Rounds,
}

impl LocalityBasedReplicated {
    pub(super) const fn new(now: u64) -> Self {
        Self {
            entries: Vec::new(),
            rounds: Rounds::new(now),
        }
    }
}

impl Schedule for LocalityBasedReplicated {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let Sight { dests, now, .. } = *sight;
        let address = sight.packet.destination.ip();
        let servers = sight.servers();
        let mut entries = self.entries.iter_mut();
        let entry = entries.find(|entry| entry.address == address);
        let Some(entry) = entry else {
            let picked = wlc::lightest(&servers, Dest::overhead)?;
            self.entries.push(Entry {
                address,
                set: vec![picked],
                last_change: now,
                last_use: now,
            });
            return Some(picked);
        };
        entry.last_use = now;
        let lightest = entry.lightest(dests);
        entry.shrink(dests, now);
        if let Some(picked) = lightest
            && !is_overloaded(&dests[picked], &servers)
        {
            return Some(picked);
        }
        let picked = wlc::lightest(&servers, Dest::overhead)?;
        entry.add(picked, now);
        Some(picked)
    }

    fn remembers(&self, dest: usize) -> bool {
        self.entries.iter().any(|entry| entry.set.contains(&dest))
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
