//! The wanted state, and the one way to change it.

use std::{fmt, mem::take, net::SocketAddr};

use ferrovs_core::abi::{MAX_DESTS, MAX_SERVICES as SERVICE_NUMBERS};
use serde::{Deserialize, Serialize};

use crate::{
    Change, Destination, MAX_TIMEOUT, PoolAddress, Refusal, Service, ServiceKey, ServiceSettings,
    Snat, Sysctls, Timeouts,
    amendment::{amend, amended},
    history::{History, Round},
    pool,
};

/// Services there may be. Number 0 is nobody's.
pub const MAX_SERVICES: usize = SERVICE_NUMBERS as usize - 1;

/// Real servers all services may have together.
pub const MAX_SERVERS: usize = MAX_DESTS as usize - 1;

/// Real servers one service may have: wrr's schedule for so many with as many weights takes a third of the
/// table.
pub const MAX_SERVERS_OF_SERVICE: usize = 16_384;

/// All that an administrator asked for and was granted.
///
/// Services are ordered by key and their keys are unique; no service has two destinations at one
/// address. [`Wanted::apply`] keeps it so, and JSON that breaks it is not accepted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Unchecked")]
pub struct Wanted {
    services: Vec<Service>,
    timeouts: Timeouts,
    #[serde(skip_serializing_if = "Sysctls::is_default")]
    sysctls: Sysctls,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pool: Vec<PoolAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snat: Option<Snat>,
    /// How many services have ever been added: the next one's [`Service::added`].
    #[serde(default)]
    ever_added: u64,
    /// How many servers all services have together.
    #[serde(skip)]
    servers: usize,
}

/// The first change of a list that was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RefusedChange {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Why.
    pub refusal: Refusal,
}

impl Wanted {
    /// The state with these services, timeouts, sysctls and pool, whose servers have no way out, or `None` if two services have one key or two
    /// destinations of one service one address, or if the pool can be none.
    #[must_use]
    pub fn of(
        services: Vec<Service>,
        timeouts: Timeouts,
        sysctls: Sysctls,
        pool: Vec<PoolAddress>,
    ) -> Option<Self> {
        let unchecked = Unchecked {
            services,
            timeouts,
            sysctls,
            pool,
            snat: None,
            ever_added: 0,
        };
        unchecked.try_into().ok()
    }

    /// All services, ordered by key.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service with `key`.
    #[must_use]
    pub fn service(&self, key: &ServiceKey) -> Option<&Service> {
        self.place(key).ok().map(|at| &self.services[at])
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
            && self.timeouts == Timeouts::default()
            && self.sysctls.is_default()
            && self.pool.is_empty()
            && self.snat.is_none()
    }

    /// The timeouts.
    #[must_use]
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The sysctls.
    #[must_use]
    pub const fn sysctls(&self) -> Sysctls {
        self.sysctls
    }

    /// The addresses of the pool.
    #[must_use]
    pub fn pool(&self) -> &[PoolAddress] {
        &self.pool
    }

    /// The servers' way out, if they have one.
    #[must_use]
    pub const fn snat(&self) -> Option<&Snat> {
        self.snat.as_ref()
    }

