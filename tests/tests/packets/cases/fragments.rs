//! Packets in fragments, which follow the first one.

use std::net::SocketAddrV4;

use ferrovs_core::abi::{
    reason::Reason,
    state::{ESTABLISHED, SCTP_INIT1, SYN_RECV, UDP},
};
use ferrovs_model::{Encapsulation, Forwarding, Protocol};

use super::{ALICE, FIRST, alice, first, from_client, from_server};
use crate::{
    case::{Case, Expect, Step, case, dropped, expired, forwarded, passed, too_big},
    packet::{ACK, Packet, SYN, Transport, at},
    world::{CLIENT, DNS, Fitness, RIP_143, VIP, World, service},
};

const SERVER: SocketAddrV4 = SocketAddrV4::new(RIP_143, 53);
/// Where a datagram of 3,000 bytes is cut: on multiples of eight.
const CUTS: [usize; 4] = [0, 1400, 2800, 4000];

fn udp(packet: Packet) -> Packet {
    packet.with(|packet| packet.transport = Transport::Udp { checksum: true })
}

fn query(id: u16) -> Packet {
    udp(from_client(ALICE, DNS, 0))
        .payload(3000)
        .with(|packet| packet.id = id)
}

fn answer(id: u16) -> Packet {
    udp(from_server(SERVER, ALICE, 0))
        .payload(3000)
        .with(|packet| packet.id = id)
}

/// Its fragment of this number.
fn part(packet: Packet, number: usize) -> Packet {
    packet.piece(CUTS[number], CUTS[number + 1])
}

fn opens() -> Expect {
    forwarded().opens(SERVER, UDP)
}

fn unknown() -> Expect {
    passed().because(Reason::Fragment)
}

pub(super) fn cases() -> Vec<Case> {
    [orders(), bounds(), others(), methods()].concat()
}

fn orders() -> Vec<Case> {
    vec![
        case("the fragments of a datagram follow the first one, both ways")
            .front(part(query(7), 0), opens())
            .front(part(query(7), 1), forwarded())
            .front(part(query(7), 2), forwarded())
            .back(part(answer(9), 0), forwarded())
            .back(part(answer(9), 1), forwarded())
            .back(part(answer(9), 2), forwarded()),
        case("the later fragments come in any order")
            .front(part(query(7), 0), opens())
            .front(part(query(7), 2), forwarded())
            .front(part(query(7), 1), forwarded())
            .front(part(query(7), 2), forwarded())
            .back(part(answer(9), 0), forwarded())
            .back(part(answer(9), 2), forwarded())
            .back(part(answer(9), 1), forwarded()),
        case("what comes before the first fragment is the stack's, and counted")
            .front(part(query(7), 1), unknown())
            .front(part(query(7), 0), opens())
            .front(part(query(7), 2), forwarded())
            .back(part(answer(9), 2), unknown())
            .back(part(answer(9), 0), forwarded())
            .back(part(answer(9), 1), forwarded()),
        case("datagrams in fragments between each other's")
            .front(part(query(7), 0), opens())
            .front(part(query(8), 0), forwarded())
            .front(part(query(7), 1), forwarded())
            .back(part(answer(7), 0), forwarded())
            .front(part(query(8), 1), forwarded())
            .back(part(answer(7), 1), forwarded())
            .front(part(query(9), 1), unknown())
            .front(part(query(8), 2), forwarded()),
    ]
}

