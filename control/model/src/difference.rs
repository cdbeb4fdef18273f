//! What tells two wanted states apart, for people.

use std::fmt;

use crate::{
    Destination, Netmask, PoolAddress, Service, ServiceKey, ServiceSettings, Snat, Sysctl,
    Timeouts, Wanted,
};

/// One thing that is different in the second of two states.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Difference {
    /// The timeouts, old and new.
    Timeouts(Timeouts, Timeouts),
    /// The value of a sysctl, old and new.
    Sysctl(Sysctl, u32, u32),
    /// The pool, old and new.
    Pool(Vec<PoolAddress>, Vec<PoolAddress>),
    /// The servers' way out, old and new.
    Snat(Option<Snat>, Option<Snat>),
    /// A service that is only in the first.
    ServiceGone(ServiceKey),
    /// A service that is only in the second.
    ServiceNew(ServiceKey, ServiceSettings),
    /// Other settings of a service, old and new.
    ServiceEdited(ServiceKey, ServiceSettings, ServiceSettings),
    /// A server that is only in the first, of a service that is in both.
    ServerGone(ServiceKey, Destination),
    /// A server that is only in the second.
    ServerNew(ServiceKey, Destination),
    /// Other settings of a server, old and new.
    ServerEdited(ServiceKey, Destination, Destination),
    /// The servers that are in both stand in another order.
    Order(ServiceKey),
}

/// Everything that is different in `new`, service by service.
#[must_use]
pub fn differences(old: &Wanted, new: &Wanted) -> Vec<Difference> {
    let mut found = Vec::new();
    if old.timeouts() != new.timeouts() {
        found.push(Difference::Timeouts(old.timeouts(), new.timeouts()));
    }
    for ((sysctl, before), (_, after)) in old.sysctls().iter().zip(new.sysctls().iter()) {
        if before != after {
            found.push(Difference::Sysctl(sysctl, before, after));
        }
    }
    if old.pool() != new.pool() {
        found.push(Difference::Pool(old.pool().to_vec(), new.pool().to_vec()));
    }
    if old.snat() != new.snat() {
        let (old, new) = (old.snat().cloned(), new.snat().cloned());
        found.push(Difference::Snat(old, new));
    }
    for service in old.services() {
        match new.service(&service.key) {
            None => found.push(Difference::ServiceGone(service.key)),
            Some(next) => compare(service, next, &mut found),
        }
    }
    for service in new.services() {
        if old.service(&service.key).is_none() {
            found.push(Difference::ServiceNew(
                service.key,
                service.settings.clone(),
            ));
            let servers = service.destinations.iter();
            found.extend(servers.map(|server| Difference::ServerNew(service.key, *server)));
        }
    }
    found
}

fn compare(old: &Service, new: &Service, found: &mut Vec<Difference>) {
    let key = old.key;
    if old.settings != new.settings {
        found.push(Difference::ServiceEdited(
            key,
            old.settings.clone(),
            new.settings.clone(),
        ));
    }
    let in_both = |one: &Service, other: &Service| {
        let of_other = |server: &Destination| find(other, server).is_some();
        let addresses = one.destinations.iter().filter(|server| of_other(server));
        addresses.map(|server| server.address).collect::<Vec<_>>()
    };
    if in_both(old, new) != in_both(new, old) {
        found.push(Difference::Order(key));
    }
    for server in &old.destinations {
        match find(new, server) {
            None => found.push(Difference::ServerGone(key, *server)),
            Some(next) if next != server => {
                found.push(Difference::ServerEdited(key, *server, *next));
            }
            Some(_) => {}
        }
    }
    for server in &new.destinations {
        if find(old, server).is_none() {
            found.push(Difference::ServerNew(key, *server));
        }
    }
}

fn find<'a>(service: &'a Service, server: &Destination) -> Option<&'a Destination> {
    let mut servers = service.destinations.iter();
    servers.find(|one| one.address == server.address)
}

impl fmt::Display for Difference {
    /// One line, or two where something changes: `-` what goes, `+` what comes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeouts(old, new) => {
                let line = |Timeouts { tcp, tcp_fin, udp }: &Timeouts| {
                    format!("timeouts {tcp} {tcp_fin} {udp}")
                };
                write!(f, "- {}\n+ {}", line(old), line(new))
            }
            Self::Sysctl(sysctl, old, new) => {
                let name = sysctl.about().name;
                write!(f, "- sysctl {name} {old}\n+ sysctl {name} {new}")
            }
            Self::Pool(old, new) => {
                let line = |pool: &[PoolAddress]| {
                    let addresses = pool.iter().map(|address| format!(" {address}"));
                    format!("pool{}", addresses.collect::<String>())
                };
                write!(f, "- {}\n+ {}", line(old), line(new))
            }
            Self::Snat(old, new) => {
                let line = |snat: &Option<Snat>| match snat {
                    Some(snat) => format!("snat {snat}"),
                    None => "snat --clear".to_owned(),
                };
                write!(f, "- {}\n+ {}", line(old), line(new))
            }
            Self::ServiceGone(key) => write!(f, "- {key}"),
            Self::ServiceNew(key, settings) => write!(f, "+ {key} {}", Settings(settings)),
            Self::ServiceEdited(key, old, new) => {
                write!(f, "- {key} {}\n+ {key} {}", Settings(old), Settings(new))
            }
            Self::ServerGone(key, server) => write!(f, "- {key} -> {}", server.address),
            Self::ServerNew(key, server) => write!(f, "+ {key} -> {}", Server(server)),
            Self::ServerEdited(key, old, new) => {
                write!(f, "- {key} -> {}\n+ {key} -> {}", Server(old), Server(new))
            }
            Self::Order(key) => write!(f, "~ {key}: the servers stand in another order"),
        }
    }
}

