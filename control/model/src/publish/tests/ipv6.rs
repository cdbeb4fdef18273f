//! IPv6 services: what the tables say of them, and when.

use std::{cell::Cell, net::Ipv6Addr, rc::Rc};

use ferrovs_core::{
    abi::{ipv6::Address, schedule, service},
    flow::{
        ends::{server, server_address, virtual_address},
        place::digest,
    },
};

use super::*;

const VIP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

fn rip(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, host)
}

fn key(port: u16) -> ServiceKey {
    ServiceKey::address(Protocol::Tcp, (VIP, port).into())
}

fn add(port: u16) -> Change {
    Change::AddService {
        service: key(port),
        settings: ServiceSettings::new("rr"),
    }
}

fn join(port: u16, host: u16) -> Change {
    Change::AddDestination {
        service: key(port),
        destination: Destination::masq((rip(host), 8080).into()),
    }
}

fn leave(port: u16, host: u16) -> Change {
    Change::DeleteDestination {
        service: key(port),
        address: (rip(host), 8080).into(),
    }
}

fn address(address: Ipv6Addr) -> Address {
    Address::new(address.octets())
}

/// What the filter says about the service at a port.
fn service_at(plane: &'static Plain, port: u16) -> Option<Entry> {
    let key = EndpointKey::virtual_(address(VIP), port.to_be(), 6);
    plane.endpoint(&key).map(Entry)
}

/// What the filter says about a server.
fn server_at(plane: &'static Plain, server: Address) -> Option<Entry> {
    let key = EndpointKey::real(server, 8080_u16.to_be(), 6);
    plane.endpoint(&key).map(Entry)
}

/// The servers that flows of the service at a port may get now; none if the filter does not lead to it.
fn scheduled(plane: &'static Plain, port: u16) -> Vec<u32> {
    let Some(entry) = service_at(plane, port) else {
        return Vec::new();
    };
    let schedule = plane.schedule_of(u32::from(entry.service()));
    let entries = (0..schedule.dests()).map(|at| rotation::word(&plane, schedule.entry(at)));
    entries.map(|entry| schedule::Entry(entry).dest()).collect()
}

#[test]
fn the_tables_hold_whole_addresses_and_the_filter_their_digests() {
    let mut director = Director::with(&[141]);
    director.change(add(80));
    director.change(join(80, 1));
    let plane = director.plane;
    let config = plane.config(0).unwrap();

    let number = service_at(plane, 80).unwrap().service();
    assert_ne!(u32::from(number), director.number(80), "IPv4 has its own");
    let line = plane.service(u32::from(number)).unwrap();
    assert_eq!(virtual_address(line), address(VIP));
    assert_ne!(line.load(service::MODE) & ACCEPTS, 0);

    let &[dest] = scheduled(plane, 80).as_slice() else {
        panic!("one server");
    };
    let settings = plane.dest(dest).unwrap();
    assert_eq!(server_address(settings), address(rip(1)));
    assert_eq!(dest::port(settings.load(dest::MODE)), 8080_u16.to_be());
    let entry = server_at(plane, address(rip(1))).unwrap();
    assert_eq!((entry.service(), entry.is_shared()), (number, false));
    assert_eq!(entry.digest(), digest(config, address(rip(1))));
    let word = Endpoint {
        address: entry.digest(),
        port: 8080_u16.to_be(),
    };
    let asked = server(config, settings, line, 80_u16.to_be());
    assert_eq!(asked, word.pack(0));
}

#[test]
fn a_restart_changes_nothing() {
    let mut director = Director::with(&[141]);
    for change in [add(80), join(80, 1), add(81), join(81, 1), leave(81, 1)] {
        director.change(change);
    }
    assert!(
        server_at(director.plane, address(rip(1)))
            .unwrap()
            .is_shared()
    );
    let before = director.plane.snapshot();
    director.restart();
    assert_eq!(director.plane.snapshot(), before);
}

#[test]
fn what_is_forgotten_leaves_the_filter() {
    let mut director = Director::new();
    director.change(add(80));
    director.change(join(80, 1));
    director.change(add(81));
    director.change(Change::DeleteService { service: key(80) });
    assert!(server_at(director.plane, address(rip(1))).is_some());
    director.publisher.observe(&director.plane);
    director.plane.advance(ticks(TRASH_SECONDS));
    assert!(director.publisher.observe(&director.plane));
    director.publish().unwrap();
    assert!(server_at(director.plane, address(rip(1))).is_none());
    director.change(Change::DeleteService { service: key(81) });
    assert!(director.plane.endpoints().is_empty());
}

#[test]
fn a_service_is_reachable_after_its_servers_and_shares_them_before() {
    let mut director = Director::new();
    director.change(add(80));
    director.change(join(80, 1));
    let stores = Rc::new(Cell::new(0));
    let (plane, count) = (director.plane, Rc::clone(&stores));
    let check = move || {
        let both = [scheduled(plane, 80), scheduled(plane, 81)].concat();
        let addresses: Vec<_> = both
            .iter()
            .map(|&number| {
                let settings = plane.dest(number).unwrap();
                assert_ne!(settings.load(dest::MODE) & dest::FORWARDS, 0);
                server_address(settings)
            })
            .collect();
        for one in &addresses {
            let entry = server_at(plane, *one).expect("its replies are recognised");
            let services = addresses.iter().filter(|other| *other == one).count();
            assert!(services == 1 || entry.is_shared());
        }
        count.set(count.get() + 1);
    };
    let changes = [add(81), join(81, 1), join(81, 2), join(80, 2)];
    director.wanted.apply_all(&changes).unwrap();
    plain::watched(check, || director.publish().unwrap());
    assert_ne!(stores.get(), 0);
    assert_eq!(scheduled(director.plane, 81).len(), 2);
}