fn bounds() -> Vec<Case> {
    vec![
        case("what is known of a datagram holds for a minute")
            .front(part(query(7), 0), opens())
            .seconds(55)
            .front(part(query(7), 1), forwarded())
            .seconds(7)
            .front(part(query(7), 2), unknown()),
        case("a later fragment does not keep its flow alive")
            .front(part(query(7), 0), opens())
            .seconds(50)
            .front(part(query(7), 1), forwarded())
            .seconds(260)
            .step(Step::Sweep(vec![ALICE])),
        case("a later fragment of a flow that has ended is the stack's")
            .front(part(query(7), 0), opens())
            .seconds(310)
            .step(Step::Sweep(vec![ALICE]))
            .front(part(query(7), 1), unknown()),
        case("fragments at the end of their TTL: of the first one the sender is told")
            .front(part(query(7), 0).ttl(1), expired().opens(SERVER, UDP))
            .front(part(query(7), 1).ttl(1), dropped(Reason::TtlExceeded))
            .back(part(answer(9), 0), forwarded())
            .back(part(answer(9), 1).ttl(0), dropped(Reason::TtlExceeded)),
        case("fragments that are too big for the next link: of the first one the sender is told")
            .world(|world| world.hop_mut(CLIENT).mtu = 600)
            .front(part(query(7), 0), opens())
            .front(part(query(7), 1), forwarded())
            .back(part(answer(9), 0), too_big(600).by_director())
            .back(answer(9).piece(0, 512), forwarded())
            .back(part(answer(9), 1), dropped(Reason::TooBig))
            .back(answer(9).piece(512, 1024), forwarded()),
        case("fragments take the slow way where the next hop is not known")
            .front(part(query(7), 0), opens())
            .step(Step::Neighbour(RIP_143, Fitness::Unusable))
            .front(part(query(7), 1), forwarded().resolved())
            .step(Step::Neighbour(CLIENT, Fitness::Unusable))
            .back(part(answer(9), 0), forwarded().resolved())
            .back(part(answer(9), 1), forwarded().resolved()),
    ]
}

fn others() -> Vec<Case> {
    let sctp = |packet: Packet, chunk| {
        packet
            .with(|packet| {
                packet.transport = Transport::Sctp {
                    tag: 77,
                    chunk,
                    length: None,
                    checksum: true,
                };
            })
            .payload(1600)
    };
    let (association, peer) = (at(VIP, 99), at(RIP_143, 99));
    let without = |packet: Packet| {
        packet.with(|packet| packet.transport = Transport::Udp { checksum: false })
    };
    let foreign = udp(from_client(ALICE, at(VIP, 9), 0)).payload(3000);
    vec![
        case("segments in fragments")
            .established()
            .front(part(alice(ACK).payload(2000), 0), forwarded())
            .front(part(alice(ACK).payload(2000), 1), forwarded())
            .back(part(first(ACK).payload(2000), 0), forwarded())
            .back(part(first(ACK).payload(2000), 1), forwarded()),
        case("datagrams without checksum in fragments")
            .front(part(without(query(7)), 0), opens())
            .front(part(without(query(7)), 1), forwarded())
            .back(part(without(answer(7)), 0), forwarded())
            .back(part(without(answer(7)), 1), forwarded()),
        case("SCTP in fragments, to the service's own port")
            .world(|world| {
                world.services = vec![service(Protocol::Sctp, association, &[(peer, 1)])];
            })
            .front(
                part(sctp(from_client(ALICE, association, 0), 1), 0),
                forwarded().opens(peer, SCTP_INIT1),
            )
            .front(
                part(sctp(from_client(ALICE, association, 0), 1), 1),
                forwarded(),
            ),
        case("fragments of what is not ours are left alone, and the later ones counted")
            .front(part(foreign.clone(), 0), passed())
            .front(part(foreign, 1), unknown()),
        case("a first fragment that is too short for its header is left alone")
            .front(alice(SYN).payload(64).piece(0, 16), passed())
            .front(alice(SYN).payload(64).piece(16, 84), unknown()),
    ]
}

fn methods() -> Vec<Case> {
    let by = |forwarding: Forwarding| {
        move |world: &mut World| {
            for service in &mut world.services {
                service.forwarding = forwarding;
            }
        }
    };
    let ways = [
        ("routed", Forwarding::Route),
        ("in a tunnel", Forwarding::Tunnel(Encapsulation::Ipip)),
    ];
    let of = |(name, way): (&str, Forwarding)| {
        let sent = || forwarded().by(way);
        Case {
            name: format!("fragments {name}"),
            ..case("")
                .world(by(way))
                .front(part(query(7), 1), unknown())
                .front(part(query(7), 0), sent().opens(SERVER, UDP))
                .front(part(query(7), 2), sent())
                .front(part(query(7), 1), sent())
                .front(alice(SYN), sent().opens(FIRST, SYN_RECV))
                .front(part(alice(ACK).payload(1600), 0), sent().state(ESTABLISHED))
                .front(part(alice(ACK).payload(1600), 1), sent())
        }
    };
    ways.map(of).to_vec()
}