    /// Makes one change, or none of it.
    ///
    /// # Errors
    /// Where several refusals fit, the one the kernel would give.
    pub fn apply(&mut self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::AddService { service, settings } => self.add_service(*service, settings),
            Change::EditService { service, settings } => self.edit_service(service, settings),
            Change::DeleteService { service } => self.delete_service(service),
            Change::AddDestination {
                service,
                destination,
            } => self.add_destination(service, *destination),
            Change::EditDestination {
                service,
                destination,
            } => self.edit_destination(service, *destination),
            Change::DeleteDestination { service, address } => {
                self.delete_destination(service, *address)
            }
            Change::Clear => {
                self.services.clear();
                self.servers = 0;
                Ok(())
            }
            Change::SetTimeouts { tcp, tcp_fin, udp } => self.set_timeouts(*tcp, *tcp_fin, *udp),
            Change::SetSysctl { name, value } => self.sysctls.set(*name, *value),
            Change::SetPool { addresses } => {
                pool::check(addresses)?;
                self.pool.clone_from(addresses);
                Ok(())
            }
            Change::SetSnat { snat } => {
                snat.as_ref().map_or(Ok(()), Snat::check)?;
                self.snat.clone_from(snat);
                Ok(())
            }
            Change::Replace { state } => self.replace(state),
            Change::Zero { service: None } => Ok(()),
            Change::Zero { service: Some(key) } => match self.service(key) {
                Some(_) => Ok(()),
                None => Err(Refusal::NoSuchService),
            },
        }
    }

    /// Makes all changes in turn, or none of them.
    ///
    /// # Errors
    /// The first change that is refused; then nothing has changed.
    pub fn apply_all(&mut self, changes: &[Change]) -> Result<(), RefusedChange> {
        // A single change is all-or-nothing by itself and needs no copy.
        if let [change] = changes {
            let before = self.take_rounds(change);
            return self.apply(change).map_err(|refusal| {
                self.give_rounds(change, before);
                RefusedChange { index: 0, refusal }
            });
        }
        let mut next = self.clone();
        next.begin(changes);
        for (index, change) in changes.iter().enumerate() {
            next.apply(change)
                .map_err(|refusal| RefusedChange { index, refusal })?;
        }
        *self = next;
        Ok(())
    }

    /// Prepares for a list of changes that will be [applied](Self::apply) one by one: what earlier lists did
    /// is behind the services that it is about.
    pub fn begin(&mut self, changes: &[Change]) {
        for change in changes {
            self.take_rounds(change);
        }
    }

    /// Takes away what is remembered of rounds of the service that this change is about.
    fn take_rounds(&mut self, change: &Change) -> Vec<(u32, Round)> {
        let history = self.history_of(change);
        history.map_or_else(Vec::new, |history| take(&mut history.rounds))
    }

    fn give_rounds(&mut self, change: &Change, rounds: Vec<(u32, Round)>) {
        if let Some(history) = self.history_of(change) {
            history.rounds = rounds;
        }
    }

    fn history_of(&mut self, change: &Change) -> Option<&mut History> {
        let at = self.place(change.service()?).ok()?;
        Some(&mut self.services[at].history)
    }

    fn add_service(&mut self, key: ServiceKey, settings: &ServiceSettings) -> Result<(), Refusal> {
        let Err(at) = self.place(&key) else {
            return Err(Refusal::ServiceExists);
        };
        if matches!(key, ServiceKey::Mark { mark: 0, .. }) {
            return Err(Refusal::Invalid);
        }
        settings.check(&key)?;
        if self.services.len() >= MAX_SERVICES {
            return Err(Refusal::TableFull);
        }
        let service = Service {
            key,
            settings: settings.clone(),
            added: self.ever_added,
            history: History::default(),
            destinations: Vec::new(),
        };
        self.ever_added += 1;
        self.services.insert(at, service);
        Ok(())
    }

    fn edit_service(
        &mut self,
        key: &ServiceKey,
        settings: &ServiceSettings,
    ) -> Result<(), Refusal> {
        let at = self.place(key).map_err(|_| Refusal::NoSuchService)?;
        settings.check(key)?;
        let service = &mut self.services[at];
        if service.settings.scheduler != settings.scheduler {
            let Service { history, .. } = service;
            history.bind(&settings.scheduler, &service.destinations);
        }
        service.settings = settings.clone();
        Ok(())
    }

    fn delete_service(&mut self, key: &ServiceKey) -> Result<(), Refusal> {
        let at = self.place(key).map_err(|_| Refusal::NoSuchService)?;
        let gone = self.services.remove(at);
        self.servers -= gone.destinations.len();
        Ok(())
    }

    fn add_destination(&mut self, key: &ServiceKey, new: Destination) -> Result<(), Refusal> {
        let full = self.servers >= MAX_SERVERS;
        let service = self.known(key)?;
        new.check(key)?;
        if position(&service.destinations, new.address).is_some() {
            return Err(Refusal::DestinationExists);
        }
        if !new.is_unicast() {
            return Err(Refusal::Invalid);
        }
        if full || service.destinations.len() >= MAX_SERVERS_OF_SERVICE {
            return Err(Refusal::TableFull);
        }
        service.destinations.insert(0, new);
        service.edited();
        self.servers += 1;
        Ok(())
    }

    fn edit_destination(&mut self, key: &ServiceKey, new: Destination) -> Result<(), Refusal> {
        let service = self.known(key)?;
        new.check(key)?;
        let at = position(&service.destinations, new.address).ok_or(Refusal::NoSuchDestination)?;
        let old = &mut service.destinations[at];
        service.history.weigh(new.address, old.weight, new.weight);
        *old = new;
        service.edited();
        Ok(())
    }

    fn delete_destination(&mut self, key: &ServiceKey, address: SocketAddr) -> Result<(), Refusal> {
        let service = self.known(key)?;
        let at = position(&service.destinations, address).ok_or(Refusal::NoSuchDestination)?;
        service.destinations.remove(at);
        service.history.remove(address);
        service.edited();
        self.servers -= 1;
        Ok(())
    }

    fn replace(&mut self, state: &Self) -> Result<(), Refusal> {
        let mut next = Self {
            sysctls: state.sysctls,
            pool: state.pool.clone(),
            snat: state.snat.clone(),
            ever_added: self.ever_added,
            ..Self::default()
        };
        let timeouts = state.timeouts;
        next.set_timeouts(
            Some(timeouts.tcp),
            Some(timeouts.tcp_fin),
            Some(timeouts.udp),
        )?;
        let mut services: Vec<_> = state.services.iter().collect();
        services.sort_by_key(|service| service.added);
        for Service {
            key,
            settings,
            destinations,
            ..
        } in services
        {
            next.add_service(*key, settings)?;
            // The newest is first in the list.
            for destination in destinations.iter().rev() {
                next.add_destination(key, *destination)?;
            }
        }
        for service in &mut next.services {
            if let Some(present) = self.service(&service.key) {
                service.added = present.added;
                service.resume(present);
            }
        }
        *self = next;
        Ok(())
    }

    /// Takes away the services that `keep` does not keep.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&Service) -> bool) {
        self.services.retain(keep);
        self.servers = count_servers(&self.services);
    }

    /// The services that are otherwise in `new`; `None` if more is, or if they are many.
    pub(crate) fn amended_services(&self, new: &Self) -> Option<Vec<Service>> {
        let Self {
            services,
            timeouts,
            sysctls,
            pool,
            snat,
            ever_added,
            servers: _,
        } = new;
        let alike = self.services.len() == services.len()
            && self.timeouts == *timeouts
            && self.sysctls == *sysctls
            && self.pool == *pool
            && self.snat == *snat
            && self.ever_added == *ever_added;
        let found = alike.then(|| amended(&self.services, services, |a, b| a.key == b.key));
        found.flatten()
    }

    /// Puts in services in place of those with the same keys.
    pub(crate) fn amend_services(&mut self, services: Vec<Service>) {
        amend(&mut self.services, services, |a, b| a.key == b.key);
        self.servers = count_servers(&self.services);
    }

    fn set_timeouts(
        &mut self,
        tcp: Option<u32>,
        tcp_fin: Option<u32>,
        udp: Option<u32>,
    ) -> Result<(), Refusal> {
        let legal = |wanted: Option<u32>| wanted.is_none_or(|s| (1..=MAX_TIMEOUT).contains(&s));
        if ![tcp, tcp_fin, udp].into_iter().all(legal) {
            return Err(Refusal::Invalid);
        }
        self.timeouts = Timeouts {
            tcp: tcp.unwrap_or(self.timeouts.tcp),
            tcp_fin: tcp_fin.unwrap_or(self.timeouts.tcp_fin),
            udp: udp.unwrap_or(self.timeouts.udp),
        };
        Ok(())
    }

    fn known(&mut self, key: &ServiceKey) -> Result<&mut Service, Refusal> {
        match self.place(key) {
            Ok(at) => Ok(&mut self.services[at]),
            Err(_) => Err(Refusal::ServiceNotDefined),
        }
    }

    /// Where the service is, or where it would go.
    fn place(&self, key: &ServiceKey) -> Result<usize, usize> {
        self.services
            .binary_search_by(|service| service.key.cmp(key))
    }
}

