//! What is accepted and kept but not forwarded by the data plane of this version: the one list of it.
//!
//! A service that asks for anything of the list is not forwarded at all:
//! connections that went elsewhere than asked would be worse than none. `ferrovs status` and the log
//! say which ones these are, and [`Wanted::forwarded`] is the state that the tables are made for.

use std::fmt;

use crate::{Service, ServiceKey, Wanted};

/// Something that the data plane does not do yet.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Lack {
    /// Services by firewall mark for IPv6.
    FirewallMark,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirewallMark => f.write_str("firewall marks of IPv6 (-f)"),
        }
    }
}

/// The list, for a service.
fn lacks_of_service(service: &Service) -> Vec<Lack> {
    let mut lacks = Vec::new();
    if let ServiceKey::Mark { ipv6: true, .. } = service.key {
        lacks.push(Lack::FirewallMark);
    }
    lacks
}

/// A service that is not forwarded.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Unforwarded {
    /// The service.
    pub service: ServiceKey,
    /// What would be needed, at least one thing.
    pub lacks: Vec<Lack>,
}

impl fmt::Display for Unforwarded {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, lacks } = self;
        write!(f, "{service} is kept but not forwarded: not there yet: ")?;
        for (place, lack) in lacks.iter().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{lack}")?;
        }
        Ok(())
    }
}

impl Wanted {
    /// What of it is not forwarded.
    #[must_use]
    pub fn unforwarded(&self) -> Vec<Unforwarded> {
        let services = self.services().iter();
        let unforwarded = services.map(|service| Unforwarded {
            service: service.key,
            lacks: lacks_of_service(service),
        });
        unforwarded.filter(|one| !one.lacks.is_empty()).collect()
    }

    /// The part of it that is forwarded.
    #[must_use]
    pub fn forwarded(&self) -> Self {
        let mut part = self.clone();
        part.retain(|service| lacks_of_service(service).is_empty());
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Destination, Netmask, Persistence, Protocol, ServiceSettings};

    fn wanted(key: ServiceKey, settings: ServiceSettings, servers: &[Destination]) -> Wanted {
        let mut wanted = Wanted::default();
        let add = Change::AddService {
            service: key,
            settings,
        };
        wanted.apply(&add).unwrap();
        for &destination in servers {
            let add = Change::AddDestination {
                service: key,
                destination,
            };
            wanted.apply(&add).unwrap();
        }
        wanted
    }

    fn vip(protocol: Protocol, address: &str) -> ServiceKey {
        ServiceKey::address(protocol, address.parse().unwrap())
    }

    fn sip(key: ServiceKey) -> ServiceSettings {
        ServiceSettings {
            persistence: Some(Persistence {
                timeout: 60,
                netmask: Netmask::single(key.is_ipv6()),
            }),
            persistence_engine: Some("sip".to_owned()),
            ..ServiceSettings::new("rr")
        }
    }

    fn sentences(wanted: &Wanted) -> Vec<String> {
        let found = wanted.unforwarded();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_lack_of_a_service_keeps_it_whole_from_the_tables() {
        let mark = ServiceKey::Mark {
            mark: 7,
            ipv6: true,
        };
        let wanted = wanted(mark, ServiceSettings::new("rr"), &[]);
        let named =
            "FWM 7 IPv6 is kept but not forwarded: not there yet: firewall marks of IPv6 (-f)";
        assert_eq!(sentences(&wanted), [named]);
        assert!(wanted.forwarded().services().is_empty());
    }

    #[test]
    fn no_protocol_lacks_anything_in_either_family() {
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
            for (address, server) in [
                ("10.0.0.1:53", "10.0.1.2:53"),
                ("[2001:db8::1]:53", "[2001:db8::2]:53"),
            ] {
                let server = Destination::masq(server.parse().unwrap());
                let key = vip(protocol, address);
                for settings in [ServiceSettings::new("rr"), sip(key)] {
                    let wanted = wanted(key, settings, &[server]);
                    assert_eq!(sentences(&wanted), [""; 0]);
                    assert_eq!(wanted.forwarded(), wanted);
                }
            }
        }
    }
}
