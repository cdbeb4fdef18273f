//! What of the table one writer answers for: the servers whose addresses lie in its network, by service, each
//! with its weight. All services are of TCP and the scheduler `rr`, all servers masqueraded.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use ferrovs_api::Services;
use ferrovs_model::{Change, Destination, Protocol, ServiceKey, ServiceSettings};

/// Weights by service and server. A service is there as long as it has a server, [`SHARED`] always.
pub(super) type Part = BTreeMap<(SocketAddr, SocketAddr), u32>;

/// The service in which several writers have servers.
pub(super) const SHARED: &str = "10.0.0.1:80";

/// The part of what is listed whose servers are in 192.168.`network`.0/24.
pub(super) fn listed(services: &Services, network: u8) -> Part {
    let mut part = Part::new();
    for service in &services.services {
        let (_, address) = service.key.endpoint().unwrap();
        let servers = service.destinations.iter().map(|view| view.destination);
        let own = servers.filter(
            |server| matches!(server.address.ip(), IpAddr::V4(ip) if ip.octets()[2] == network),
        );
        part.extend(own.map(|server| ((address, server.address), server.weight)));
    }
    part
}

/// The services without servers, of which there must be none but [`SHARED`].
pub(super) fn empty(services: &Services) -> Vec<String> {
    let services = services.services.iter();
    let empty = services.filter(|service| service.destinations.is_empty());
    let names = empty.map(|service| service.key.endpoint().unwrap().1.to_string());
    names.filter(|name| name != SHARED).collect()
}

/// The changes that make `after` of `before`.
pub(super) fn changes(before: &Part, after: &Part) -> Vec<Change> {
    let (old, new) = (services(before), services(after));
    let mut changes = Vec::new();
    for &service in old.difference(&new) {
        changes.push(Change::DeleteService {
            service: key(service),
        });
    }
    for &service in new.difference(&old) {
        let settings = ServiceSettings::new("rr");
        changes.push(Change::AddService {
            service: key(service),
            settings,
        });
    }
    for (server, &weight) in after {
        let service = key(server.0);
        let destination = Destination {
            weight,
            ..Destination::masq(server.1)
        };
        changes.push(match before.get(server) {
            None => Change::AddDestination {
                service,
                destination,
            },
            Some(_) => Change::EditDestination {
                service,
                destination,
            },
        });
    }
    for &(service, address) in before.keys().filter(|server| !after.contains_key(server)) {
        // With a service, its servers go.
        if !old.contains(&service) || new.contains(&service) {
            changes.push(Change::DeleteDestination {
                service: key(service),
                address,
            });
        }
    }
    changes
}

/// What comes and goes with its servers.
fn services(part: &Part) -> BTreeSet<SocketAddr> {
    let services = part.keys().map(|&(service, _)| service);
    services
        .filter(|service| service.to_string() != SHARED)
        .collect()
}

const fn key(service: SocketAddr) -> ServiceKey {
    ServiceKey::address(Protocol::Tcp, service)
}

/// The change as `ipvsadm` takes it, and `ipvsadm -S -n` prints it.
pub(super) fn command(change: &Change) -> String {
    let address = |service: &ServiceKey| service.endpoint().unwrap().1;
    let server = |command: &str, service: &ServiceKey, server: &Destination| {
        let (service, weight) = (address(service), server.weight);
        format!(
            "-{command} -t {service} -r {} -m -w {weight}",
            server.address
        )
    };
    match change {
        Change::AddService { service, .. } => format!("-A -t {} -s rr", address(service)),
        Change::DeleteService { service } => format!("-D -t {}", address(service)),
        Change::AddDestination {
            service,
            destination,
        } => server("a", service, destination),
        Change::EditDestination {
            service,
            destination,
        } => server("e", service, destination),
        Change::DeleteDestination {
            service,
            address: server,
        } => {
            format!("-d -t {} -r {server}", address(service))
        }
        other => panic!("no writer makes the change {other:?}"),
    }
}
