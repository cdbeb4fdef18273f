//! How full the table can be before a flow is refused: its size is for as many flows as were asked for,
//! in whatever pattern they come.

use ferrovs_core::abi::bucket::{DISPLACED, LINES};
use ferrovs_core::abi::endpoint::Endpoint;
use ferrovs_core::abi::ipv6::Address;
use ferrovs_core::abi::state;
use ferrovs_core::flow::open::Wish;
use ferrovs_core::sip::Payload;

use crate::audit::open;
use ferrovs_core::tables::{Line, Tables};
use ferrovs_core::wire::TCP;

use crate::audit::{by_client, by_server, live, wish};
use crate::scene::BEGIN;
use crate::stress::{Random, Real};
use crate::world::{Plan, World, server, virtual_of};

/// A table for so many flows, as the daemon makes it: four for each bucket of seven, and as many pointers
/// as buckets.
fn table_for(flows: u32, services: &[&[Endpoint]]) -> World<Real> {
    let buckets = flows.div_ceil(4).next_power_of_two();
    let plan = Plan {
        buckets,
        pointers: (buckets as usize).max(4096),
        services,
        timeout: 1000,
    };
    World::new(&plan, |_| true)
}

/// Opens the flows; how many were refused.
fn refused(world: &World<Real>, wishes: impl Iterator<Item = Wish>) -> usize {
    wishes.filter(|wish| open(&&*world, wish).line == 0).count()
}

/// How many flows live outside their home.
fn displaced(world: &World<Real>) -> u64 {
    let headers = (0..world.lines() / LINES).filter_map(|bucket| world.flow(bucket * LINES));
    headers.map(|header| header.load(DISPLACED)).sum()
}

/// Every flow is found from both sides.
fn all_found(world: &World<Real>, expected: usize) {
    let flows = live(world);
    assert_eq!(flows.len(), expected);
    for flow in flows {
        assert_eq!(
            by_client(world, flow.words.client, flow.words.virtual_),
            Some(flow)
        );
        assert_eq!(
            by_server(world, flow.words.dest, flow.words.local),
            Some(flow)
        );
    }
}

#[test]
fn a_million_random_flows() {
    const FLOWS: usize = 1_000_000;
    let world = table_for(FLOWS as u32, &[&[server(141), server(143)]]);
    let mut random = Random(0x5eed);
    let mut client = move || Endpoint {
        address: random.below(1 << 32) as u32,
        port: random.below(1 << 16) as u16,
    };
    let wishes = (0..FLOWS).map(|_| Wish {
        client: client().pack(u16::from(TCP)),
        virtual_: virtual_of(1),
        address: Address::default(),
        dest: 0,
        kept: false,
        old: 0,
        old_control: 0,
        state: state::SYN_RECV,
        interface: 3,
        now: BEGIN,
        payload: Payload::NONE,
    });
    let refused = refused(&world, wishes);
    let flows = live(&world).len();
    // All are half-open, so a new one may have the line of an old one.
    let evicted = FLOWS - refused - flows;
    println!(
        "a million random flows: {} displaced, {evicted} evicted, {refused} refused",
        displaced(&world)
    );
    assert!(evicted + refused <= FLOWS / 10_000);
    all_found(&world, flows);
}

#[test]
fn sixteen_services_with_fifteen_thousand_ports_of_one_client() {
    let servers: Vec<[Endpoint; 1]> = (1..=16).map(|number| [server(number)]).collect();
    let services: Vec<&[Endpoint]> = servers.iter().map(|server| &server[..]).collect();
    let world = table_for(1_000_000, &services);
    let ports = 20_000..35_000;
    let wishes = ports.flat_map(|port| (1..=16).map(move |service| wish(port, service, BEGIN)));
    assert_eq!(refused(&world, wishes), 0);
    println!(
        "sixteen services, one client: {} displaced",
        displaced(&world)
    );
    all_found(&world, 16 * 15_000);
}

#[test]
fn a_thousand_services_of_two_servers_from_one_port() {
    let servers = [server(141), server(143)];
    let services = vec![&servers[..]; 1000];
    let world = table_for(65_536, &services);
    let wishes = (1..=1000).map(|service| wish(40_000, service, BEGIN));
    assert_eq!(refused(&world, wishes), 0);
    println!(
        "a thousand services, one port: {} displaced",
        displaced(&world)
    );
    all_found(&world, 1000);
}
