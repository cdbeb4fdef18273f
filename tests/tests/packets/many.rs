//! A hundred thousand connections of one network of clients, through two addresses of the pool to one server: each has
//! an endpoint of its own, none is lost, and every answer finds its client. That is three quarters of all endpoints.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4},
};

use ferrovs_core::{
    abi::{config, reason::Reason},
    tables::{Line, Tables},
    verdict::Hook,
};
use ferrovs_model::{Forwarding, Protocol};

use crate::{
    home::{Action, Home},
    object::Stage,
    packet::{Family, Link, Packet, Transport, at},
    slices::Slices,
    world::{
        BACK_MAC, DIP, DNS, Daemon, FRONT_MAC, FRONT_ROUTER, Port, RIP_143, World, mac_of, service,
    },
};

/// The pool's second address.
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 139);
const SERVER: SocketAddrV4 = SocketAddrV4::new(RIP_143, 53);
/// Clients, each with connections from these ports on.
const CLIENTS: u8 = 4;
const PORTS: std::ops::Range<u16> = 10_000..35_000;
const FLOWS: usize = 100_000;
const BUCKETS: u32 = 65_536;

#[test]
fn a_hundred_thousand_flows_through_two_addresses_on_slices() {
    for family in Family::BOTH {
        let world = world(family);
        everybody_is_answered(&Slices::new(&world), &world, Hook::Xdp);
    }
}

#[test]
fn a_hundred_thousand_flows_through_two_addresses_in_the_kernel() {
    let stage = Stage::new("ferrovs-many");
    stage.run(|| {
        let mut object = stage.load(BUCKETS);
        for (family, hook) in Family::BOTH.into_iter().zip([Hook::Tc, Hook::Xdp]) {
            object.clear();
            everybody_is_answered(&object, &world(family), hook);
        }
    });
}

fn world(family: Family) -> World {
    let mut dns = service(Protocol::Udp, DNS, &[(SERVER, 1)]);
    dns.forwarding = Forwarding::FullNat;
    World {
        family,
        buckets: BUCKETS,
        services: vec![dns],
        pool: vec![(DIP, 1024, u16::MAX), (OTHER, 1024, u16::MAX)],
        ..World::default()
    }
}

fn clients() -> impl Iterator<Item = SocketAddrV4> {
    let hosts = (1..=CLIENTS).map(|host| Ipv4Addr::new(203, 0, 113, host));
    hosts.flat_map(|host| PORTS.map(move |port| at(host, port)))
}

fn everybody_is_answered<H: Home>(home: &H, world: &World, hook: Hook) {
    let _daemon = Daemon::start(home, world);
    let ports = home.interfaces();
    let beat = || {
        let tables = home.tables();
        let head = tables.config(0).unwrap();
        head.store(config::HEARTBEAT, u64::from(tables.now()));
    };
    let send = |from: (Ipv4Addr, [u8; 6]), source, destination, port| {
        let link = Link::Ethernet {
            destination: from.1,
            source: mac_of(from.0),
        };
        let mut packet = Packet::new(link, source, destination, Transport::Udp { checksum: true });
        packet.family = world.family;
        beat();
        let outcome = home
            .inject(hook, ports.index(port), &packet.bytes())
            .unwrap();
        assert_eq!(
            outcome.action,
            Action::Redirect,
            "{source} to {destination}, {:?}",
            home.reasons()
        );
        ends(world.family, &outcome.bytes)
    };
    let mut taken = BTreeSet::new();
    for client in clients() {
        let (local, server) = send((FRONT_ROUTER, FRONT_MAC), client, DNS, Port::Front);
        assert_eq!(server, SERVER);
        assert!(
            local.port() >= 1024 && [DIP, OTHER].contains(local.ip()),
            "{local}"
        );
        assert!(taken.insert(local), "{local} twice");
        let answered = send((RIP_143, BACK_MAC), SERVER, local, Port::Back);
        assert_eq!(answered, (DNS, client));
    }
    assert_eq!(taken.len(), FLOWS);
    assert_eq!(home.pointers(), FLOWS);
    // Also when all the others have been there since.
    for (client, local) in clients().zip(&taken).step_by(97) {
        let (again, _) = send((FRONT_ROUTER, FRONT_MAC), client, DNS, Port::Front);
        assert!(taken.contains(&again));
        let (_, answered) = send((RIP_143, BACK_MAC), SERVER, *local, Port::Back);
        assert_eq!(answered.ip().octets()[..3], client.ip().octets()[..3]);
    }
    let reasons: Vec<_> = home
        .reasons()
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .collect();
    let displaced = |&(reason, _): &(Reason, u64)| reason == Reason::Displaced;
    let others: Vec<_> = reasons.iter().filter(|one| !displaced(one)).collect();
    assert_eq!(others, [&(Reason::PoolUsed, FLOWS as u64)]);
}

/// From whom and to whom a frame is.
fn ends(family: Family, frame: &[u8]) -> (SocketAddrV4, SocketAddrV4) {
    // The last four bytes of an IPv6 address name its host.
    let (source, destination, ports) = match family {
        Family::V4 => (26, 30, 34),
        Family::V6 => (34, 50, 54),
    };
    let end = |address: usize, port: usize| {
        let octets: [u8; 4] = frame[address..address + 4].try_into().unwrap();
        let port = u16::from_be_bytes([frame[port], frame[port + 1]]);
        at(octets.into(), port)
    };
    (end(source, ports), end(destination, ports + 2))
}