struct Settings<'a>(&'a ServiceSettings);

impl fmt::Display for Settings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServiceSettings {
            scheduler,
            scheduler_flags,
            persistence,
            persistence_engine,
            one_packet,
        } = self.0;
        write!(f, "{scheduler}")?;
        if !scheduler_flags.is_empty() {
            write!(f, " ({scheduler_flags})")?;
        }
        if let Some(persistence) = persistence {
            let timeout = persistence.timeout;
            match persistence.netmask {
                Netmask::V4(mask) => write!(f, " persistent {timeout} mask {mask}")?,
                Netmask::V6(prefix) => write!(f, " persistent {timeout} mask {prefix}")?,
            }
        }
        if let Some(engine) = persistence_engine {
            write!(f, " pe {engine}")?;
        }
        if *one_packet {
            write!(f, " ops")?;
        }
        Ok(())
    }
}

struct Server<'a>(&'a Destination);

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Destination {
            address,
            forwarding,
            weight,
            upper_threshold,
            lower_threshold,
        } = self.0;
        write!(f, "{address} {forwarding} weight {weight}")?;
        if *upper_threshold > 0 {
            write!(f, " thresholds {upper_threshold} {lower_threshold}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Protocol};

    fn vip(port: u16) -> ServiceKey {
        ServiceKey::address(Protocol::Tcp, ([10, 0, 0, 1], port).into())
    }

    fn rip(host: u8, weight: u32) -> Destination {
        Destination {
            weight,
            ..Destination::masq(([10, 0, 1, host], 80).into())
        }
    }

    /// A service by port and scheduler, with the hosts and weights of its servers.
    type Definition<'a> = (u16, &'a str, &'a [(u8, u32)]);

    fn state(services: &[Definition<'_>]) -> Wanted {
        let mut wanted = Wanted::default();
        for &(port, scheduler, servers) in services {
            let add = Change::AddService {
                service: vip(port),
                settings: ServiceSettings::new(scheduler),
            };
            wanted.apply(&add).unwrap();
            for &(host, weight) in servers.iter().rev() {
                let add = Change::AddDestination {
                    service: vip(port),
                    destination: rip(host, weight),
                };
                wanted.apply(&add).unwrap();
            }
        }
        wanted
    }

    fn lines(old: &Wanted, new: &Wanted) -> Vec<String> {
        let all = differences(old, new);
        let text: Vec<String> = all.iter().map(ToString::to_string).collect();
        text.join("\n").lines().map(str::to_owned).collect()
    }

    #[test]
    fn equal_states_do_not_differ() {
        let one = state(&[(80, "rr", &[(1, 1), (2, 1)])]);
        assert!(differences(&one, &one).is_empty());
        assert!(differences(&Wanted::default(), &Wanted::default()).is_empty());
    }

    #[test]
    fn every_difference_has_its_line() {
        let old = state(&[
            (80, "rr", &[(1, 1), (2, 1), (3, 1)]),
            (81, "rr", &[(1, 1)]),
            (82, "rr", &[]),
        ]);
        let mut new = state(&[
            (80, "wlc", &[(2, 1), (1, 7), (4, 1)]),
            (82, "rr", &[]),
            (83, "rr", &[(9, 1)]),
        ]);
        let set = Change::SetTimeouts {
            tcp: Some(5),
            tcp_fin: None,
            udp: None,
        };
        let reuse = Change::SetSysctl {
            name: Sysctl::ConnReuseMode,
            value: 0,
        };
        new.apply_all(&[set, reuse]).unwrap();
        assert_eq!(
            lines(&old, &new),
            [
                "- timeouts 900 120 300",
                "+ timeouts 5 120 300",
                "- sysctl conn_reuse_mode 1",
                "+ sysctl conn_reuse_mode 0",
                "- TCP 10.0.0.1:80 rr",
                "+ TCP 10.0.0.1:80 wlc",
                "~ TCP 10.0.0.1:80: the servers stand in another order",
                "- TCP 10.0.0.1:80 -> 10.0.1.1:80 masq weight 1",
                "+ TCP 10.0.0.1:80 -> 10.0.1.1:80 masq weight 7",
                "- TCP 10.0.0.1:80 -> 10.0.1.3:80",
                "+ TCP 10.0.0.1:80 -> 10.0.1.4:80 masq weight 1",
                "- TCP 10.0.0.1:81",
                "+ TCP 10.0.0.1:83 rr",
                "+ TCP 10.0.0.1:83 -> 10.0.1.9:80 masq weight 1",
            ]
        );
    }
}
