//! The flow table when it gets full: flows away from home, eviction, refusal.

use std::net::{IpAddr, SocketAddrV4};

use ferrovs_core::{
    abi::{
        bucket::WAYS,
        endpoint::{Endpoint, IPV6},
        ipv6::Address,
        reason::Reason,
        state::{ESTABLISHED, SYN_RECV},
    },
    flow::place,
    tables::Tables,
};
use ferrovs_model::Protocol;

use super::{FIRST, client, from_client, from_server};
use crate::{
    case::{Case, Expect, Step, case, dropped, forwarded},
    home::Home,
    packet::{ACK, Family, RST, SYN},
    slices::Slices,
    world::{Daemon, HTTP, World, service},
};

/// One service, so that it has number 1, with one server.
const SERVICE: u16 = 1;

fn small(world: &mut World) {
    world.buckets = 2;
    world.services = vec![service(Protocol::Tcp, HTTP, &[(FIRST, 1)])];
}

fn roomy(world: &mut World) {
    small(world);
    world.buckets = 16;
}

/// The home bucket of a client's flow in a table of that size.
fn homes(family: Family, buckets: u32) -> impl Fn(SocketAddrV4) -> u32 {
    let mut world = World::default();
    small(&mut world);
    world.buckets = buckets;
    let slices = Slices::new(&world);
    Daemon::start(&slices, &world);
    move |client| {
        let tables = slices.tables();
        let config = tables.config(0).unwrap();
        let mut endpoint = Endpoint::new(client.ip().octets(), client.port());
        let mut tag = 6;
        if let IpAddr::V6(address) = family.address(*client.ip()) {
            endpoint.address = place::digest(config, Address::new(address.octets()));
            tag |= IPV6;
        }
        place::of(config, endpoint.pack(tag), SERVICE).bucket
    }
}

fn clients() -> impl Iterator<Item = SocketAddrV4> {
    (30_000..).map(client)
}

/// Clients whose flows fill two buckets exactly, each at home.
fn filling(family: Family) -> Vec<SocketAddrV4> {
    let home = homes(family, 2);
    let in_bucket = |bucket| {
        clients()
            .filter(|&client| home(client) == bucket)
            .take(WAYS as usize)
            .collect()
    };
    let both: [Vec<_>; 2] = [in_bucket(0), in_bucket(1)];
    both.concat()
}

/// A client whose home is bucket 0, as is that of the first half of [`filling`].
fn one_more(family: Family) -> SocketAddrV4 {
    let home = homes(family, 2);
    let taken = filling(family);
    let mut others = clients().filter(|client| home(*client) == 0 && !taken.contains(client));
    others.next().unwrap()
}

fn opens() -> Expect {
    forwarded().opens(FIRST, SYN_RECV)
}

fn syn(client: SocketAddrV4) -> crate::packet::Packet {
    from_client(client, HTTP, SYN)
}

/// The same cases for either family, whose clients have other homes.
pub(super) fn cases() -> Vec<Case> {
    let of_ipv6 = cases_of(Family::V6).into_iter();
    let of_ipv6 = of_ipv6.map(|case| case.in_ipv6().unwrap());
    cases_of(Family::V4).into_iter().chain(of_ipv6).collect()
}

fn cases_of(family: Family) -> Vec<Case> {
    vec![
        displaced(family),
        displaced_and_ended(family),
        displaced_and_reset(family),
        evicted(family),
        refused(family),
        expired_first(family),
        evicted_though_established(family),
    ]
}

/// Eight flows of one home, where seven fit.
fn crowd(family: Family, name: &'static str) -> (Case, SocketAddrV4) {
    let home = homes(family, 16);
    let crowd: Vec<_> = clients()
        .filter(|&client| home(client) == 3)
        .take(8)
        .collect();
    let (&eighth, seven) = crowd.split_last().unwrap();
    let case = seven.iter().fold(case(name).world(roomy), |case, &client| {
        case.opened(client, HTTP, FIRST)
    });
    (
        case.front(syn(eighth), opens().because(Reason::Displaced)),
        eighth,
    )
}

