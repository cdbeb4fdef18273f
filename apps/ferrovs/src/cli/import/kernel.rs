//! What the kernel's IPVS holds, in the words of the wanted state.

use std::fmt;

use ferrovs_kernel::ipvs;
use ferrovs_model::{
    Change, Destination, Encapsulation, Forwarding, Netmask, Persistence, Protocol, Refusal,
    SchedulerFlags, ServiceKey, ServiceSettings, TunnelChecksum, Wanted,
};

/// The state that `table` comes to, or all that ferrovs has no equal for, a line each.
///
/// The kernel does not say in which order services were added; they are added in the order of their keys.
pub(super) fn wanted(table: &ipvs::Table) -> Result<Wanted, Vec<String>> {
    let mut import = Import::default();
    let timeouts = timeouts(table.timeouts);
    import.make("the timeouts".to_owned(), &timeouts);
    let mut services: Vec<&ipvs::Service> = table.services.iter().collect();
    services.sort_by_key(|service| key(&service.key));
    for service in services {
        import.service(service);
    }
    match import.without_equal.is_empty() {
        true => Ok(import.wanted),
        false => Err(import.without_equal),
    }
}

#[derive(Default)]
struct Import {
    wanted: Wanted,
    without_equal: Vec<String>,
}

impl Import {
    fn service(&mut self, service: &ipvs::Service) {
        let key = key(&service.key);
        let add = Change::AddService {
            service: key,
            settings: settings(service),
        };
        let scheduler = &service.scheduler;
        let engine = match &service.persistence_engine {
            Some(engine) => format!(", persistence engine {engine}"),
            None => String::new(),
        };
        if !self.make(format!("{key} (scheduler {scheduler}{engine})"), &add) {
            return;
        }
        // The newest is first in the list, here as there.
        for server in service.destinations.iter().rev() {
            let address = server.address;
            let name = format!("server {address} of {key}");
            match forwarding(server.forwarding) {
                Ok(forwarding) => {
                    let add = Change::AddDestination {
                        service: key,
                        destination: Destination {
                            address,
                            forwarding,
                            weight: server.weight,
                            upper_threshold: server.upper_threshold,
                            lower_threshold: server.lower_threshold,
                        },
                    };
                    self.make(name, &add);
                }
                Err(why) => self.miss(name, why),
            }
        }
    }

    /// Whether the change, which is about `name`, can be made.
    fn make(&mut self, name: String, change: &Change) -> bool {
        let made = self.wanted.apply(change);
        if let Err(refusal) = made {
            self.miss(name, why(refusal));
        }
        made.is_ok()
    }

    fn miss(&mut self, name: String, why: impl fmt::Display) {
        self.without_equal.push(format!("{name}: {why}"));
    }
}

const fn why(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::SchedulerNotFound => "there is no such scheduler or persistence engine",
        Refusal::OutOfRange => "weight or thresholds are out of range",
        _ => "it has values that ipvsadm would not let through",
    }
}

const fn timeouts(of: ipvs::Timeouts) -> Change {
    let ipvs::Timeouts { tcp, tcp_fin, udp } = of;
    Change::SetTimeouts { tcp, tcp_fin, udp }
}

const fn key(key: &ipvs::Key) -> ServiceKey {
    match *key {
        ipvs::Key::Mark { mark, ipv6 } => ServiceKey::Mark { mark, ipv6 },
        ipvs::Key::Address { protocol, address } => {
            let protocol = match protocol {
                ipvs::Protocol::Tcp => Protocol::Tcp,
                ipvs::Protocol::Udp => Protocol::Udp,
                ipvs::Protocol::Sctp => Protocol::Sctp,
            };
            ServiceKey::Address { protocol, address }
        }
    }
}

fn settings(service: &ipvs::Service) -> ServiceSettings {
    let flags = [
        SchedulerFlags::FALLBACK,
        SchedulerFlags::PORT,
        SchedulerFlags::THIRD,
    ];
    let set = flags.into_iter().zip(service.scheduler_flags);
    let set = set.filter_map(|(flag, is_set)| is_set.then_some(flag));
    let persistence = |persistence: ipvs::Persistence| Persistence {
        timeout: persistence.timeout,
        netmask: match persistence.netmask {
            ipvs::Netmask::V4(mask) => Netmask::V4(mask),
            ipvs::Netmask::V6(prefix) => Netmask::V6(prefix),
        },
    };
    ServiceSettings {
        scheduler: service.scheduler.clone(),
        scheduler_flags: set.fold(SchedulerFlags::NONE, |all, flag| all | flag),
        persistence: service.persistence.map(persistence),
        persistence_engine: service.persistence_engine.clone(),
        one_packet: service.one_packet,
    }
}

fn forwarding(method: ipvs::Forwarding) -> Result<Forwarding, String> {
    match method {
        ipvs::Forwarding::Masq => Ok(Forwarding::Masq),
        ipvs::Forwarding::Route => Ok(Forwarding::Route),
        ipvs::Forwarding::Tunnel(inside) => encapsulation(inside).map(Forwarding::Tunnel),
        ipvs::Forwarding::Local => Err("it has the forwarding method local".to_owned()),
        ipvs::Forwarding::Bypass => Err("it has the forwarding method bypass".to_owned()),
    }
}

fn encapsulation(inside: ipvs::Encapsulation) -> Result<Encapsulation, String> {
    match inside {
        ipvs::Encapsulation::Ipip => Ok(Encapsulation::Ipip),
        ipvs::Encapsulation::Gue { port, checksum } => Ok(Encapsulation::Gue {
            port,
            checksum: self::checksum(checksum)?,
        }),
        ipvs::Encapsulation::Gre { checksum } => Ok(Encapsulation::Gre {
            checksum: self::checksum(checksum)?,
        }),
        ipvs::Encapsulation::Other(number) => Err(format!("it has the tunnel type {number}")),
    }
}

fn checksum(of: ipvs::TunnelChecksum) -> Result<TunnelChecksum, String> {
    match of {
        ipvs::TunnelChecksum::None => Ok(TunnelChecksum::None),
        ipvs::TunnelChecksum::Full => Ok(TunnelChecksum::Full),
        ipvs::TunnelChecksum::Remote => Ok(TunnelChecksum::Remote),
        ipvs::TunnelChecksum::Other(flags) => Err(format!("it has the tunnel flags {flags:#x}")),
    }
}

#[cfg(test)]
mod tests;
