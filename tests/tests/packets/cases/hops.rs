//! Next hops: learnt, not known, not usable, being written, not looked after.

use std::net::SocketAddrV4;

use ferrovs_core::abi::{
    reason::Reason,
    state::{ESTABLISHED, SYN_RECV},
};

use super::{ALICE, FIRST, alice, first, from_client, from_server};
use crate::{
    case::{Case, Step, case, dropped, expired, forwarded},
    packet::{ACK, Link, Packet, SYN, at},
    world::{
        ASYMMETRIC_CLIENT, BACK_ROUTER, CLIENT, FRONT_MAC, FRONT_ROUTER, Fitness, HTTP, Hop, Port,
        REMOTE_CLIENT, RIP_143, UNROUTED_CLIENT, World, mac_of,
    },
};

/// A segment that a router handed to the director.
fn by_router(client: SocketAddrV4, flags: u8) -> Packet {
    from_client(client, HTTP, flags).with(|packet| {
        packet.link = Link::Ethernet {
            destination: FRONT_MAC,
            source: mac_of(FRONT_ROUTER),
        };
    })
}

fn forget(neighbour: std::net::Ipv4Addr) -> impl FnOnce(&mut World) {
    move |world| world.hop_mut(neighbour).learnable = false
}

pub(super) fn cases() -> Vec<Case> {
    [silence(), servers(), clients()].concat()
}

fn silence() -> Vec<Case> {
    let stops = Step::Heart { beats: false };
    let goes_on = Step::Heart { beats: true };
    vec![
        case("without a heartbeat new flows are the kernel's work, and are opened once")
            .step(stops.clone())
            .front(alice(SYN), forwarded().opens(FIRST, SYN_RECV).resolved())
            .back(first(SYN | ACK), forwarded().resolved())
            .front(
                alice(ACK),
                forwarded().state(ESTABLISHED).protects().resolved(),
            ),
        case("without a heartbeat open connections go on, and faster again when it is back")
            .established()
            .step(stops.clone())
            .front(alice(ACK).payload(7), forwarded().resolved())
            .back(first(ACK).payload(1400), forwarded().resolved())
            .step(goes_on)
            .front(alice(ACK), forwarded())
            .back(first(ACK), forwarded()),
        case("without a heartbeat a TTL of 1 ends at tc")
            .established()
            .step(stops)
            .front(alice(ACK).ttl(1), expired().deferred()),
    ]
}

fn servers() -> Vec<Case> {
    let set = |fitness| Step::Neighbour(RIP_143, fitness);
    let no_way = || dropped(Reason::NoRoute).deferred();
    let without_hop = |world: &mut World| world.hops.retain(|hop| hop.neighbour != RIP_143);
    vec![
        case("a server whose neighbour entry is not usable")
            .step(set(Fitness::Unusable))
            .front(alice(SYN), forwarded().opens(FIRST, SYN_RECV).resolved())
            .back(first(SYN | ACK), forwarded())
            .step(set(Fitness::Usable))
            .front(alice(SYN), forwarded()),
        case("a server whose next hop is being written")
            .established()
            .step(set(Fitness::BeingWritten))
            .front(alice(ACK), forwarded().resolved())
            .step(set(Fitness::Usable))
            .front(alice(ACK), forwarded()),
        case("a server to which no way is known at all")
            .world(without_hop)
            .front(alice(SYN), no_way().opens(FIRST, SYN_RECV))
            .front(alice(SYN), no_way()),
        case("a server without a way still answers")
            .world(without_hop)
            .front(alice(SYN), no_way().opens(FIRST, SYN_RECV))
            .back(first(SYN | ACK), forwarded()),
    ]
}

fn clients() -> Vec<Case> {
    let remote = at(REMOTE_CLIENT, 40_001);
    let asymmetric = at(ASYMMETRIC_CLIENT, 40_001);
    let unrouted = at(UNROUTED_CLIENT, 40_001);
    let opens = || forwarded().opens(FIRST, SYN_RECV);
    let reply = |client| from_server(FIRST, client, SYN | ACK);
    vec![
        case("a client whose neighbour entry is not usable")
            .half_open()
            .step(Step::Neighbour(CLIENT, Fitness::Unusable))
            .back(first(SYN | ACK), forwarded().resolved())
            .step(Step::Neighbour(CLIENT, Fitness::Usable))
            .back(first(SYN | ACK), forwarded()),
        case("a client whose next hop is being written")
            .established()
            .step(Step::Neighbour(CLIENT, Fitness::BeingWritten))
            .back(first(ACK), forwarded().resolved())
            .front(alice(ACK), forwarded()),
        case("a client that is not known yet, until it is")
            .world(forget(CLIENT))
            .half_open()
            .back(first(SYN | ACK), forwarded().resolved())
            .back(first(SYN | ACK), forwarded().resolved())
            .step(Step::Introduce(CLIENT))
            .back(first(SYN | ACK), forwarded())
            .front(alice(ACK), forwarded().state(ESTABLISHED).protects()),
        case("a client behind a router")
            .front(by_router(remote, SYN), opens())
            .back(reply(remote), forwarded())
            .front(
                by_router(remote, ACK),
                forwarded().state(ESTABLISHED).protects(),
            ),
        case("a client behind a router that is not known")
            .world(forget(FRONT_ROUTER))
            .front(by_router(remote, SYN), opens())
            .back(reply(remote), forwarded().resolved()),
        case("a client to which the way back is another than the way here")
            .front(by_router(asymmetric, SYN), opens())
            .back(reply(asymmetric), forwarded()),
        case("the other way back, when its router is not known")
            .world(forget(BACK_ROUTER))
            .front(by_router(asymmetric, SYN), opens())
            .back(reply(asymmetric), forwarded().resolved())
            .step(Step::Introduce(BACK_ROUTER))
            .back(reply(asymmetric), forwarded()),
        case("a client to which no route leads gets its replies where it came from")
            .front(by_router(unrouted, SYN), opens())
            .back(reply(unrouted), forwarded().resolved()),
        case("a client to which no route leads, but who is a known neighbour where it came from")
            .world(|world| world.hops.push(Hop::new(20, UNROUTED_CLIENT, Port::Front)))
            .front(by_router(unrouted, SYN), opens())
            .back(reply(unrouted), forwarded()),
        case("the way back is learnt once and kept")
            .half_open()
            .back(first(SYN | ACK), forwarded())
            .opened(at(CLIENT, ALICE.port() + 1), HTTP, super::SECOND)
            .back(
                from_server(super::SECOND, at(CLIENT, ALICE.port() + 1), SYN | ACK),
                forwarded(),
            )
            .back(first(ACK), forwarded().state(ESTABLISHED)),
    ]
}