fn displaced(family: Family) -> Case {
    let (case, eighth) = crowd(
        family,
        "the eighth flow of a bucket lives elsewhere and is found from both sides",
    );
    case.back(from_server(FIRST, eighth, SYN | ACK), forwarded())
        .front(
            from_client(eighth, HTTP, ACK),
            forwarded().state(ESTABLISHED).protects(),
        )
        .back(from_server(FIRST, eighth, ACK).payload(50), forwarded())
        .front(from_client(eighth, HTTP, ACK).payload(51), forwarded())
        .front(syn(eighth), forwarded())
}

fn displaced_and_ended(family: Family) -> Case {
    let (case, eighth) = crowd(
        family,
        "a flow that lived elsewhere ends and opens anew at home",
    );
    let home = homes(family, 16);
    let seven: Vec<_> = clients()
        .filter(|&client| home(client) == 3)
        .take(7)
        .collect();
    let refreshed = case
        .seconds(62)
        .step(Step::Sweep([&seven[..], &[eighth]].concat()));
    refreshed
        .front(syn(eighth), opens())
        .back(from_server(FIRST, eighth, SYN | ACK), forwarded())
}

fn displaced_and_reset(family: Family) -> Case {
    let (case, eighth) = crowd(
        family,
        "a flow that lives elsewhere is closed and opened anew",
    );
    case.back(
        from_server(FIRST, eighth, RST | ACK),
        forwarded().state(ferrovs_core::abi::state::CLOSE),
    )
    .front(syn(eighth), opens().ends(eighth).because(Reason::Displaced))
    .back(from_server(FIRST, eighth, SYN | ACK), forwarded())
}

fn evicted(family: Family) -> Case {
    let flows = filling(family);
    // In the bucket that the newcomer calls home.
    let victim = flows[3];
    let full = flows.iter().fold(
        case("a full table gives up the half-open flow of the bucket that was idle longest")
            .world(small),
        |case, &client| case.opened(client, HTTP, FIRST),
    );
    let others = flows.iter().filter(|&&client| client != victim);
    others
        .fold(full.seconds(5), |case, &client| {
            case.front(syn(client), forwarded())
        })
        .front(
            syn(one_more(family)),
            opens().ends(victim).because(Reason::Evicted),
        )
        .back(from_server(FIRST, one_more(family), SYN | ACK), forwarded())
        .back(from_server(FIRST, victim, SYN | ACK), crate::case::passed())
}

fn refused(family: Family) -> Case {
    let flows = filling(family);
    let full = flows.iter().fold(
        case("a table full of connections that clients have confirmed takes no more").world(small),
        |case, &client| case.connected(client, HTTP, FIRST),
    );
    full.front(syn(one_more(family)), dropped(Reason::TableFull))
        .front(syn(one_more(family)), dropped(Reason::TableFull))
        .front(from_client(flows[0], HTTP, ACK), forwarded())
}

fn expired_first(family: Family) -> Case {
    let flows = filling(family);
    let old = flows[2];
    let case = case("an expired flow gives its line to a new one before a half-open flow must")
        .world(small);
    let full = flows
        .iter()
        .fold(case, |case, &client| case.opened(client, HTTP, FIRST));
    let kept = flows.iter().filter(|&&client| client != old);
    kept.fold(full.seconds(50), |case, &client| {
        case.front(syn(client), forwarded())
    })
    .seconds(14)
    .front(syn(one_more(family)), opens().ends(old))
    .back(from_server(FIRST, one_more(family), SYN | ACK), forwarded())
}

fn evicted_though_established(family: Family) -> Case {
    let flows = filling(family);
    let (victim, confirmed) = (flows[5], &flows[..5]);
    let case = case("a guessed acknowledgement does not save a flow from eviction").world(small);
    let case = confirmed
        .iter()
        .chain(&flows[6..])
        .fold(case, |case, &client| case.connected(client, HTTP, FIRST));
    case.opened(victim, HTTP, FIRST)
        .front(
            from_client(victim, HTTP, ACK).acknowledging(77),
            forwarded().state(ESTABLISHED),
        )
        .front(
            syn(one_more(family)),
            opens().ends(victim).because(Reason::Evicted),
        )
}
