//! The ledger: which numbers of the tables are whose.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use ferrovs_core::{abi::dest::Limits, tables::Tables};
use serde::{Deserialize, Serialize};

use super::{Figures, Plane, caches, endpoint::Key, rotation::Rotation};
use crate::{
    Forwarding, Persistence, ServiceKey, Wanted,
    amendment::{amend, amended},
    service::is_false,
};

/// Everything the tables hold that the wanted state does not say. It is stored beside it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ledger {
    /// Present and removed services, the oldest first.
    pub(super) services: Vec<ServiceRecord>,
    /// Present and removed destinations of all services, the oldest first; one that comes back is as
    /// old as it was.
    pub(super) dests: Vec<DestRecord>,
    /// Filter keys of real servers' endpoints that have served more than one service. A flow made at
    /// that time may need its pointer until it ends, so an endpoint stays here until no service
    /// remembers it.
    pub(super) shared: BTreeSet<Key>,
    /// How many schedulers there have been that remember addresses: each has a number of its own.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) lives: u32,
    /// All that went through services that are remembered no longer.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) departed: Figures,
    /// What all services together had counted when the totals were last set to zero.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) zero: Figures,
}

/// A service of the tables.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceRecord {
    /// Its number in the tables, from 1.
    pub number: u16,
    /// Which service it is.
    pub key: ServiceKey,
    /// Its [`crate::Service::added`]: another one with the same key has another.
    #[serde(default)]
    pub(super) added: u64,
    /// Whether it is wanted now; a removed one is kept while it has servers with flows.
    pub present: bool,
    /// How it keeps clients with their servers, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) persistence: Option<Persistence>,
    /// Whether its persistence engine is sip: calls are kept in place of clients, and servers make some themselves.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) calls: bool,
    /// Whether it schedules each datagram for itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) one_packet: bool,
    /// Numbers of its present destinations, in list order.
    pub(super) order: Vec<u32>,
    /// Where its scheduler is.
    pub(super) rotation: Rotation,
    /// All that went through destinations that are remembered no longer.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) departed: Figures,
    /// What it had counted when its counters were last set to zero.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) zero: Figures,
}

/// A destination of the tables.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DestRecord {
    /// Its number in the tables, from 1.
    pub number: u32,
    /// Number of its service.
    pub service: u16,
    /// Its address as the administrator gave it; port 0 means the service's.
    pub address: SocketAddr,
    /// Where its packets go.
    pub endpoint: SocketAddr,
    /// Whether it is wanted now; a removed one is kept while it has flows.
    pub present: bool,
    /// How its packets reach it.
    #[serde(default = "masq", skip_serializing_if = "is_masq")]
    pub(super) forwarding: Forwarding,
    /// Whether its flows' answers pass here, or did: then they are recognised until it is forgotten.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(super) answers: bool,
    /// Whether its flows may have an address of the pool, or might.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) pooled: bool,
    /// Its thresholds, as [`ferrovs_core::abi::dest::Limits`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) limits: u64,
    /// Its weight; of a removed one, its last one.
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) weight: u32,
    /// Tick since which a removed one has been without flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idle_since: Option<u32>,
    /// What its line of counters said when it got its number: those were counted for somebody else.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) born: Figures,
    /// What its line of counters said when its counters were last set to zero.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) zero: Figures,
}

impl DestRecord {
    /// Whether its flows may have an address of the pool.
    #[must_use]
    pub const fn uses_pool(&self) -> bool {
        self.pooled
    }
}

/// Keeps what says nothing out of the stored ledger.
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What servers had before there were other methods.
const fn masq() -> Forwarding {
    Forwarding::Masq
}

fn is_masq(forwarding: &Forwarding) -> bool {
    *forwarding == Forwarding::Masq
}

/// The same.
const fn is_none(number: &u32) -> bool {
    *number == 0
}

const fn yes() -> bool {
    true
}

const fn is_yes(value: &bool) -> bool {
    *value
}

/// See [`crate::Amendment`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct LedgerAmendment {
    services: Vec<ServiceRecord>,
    dests: Vec<DestRecord>,
    #[serde(default, skip_serializing_if = "is_none")]
    lives: u32,
}

impl Ledger {
    /// What makes `new` of this; `None` if that cannot be said briefly.
    pub(crate) fn amendment(&self, new: &Self) -> Option<LedgerAmendment> {
        let Self {
            services,
            dests,
            shared,
            lives,
            departed,
            zero,
        } = new;
        if self.shared != *shared || self.departed != *departed || self.zero != *zero {
            return None;
        }
        Some(LedgerAmendment {
            services: amended(&self.services, services, |a, b| a.number == b.number)?,
            dests: amended(&self.dests, dests, |a, b| a.number == b.number)?,
            lives: *lives,
        })
    }

