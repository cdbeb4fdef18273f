//! The wanted state, and the one way to change it.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{
    Change, Destination, MAX_TIMEOUT, MAX_WEIGHT, Refusal, Scheduler, Service, ServiceKey,
    ServiceSettings, Timeouts,
};

/// All that an administrator asked for and was granted.
///
/// Services are ordered by key and their keys are unique; no service has two destinations at one
/// address. [`Wanted::apply`] keeps it so, and JSON that breaks it is not accepted.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Unchecked")]
pub struct Wanted {
    services: Vec<Service>,
    timeouts: Timeouts,
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

    /// The timeouts.
    #[must_use]
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
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
                let destinations = self.destinations(service)?;
                let at = position(destinations, *address).ok_or(Refusal::NoSuchDestination)?;
                destinations.remove(at);
                Ok(())
            }
            Change::Clear => {
                self.services.clear();
                Ok(())
            }
            Change::SetTimeouts { tcp, tcp_fin, udp } => self.set_timeouts(*tcp, *tcp_fin, *udp),
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
            return self
                .apply(change)
                .map_err(|refusal| RefusedChange { index: 0, refusal });
        }
        let mut next = self.clone();
        for (index, change) in changes.iter().enumerate() {
            next.apply(change)
                .map_err(|refusal| RefusedChange { index, refusal })?;
        }
        *self = next;
        Ok(())
    }

    fn add_service(&mut self, key: ServiceKey, settings: &ServiceSettings) -> Result<(), Refusal> {
        let Err(at) = self.place(&key) else {
            return Err(Refusal::ServiceExists);
        };
        check_key(&key)?;
        check_settings(settings)?;
        let service = Service {
            key,
            settings: settings.clone(),
            destinations: Vec::new(),
        };
        self.services.insert(at, service);
        Ok(())
    }

    fn edit_service(
        &mut self,
        key: &ServiceKey,
        settings: &ServiceSettings,
    ) -> Result<(), Refusal> {
        let at = self.place(key).map_err(|_| Refusal::NoSuchService)?;
        check_settings(settings)?;
        self.services[at].settings = settings.clone();
        Ok(())
    }

    fn delete_service(&mut self, key: &ServiceKey) -> Result<(), Refusal> {
        let at = self.place(key).map_err(|_| Refusal::NoSuchService)?;
        self.services.remove(at);
        Ok(())
    }

    fn add_destination(&mut self, key: &ServiceKey, new: Destination) -> Result<(), Refusal> {
        let destinations = self.destinations(key)?;
        check_weight(new.weight)?;
        if position(destinations, new.address).is_some() {
            return Err(Refusal::DestinationExists);
        }
        if !new.is_unicast() {
            return Err(Refusal::Invalid);
        }
        new.check_supported()?;
        destinations.insert(0, new);
        Ok(())
    }

    fn edit_destination(&mut self, key: &ServiceKey, new: Destination) -> Result<(), Refusal> {
        let destinations = self.destinations(key)?;
        check_weight(new.weight)?;
        let at = position(destinations, new.address).ok_or(Refusal::NoSuchDestination)?;
        new.check_supported()?;
        destinations[at] = new;
        Ok(())
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

    fn destinations(&mut self, key: &ServiceKey) -> Result<&mut Vec<Destination>, Refusal> {
        match self.place(key) {
            Ok(at) => Ok(&mut self.services[at].destinations),
            Err(_) => Err(Refusal::ServiceNotDefined),
        }
    }

    /// Where the service is, or where it would go.
    fn place(&self, key: &ServiceKey) -> Result<usize, usize> {
        self.services
            .binary_search_by(|service| service.key.cmp(key))
    }
}

fn position(destinations: &[Destination], address: SocketAddr) -> Option<usize> {
    destinations.iter().position(|d| d.address == address)
}

/// Port 0 stands for all ports in IPVS and needs persistence, which is not built yet; as in the
/// kernel it is then invalid.
fn check_key(key: &ServiceKey) -> Result<(), Refusal> {
    let ServiceKey::Address { address, .. } = key;
    if address.is_ipv6() {
        return Err(Refusal::AddressFamilyNotSupported);
    }
    if address.port() == 0 {
        return Err(Refusal::Invalid);
    }
    Ok(())
}

const fn check_weight(weight: u32) -> Result<(), Refusal> {
    if weight > MAX_WEIGHT {
        return Err(Refusal::OutOfRange);
    }
    Ok(())
}

fn check_settings(settings: &ServiceSettings) -> Result<(), Refusal> {
    match Scheduler::by_name(&settings.scheduler) {
        Some(_) => Ok(()),
        None => Err(Refusal::SchedulerNotFound),
    }
}

/// What JSON may hold before it is known to be sound.
#[derive(Deserialize)]
struct Unchecked {
    services: Vec<Service>,
    timeouts: Timeouts,
}

/// Two services with one key, or two destinations of one service at one address.
#[derive(Debug)]
struct Twice(String);

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is there twice", self.0)
    }
}

impl TryFrom<Unchecked> for Wanted {
    type Error = Twice;

    fn try_from(unchecked: Unchecked) -> Result<Self, Twice> {
        let Unchecked {
            mut services,
            timeouts,
        } = unchecked;
        services.sort_by_key(|service| service.key);
        if let Some([one, _]) = services.array_windows().find(|[a, b]| a.key == b.key) {
            return Err(Twice(one.key.to_string()));
        }
        for service in &services {
            let mut addresses: Vec<_> = service.destinations.iter().map(|d| d.address).collect();
            addresses.sort_unstable();
            if let Some([one, _]) = addresses.array_windows().find(|[a, b]| a == b) {
                return Err(Twice(format!("{one} of {}", service.key)));
            }
        }
        Ok(Self { services, timeouts })
    }
}

#[cfg(test)]
mod tests;
