//! The flow table when it gets full: flows away from home, eviction, refusal.

use std::net::SocketAddrV4;

use ferrovs_core::{
    abi::{
        bucket::WAYS,
        endpoint::Endpoint,
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
    packet::{ACK, RST, SYN},
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
fn homes(buckets: u32) -> impl Fn(SocketAddrV4) -> u32 {
    let mut world = World::default();
    small(&mut world);
    world.buckets = buckets;
    let slices = Slices::new(&world);
    Daemon::start(&slices, &world);
    move |client| {
        let tables = slices.tables();
        let endpoint = Endpoint::new(client.ip().octets(), client.port());
        let config = tables.config(0).unwrap();
        place::of(config, endpoint.pack(6), SERVICE).bucket
    }
}

fn clients() -> impl Iterator<Item = SocketAddrV4> {
    (30_000..).map(client)
}

/// Clients whose flows fill two buckets exactly, each at home.
fn filling() -> Vec<SocketAddrV4> {
    let home = homes(2);
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
fn one_more() -> SocketAddrV4 {
    let home = homes(2);
    let taken = filling();
    let mut others = clients().filter(|client| home(*client) == 0 && !taken.contains(client));
    others.next().unwrap()
}

fn opens() -> Expect {
    forwarded().opens(FIRST, SYN_RECV)
}

fn syn(client: SocketAddrV4) -> crate::packet::Packet {
    from_client(client, HTTP, SYN)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        displaced(),
        displaced_and_ended(),
        displaced_and_reset(),
        evicted(),
        refused(),
        expired_first(),
        evicted_though_established(),
    ]
}

/// Eight flows of one home, where seven fit.
fn crowd(name: &'static str) -> (Case, SocketAddrV4) {
    let home = homes(16);
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

fn displaced() -> Case {
    let (case, eighth) =
        crowd("the eighth flow of a bucket lives elsewhere and is found from both sides");
    case.back(from_server(FIRST, eighth, SYN | ACK), forwarded())
        .front(
            from_client(eighth, HTTP, ACK),
            forwarded().state(ESTABLISHED).protects(),
        )
        .back(from_server(FIRST, eighth, ACK).payload(50), forwarded())
        .front(from_client(eighth, HTTP, ACK).payload(51), forwarded())
        .front(syn(eighth), forwarded())
}

fn displaced_and_ended() -> Case {
    let (case, eighth) = crowd("a flow that lived elsewhere ends and opens anew at home");
    let home = homes(16);
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

fn displaced_and_reset() -> Case {
    let (case, eighth) = crowd("a flow that lives elsewhere is closed and opened anew");
    case.back(
        from_server(FIRST, eighth, RST | ACK),
        forwarded().state(ferrovs_core::abi::state::CLOSE),
    )
    .front(syn(eighth), opens().ends(eighth).because(Reason::Displaced))
    .back(from_server(FIRST, eighth, SYN | ACK), forwarded())
}

fn evicted() -> Case {
    let flows = filling();
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
            syn(one_more()),
            opens().ends(victim).because(Reason::Evicted),
        )
        .back(from_server(FIRST, one_more(), SYN | ACK), forwarded())
        .back(from_server(FIRST, victim, SYN | ACK), crate::case::passed())
}

fn refused() -> Case {
    let flows = filling();
    let full = flows.iter().fold(
        case("a table full of connections that clients have confirmed takes no more").world(small),
        |case, &client| case.connected(client, HTTP, FIRST),
    );
    full.front(syn(one_more()), dropped(Reason::TableFull))
        .front(syn(one_more()), dropped(Reason::TableFull))
        .front(from_client(flows[0], HTTP, ACK), forwarded())
}

fn expired_first() -> Case {
    let flows = filling();
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
    .front(syn(one_more()), opens().ends(old))
    .back(from_server(FIRST, one_more(), SYN | ACK), forwarded())
}

fn evicted_though_established() -> Case {
    let flows = filling();
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
            syn(one_more()),
            opens().ends(victim).because(Reason::Evicted),
        )
}