fn count_servers(services: &[Service]) -> usize {
    services.iter().map(|one| one.destinations.len()).sum()
}

fn position(destinations: &[Destination], address: SocketAddr) -> Option<usize> {
    destinations.iter().position(|d| d.address == address)
}

/// What JSON may hold before it is known to be sound.
#[derive(Deserialize)]
struct Unchecked {
    services: Vec<Service>,
    timeouts: Timeouts,
    #[serde(default)]
    sysctls: Sysctls,
    #[serde(default)]
    pool: Vec<PoolAddress>,
    #[serde(default)]
    snat: Option<Snat>,
    #[serde(default)]
    ever_added: u64,
}

/// Why a state is none.
#[derive(Debug)]
enum Unsound {
    /// Two services have one key, or two destinations of one service one address.
    Twice(String),
    /// Something else of it can be in none.
    Refused(Refusal),
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(what) => write!(f, "{what} is there twice"),
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl TryFrom<Unchecked> for Wanted {
    type Error = Unsound;

    fn try_from(unchecked: Unchecked) -> Result<Self, Unsound> {
        let Unchecked {
            mut services,
            timeouts,
            sysctls,
            pool,
            snat,
            ever_added,
        } = unchecked;
        services.sort_by_key(|service| service.key);
        if let Some([one, _]) = services.array_windows().find(|[a, b]| a.key == b.key) {
            return Err(Unsound::Twice(one.key.to_string()));
        }
        for service in &services {
            let mut addresses: Vec<_> = service.destinations.iter().map(|d| d.address).collect();
            addresses.sort_unstable();
            if let Some([one, _]) = addresses.array_windows().find(|[a, b]| a == b) {
                return Err(Unsound::Twice(format!("{one} of {}", service.key)));
            }
        }
        pool::check(&pool).map_err(Unsound::Refused)?;
        snat.as_ref()
            .map_or(Ok(()), Snat::check)
            .map_err(Unsound::Refused)?;
        // A number that a service has must not be given to another one.
        let given = services.iter().map(|one| one.added.saturating_add(1)).max();
        Ok(Self {
            servers: count_servers(&services),
            services,
            timeouts,
            sysctls,
            pool,
            snat,
            ever_added: ever_added.max(given.unwrap_or(0)),
        })
    }
}

#[cfg(test)]
mod tests;