    /// Makes of this what the amendment was made for.
    pub(crate) fn amend(&mut self, amendment: LedgerAmendment) {
        self.lives = amendment.lives;
        amend(&mut self.services, amendment.services, |a, b| {
            a.number == b.number
        });
        amend(&mut self.dests, amendment.dests, |a, b| {
            a.number == b.number
        });
    }

    /// Whether it remembers no service, present or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// All services, removed ones too.
    #[must_use]
    pub fn services(&self) -> &[ServiceRecord] {
        &self.services
    }

    /// All destinations, removed ones too.
    #[must_use]
    pub fn dests(&self) -> &[DestRecord] {
        &self.dests
    }

    /// Takes over how the services schedule that are `concerned`, methods, weights and thresholds of their servers.
    pub(super) fn take_settings(
        &mut self,
        wanted: &Wanted,
        concerned: impl Fn(&ServiceKey) -> bool,
    ) {
        let services = self.services.iter_mut();
        let settings: HashMap<_, _> = services
            .filter(|record| concerned(&record.key))
            .filter_map(|record| {
                let service = wanted.service(&record.key)?;
                record.persistence = service.settings.persistence;
                // There is only one engine.
                record.calls = service.settings.persistence_engine.is_some();
                record.one_packet = service.settings.one_packet;
                Some((record.number, service))
            })
            .flat_map(|(number, service)| {
                let dests = service.destinations.iter();
                dests.map(move |dest| ((number, dest.address), dest))
            })
            .collect();
        for record in &mut self.dests {
            if let Some(dest) = settings.get(&(record.service, record.address)) {
                record.limits = Limits::new(dest.upper_threshold, dest.lower_threshold).0;
                record.weight = dest.weight;
                record.forwarding = dest.forwarding;
                record.answers |= dest.forwarding.rewrites();
                record.pooled |= dest.forwarding.uses_pool();
            }
        }
    }

    /// Notes which removed destinations have no flows now, and gives since when each has had none.
    pub(super) fn note_idle<P: Plane>(&mut self, plane: &P) -> impl Iterator<Item = u32> {
        let now = plane.tables().now();
        let held = self.held(plane);
        let removed = self.dests.iter_mut().filter(|dest| !dest.present);
        removed.filter_map(move |dest| {
            if !plane.is_used(dest.number) && !held.contains(&dest.number) {
                Some(*dest.idle_since.get_or_insert(now))
            } else {
                dest.idle_since = None;
                None
            }
        })
    }

    /// Which destinations schedulers remember, if there are removed ones.
    pub(super) fn held<P: Plane>(&self, plane: &P) -> BTreeSet<u32> {
        if self.dests.iter().all(|dest| dest.present) {
            return BTreeSet::new();
        }
        caches::held(plane, self)
    }

    /// Everything that went through a destination, whatever was set to zero.
    pub(super) fn lifetime_of_dest<P: Plane>(plane: &P, dest: &DestRecord) -> Figures {
        plane.figures(dest.number) - dest.born
    }

    /// What the counters of each destination say, in their order.
    pub(super) fn figures<P: Plane>(&self, plane: &P) -> Vec<Figures> {
        let dests = self.dests.iter();
        dests.map(|dest| plane.figures(dest.number)).collect()
    }

    /// Everything that went through each service, in their order, if the destinations' counters say this.
    pub(super) fn lifetimes(&self, figures: &[Figures]) -> Vec<Figures> {
        let mut sums: HashMap<u16, Figures> = HashMap::new();
        for (dest, &counted) in self.dests.iter().zip(figures) {
            let sum = sums.entry(dest.service).or_default();
            *sum = *sum + (counted - dest.born);
        }
        let through_known = |number| sums.get(&number).copied().unwrap_or_default();
        let services = self.services.iter();
        services
            .map(|service| service.departed + through_known(service.number))
            .collect()
    }

    /// Everything that went through all services there ever were.
    pub(super) fn lifetime(&self, lifetimes: &[Figures]) -> Figures {
        let services = lifetimes.iter().copied();
        services.fold(self.departed, |sum, one| sum + one)
    }

    /// From now on counts the chosen services and their destinations from zero.
    pub(super) fn zero_services<P: Plane>(
        &mut self,
        plane: &P,
        chosen: impl Fn(&ServiceRecord) -> bool,
    ) {
        let lifetimes = self.lifetimes(&self.figures(plane));
        let mut zeroed = BTreeSet::new();
        for (service, lifetime) in self.services.iter_mut().zip(lifetimes) {
            if chosen(service) {
                service.zero = lifetime;
                zeroed.insert(service.number);
            }
        }
        for dest in &mut self.dests {
            if zeroed.contains(&dest.service) {
                dest.zero = plane.figures(dest.number);
            }
        }
    }

    /// From now on counts everything from zero.
    pub(super) fn zero_all<P: Plane>(&mut self, plane: &P) {
        self.zero = self.lifetime(&self.lifetimes(&self.figures(plane)));
        self.zero_services(plane, |_| true);
    }
}
