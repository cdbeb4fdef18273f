//! Next hops, with the real kernel: found, followed when they change, numbered for good.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod stage;

use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use ferrovs_core::{
    abi::{dest, next_hop},
    tables::{Line, Tables},
};
use ferrovs_kernel::{DataPlane, HookChoice, Keeper, Watched};
use ferrovs_lab::Mac;
use stage::{Stage, data_plane, keeper, targets};

/// Works until `done`, at most this long.
fn work(keeper: &mut Keeper, limit: Duration, done: impl Fn() -> bool) -> Duration {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < limit, "not within {limit:?}");
        keeper.work().unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    begin.elapsed()
}

/// Number of the next hop towards destination 1.
fn number(plane: &DataPlane) -> u32 {
    let line = (&plane.maps).dest(1).unwrap();
    line.load(dest::NEXT_HOP) as u32
}

/// The MAC address a packet to destination 1 would be sent to.
fn destination(plane: &DataPlane) -> Option<[u8; 6]> {
    let line = (&plane.maps).next_hop(number(plane)).unwrap();
    let [mac @ .., _, _] = line.load(next_hop::MACS).to_ne_bytes();
    (line.load(next_hop::STATUS) & next_hop::USABLE != 0).then_some(mac)
}

#[test]
fn a_server_is_found_and_followed_to_another_mac_address() {
    let stage = Stage::new("follow");
    let server = stage.peer.link("server").unwrap();
    let before = server.mac().unwrap().0;
    let setting = "net.ipv4.neigh.inside.base_reachable_time_ms";
    let default = stage.director.sysctl(setting).unwrap();
    let plane = stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        let found = || destination(&plane) == Some(before);
        work(&mut keeper, Duration::from_secs(3), found);
        let (first, after) = (number(&plane), [2, 0, 0, 0, 0, 0x77]);
        server.set_mac(Mac(after)).unwrap();
        let followed = || destination(&plane) == Some(after);
        work(&mut keeper, Duration::from_secs(5), followed);
        assert_eq!(number(&plane), first);
        plane
    });
    assert_ne!(stage.director.sysctl(setting).unwrap(), default);
    // Another daemon keeps the number, and knows what was set before.
    stage.run(|| {
        let mut keeper = keeper(&plane);
        let first = number(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        assert_eq!(number(&plane), first);
        keeper.down().unwrap();
    });
}

#[test]
fn what_was_set_before_is_restored() {
    let stage = Stage::new("restore");
    let setting = "net.ipv4.neigh.inside.base_reachable_time_ms";
    stage.director.set_sysctl(setting, "12000").unwrap();
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        keeper.down().unwrap();
    });
    assert_eq!(stage.director.sysctl(setting).unwrap(), "12000");
}

#[test]
fn a_neighbour_that_was_set_for_good_stays_so() {
    let stage = Stage::new("permanent");
    let ip = |arguments: &str| {
        let mut command = stage.director.command("ip");
        let output = command.args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    ip("neigh replace 10.77.2.2 lladdr 02:00:00:00:00:42 dev inside nud permanent");
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        keeper.work().unwrap();
        assert_eq!(destination(&plane), Some([2, 0, 0, 0, 0, 0x42]));
        keeper.down().unwrap();
    });
    let after = ip("neigh show 10.77.2.2");
    assert!(after.contains("PERMANENT"), "{after}");
}

#[test]
fn a_number_is_taken_back_only_when_no_flow_refers_to_it() {
    let stage = Stage::new("numbers");
    let client = Ipv4Addr::new(10, 77, 1, 60);
    let link = stage.peer.link("client").unwrap();
    link.add_address(client, 24).unwrap();
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        let outside = keeper.hooks()[0].hooking.interface;
        let key = next_hop::neighbour_key(u32::from_ne_bytes(client.octets()), outside);
        let known = || (&plane.maps).neighbour(key);
        // A packet of the kernel's own makes it find the client.
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(b"?", (client, 9)).unwrap();
        work(&mut keeper, Duration::from_secs(3), || known().is_some());
        let number = known().unwrap();
        let line = (&plane.maps).next_hop(number).unwrap();
        assert_ne!(line.load(next_hop::STATUS) & next_hop::USABLE, 0);

        stage.director.flush_neighbours().unwrap();
        let usable = || line.load(next_hop::STATUS) & next_hop::USABLE != 0;
        work(&mut keeper, Duration::from_secs(3), || !usable());
        let in_use = Watched {
            round: 0,
            next_hops: BTreeSet::from([number]),
        };
        for round in 0..5 {
            keeper
                .end_of_round(Watched {
                    round,
                    ..in_use.clone()
                })
                .unwrap();
        }
        assert_eq!(known(), Some(number));
        for round in 5..8 {
            let next_hops = BTreeSet::new();
            keeper.end_of_round(Watched { round, next_hops }).unwrap();
            // Hidden at once, its own until a whole round has met no flow.
            assert_eq!(known(), None);
            assert_eq!(
                next_hop::neighbour(line.load(next_hop::LINK)) == 0,
                round == 7
            );
        }
        keeper.down().unwrap();
    });
}
