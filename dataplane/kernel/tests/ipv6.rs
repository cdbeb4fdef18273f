//! IPv6 neighbours, with the real kernel: found, followed, numbered for good, and found again by another
//! daemon, also those that are hidden from the programs.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod stage;

use std::{
    collections::BTreeSet,
    net::{Ipv6Addr, UdpSocket},
    time::{Duration, Instant},
};

use ferrovs_core::{
    abi::{
        dest,
        ipv6::{Address, NeighbourKey},
        next_hop,
    },
    tables::{Line, Tables},
};
use ferrovs_kernel::{DataPlane, HookChoice, Keeper, Targets, Watched};
use ferrovs_lab::Mac;
use stage::{Stage, data_plane, keeper, targets};

const VIP: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x77, 1, 0, 0, 0, 0, 1);
const CLIENT: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x77, 1, 0, 0, 0, 0, 0x60);
const DIP: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x77, 2, 0, 0, 0, 0, 1);
/// The server's router, as the director knows it.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const RIP: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x77, 3, 0, 0, 0, 0, 2);

/// The stage with IPv6 addresses; the server is behind a router with a link-local address.
fn stage(test: &str) -> Stage {
    let stage = Stage::new(test);
    let outside = stage.director.link("outside").unwrap();
    outside.add_address(VIP, 64).unwrap();
    let client = stage.peer.link("client").unwrap();
    client.add_address(CLIENT, 64).unwrap();
    let inside = stage.director.link("inside").unwrap();
    inside.add_address(DIP, 64).unwrap();
    let router = stage.peer.link("server").unwrap();
    router.add_address(ROUTER, 64).unwrap();
    inside.add_route(RIP, 128, ROUTER).unwrap();
    stage
}

fn ipv6_targets() -> Targets {
    Targets {
        virtuals: BTreeSet::from([VIP.into()]),
        dests: vec![(1, RIP.into())],
        ..targets(HookChoice::Tc)
    }
}

/// Works until `done`, at most this long.
fn work(keeper: &mut Keeper, limit: Duration, done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < limit, "not within {limit:?}");
        keeper.work().unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Number of the next hop towards destination 1.
fn number(plane: &DataPlane) -> u32 {
    let line = (&plane.maps).dest(1).unwrap();
    line.load(dest::NEXT_HOP) as u32
}

fn is_usable(plane: &DataPlane, number: u32) -> bool {
    let line = (&plane.maps).next_hop(number).unwrap();
    line.load(next_hop::STATUS) & next_hop::USABLE != 0
}

/// The MAC address a packet to this next hop would be sent to.
fn destination(plane: &DataPlane, number: u32) -> Option<[u8; 6]> {
    let line = (&plane.maps).next_hop(number).unwrap();
    let [mac @ .., _, _] = line.load(next_hop::MACS).to_ne_bytes();
    is_usable(plane, number).then_some(mac)
}

#[test]
fn a_router_is_found_and_followed_to_another_mac_address() {
    let stage = stage("follow6");
    let router = stage.peer.link("server").unwrap();
    let before = router.mac().unwrap().0;
    let setting = "net.ipv6.neigh.inside.base_reachable_time_ms";
    let default = stage.director.sysctl(setting).unwrap();
    let plane = stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(ipv6_targets()).unwrap();
        let hooked: Vec<_> = keeper
            .hooks()
            .iter()
            .map(|hook| &hook.hooking.name)
            .collect();
        assert_eq!(hooked, ["outside", "inside"]);
        let found = || destination(&plane, number(&plane)) == Some(before);
        work(&mut keeper, Duration::from_secs(3), found);
        let (first, after) = (number(&plane), [2, 0, 0, 0, 0, 0x77]);
        router.set_mac(Mac(after)).unwrap();
        let followed = || destination(&plane, first) == Some(after);
        work(&mut keeper, Duration::from_secs(5), followed);
        assert_eq!(number(&plane), first);
        plane
    });
    assert_ne!(stage.director.sysctl(setting).unwrap(), default);
    // Another daemon keeps the number.
    stage.run(|| {
        let mut keeper = keeper(&plane);
        let first = number(&plane);
        keeper.settle(ipv6_targets()).unwrap();
        assert_eq!(number(&plane), first);
        keeper.down().unwrap();
    });
}

#[test]
fn a_hidden_number_outlives_the_daemon_and_is_taken_back() {
    let stage = stage("numbers6");
    stage.run(|| {
        let plane = data_plane();
        let mut first = keeper(&plane);
        first.settle(ipv6_targets()).unwrap();
        let outside = first.hooks()[0].hooking.interface;
        let key = NeighbourKey::new(Address::new(CLIENT.octets()), outside);
        let known = || (&plane.maps).neighbour_ipv6(&key);
        // A packet of the kernel's own makes it find the client.
        let socket = UdpSocket::bind("[::]:0").unwrap();
        socket.send_to(b"?", (CLIENT, 9)).unwrap();
        work(&mut first, Duration::from_secs(3), || known().is_some());
        let number = known().unwrap();
        assert!(is_usable(&plane, number));

        stage.director.flush_neighbours().unwrap();
        let gone = || !is_usable(&plane, number);
        work(&mut first, Duration::from_secs(3), gone);
        let next_hops = BTreeSet::from([number]);
        first
            .end_of_round(Watched {
                round: 1,
                next_hops,
            })
            .unwrap();
        assert_eq!(known(), Some(number), "a flow refers to it");
        let no_flows = |round| Watched {
            round,
            next_hops: BTreeSet::new(),
        };
        first.end_of_round(no_flows(2)).unwrap();
        assert_eq!(known(), None, "it is hidden at once");
        drop(first);

        let mut second = keeper(&plane);
        second.settle(ipv6_targets()).unwrap();
        // The client comes back, and is who it was.
        socket.send_to(b"?", (CLIENT, 9)).unwrap();
        work(&mut second, Duration::from_secs(3), || known().is_some());
        assert_eq!(known(), Some(number));

        stage.director.flush_neighbours().unwrap();
        work(&mut second, Duration::from_secs(3), gone);
        for round in 3..6 {
            second.end_of_round(no_flows(round)).unwrap();
        }
        let line = (&plane.maps).next_hop(number).unwrap();
        assert_eq!(line.load(next_hop::OUT), 0, "nobody's");
        second.down().unwrap();
    });
}
