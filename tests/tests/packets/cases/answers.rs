//! What a sender is told when its packet goes nowhere, and when it is told nothing.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{
    answer::{Allowance, Request},
    reason::Reason,
    state::UDP,
};
use ferrovs_model::{Protocol, Sysctl};

use super::{ALICE, BOB, FIRST, alice, departures::sysctl, first, from_client, from_server};
use crate::{
    case::{Case, Expect, case, dropped, forwarded, passed, refused},
    packet::{ACK, FIN, Packet, RST, SYN, Transport, at},
    world::{DNS, HTTP, Port, RIP_143, UNROUTED_CLIENT, World, service},
};

/// Services without servers.
fn empty(world: &mut World) {
    world.services = vec![
        service(Protocol::Tcp, HTTP, &[]),
        service(Protocol::Udp, DNS, &[]),
    ];
}

fn udp(packet: Packet) -> Packet {
    packet.with(|packet| packet.transport = Transport::Udp { checksum: true })
}

fn query(client: SocketAddrV4) -> Packet {
    udp(from_client(client, DNS, 0))
}

/// The answer that a source which has had too many does not get.
fn not_again() -> Expect {
    dropped(Reason::NoDestination).because(Reason::AnswerLimited)
}

pub(super) fn cases() -> Vec<Case> {
    [quotations(), sources(), limits(), strays()].concat()
}

fn quotations() -> Vec<Case> {
    let mut sizes = case("as much of a packet is quoted as an answer has room for").world(empty);
    for size in [0, 1, 500, 519, 520, 521, 1_183, 1_184, 1_185, 1_400] {
        sizes = sizes.front(query(ALICE).payload(size), refused());
    }
    let options = alice(SYN).with(|packet| {
        packet.options = vec![1; 8];
        packet.tcp_options = vec![1; 20];
    });
    let padded = query(ALICE).with(|packet| packet.padding = 18);
    let cut = query(ALICE).payload(100).with(|packet| {
        packet.cut = Some(14 + 40 + 8 + 50);
    });
    vec![
        sizes,
        case("options are quoted")
            .world(empty)
            .front(options, refused()),
        case("what Ethernet pads a frame with is not quoted")
            .world(empty)
            .front(padded, refused()),
        case("a packet that was cut short is not answered")
            .world(empty)
            .front(
                cut,
                dropped(Reason::NoDestination).because(Reason::AnswerLost),
            ),
    ]
}

fn sources() -> Vec<Case> {
    // With options, so that they are not taken for IPv6 cases too, whose addresses begin otherwise.
    let from = |source: [u8; 4]| {
        let client = at(Ipv4Addr::from(source), 40_001);
        query(client).with(|packet| packet.options = vec![1; 4])
    };
    let silently = || dropped(Reason::NoDestination);
    let mut nobody = case("nobody in particular is not answered").world(empty);
    for source in [
        [0, 0, 0, 0],
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [239, 255, 255, 255],
        [240, 0, 0, 1],
        [255, 255, 255, 255],
    ] {
        nobody = nobody.front(from(source), silently());
    }
    for source in [[1, 2, 3, 4], [126, 0, 0, 1], [128, 0, 0, 1], [223, 1, 1, 1]] {
        nobody = nobody.front(from(source), refused());
    }
    vec![nobody]
}

fn limits() -> Vec<Case> {
    let remote = at(Ipv4Addr::new(203, 0, 113, 9), 40_001);
    let mut limited = case("a source gets its answers and no more, another one too").world(empty);
    for _ in 0..Allowance::MOST {
        limited = limited.front(query(ALICE), refused());
    }
    limited = limited
        .front(query(ALICE), not_again())
        .front(alice(SYN), not_again())
        .front(query(BOB), not_again())
        .front(query(remote), refused())
        .seconds(1);
    for _ in 0..100 {
        limited = limited.front(query(ALICE), refused());
    }
    vec![limited]
}

fn strays() -> Vec<Case> {
    let told = || dropped(Reason::NoFlow).answered(Request::port_unreachable(false).by_director());
    let answering = |name| case(name).change(sysctl(Sysctl::NatIcmpSend, 1));
    let stray = || udp(from_server(at(RIP_143, 53), ALICE, 0));
    let unrouted = at(UNROUTED_CLIENT, 40_001);
    vec![
        case("a server's packet without a flow is its own business")
            .back(first(ACK), passed())
            .back(stray(), passed()),
        answering("with nat_icmp_send a server hears that its packet belongs to no flow")
            .back(first(ACK), told())
            .back(first(FIN | ACK).payload(9), told())
            .back(first(SYN | ACK), told())
            .back(stray().payload(700), told())
            .on(Port::Back, first(RST), passed())
            .back(first(RST | ACK), passed()),
        answering("with nat_icmp_send a server's packets of a flow are forwarded")
            .front(query(ALICE), forwarded().opens(at(RIP_143, 53), UDP))
            .back(stray(), forwarded())
            .established()
            .back(first(ACK).payload(5), forwarded()),
        answering("with nat_icmp_send what is no server's is left alone")
            .back(from_server(at(RIP_143, 8080), ALICE, ACK), passed()),
        answering("with nat_icmp_send what the director does not route is left alone")
            .back(from_server(FIRST, unrouted, ACK), passed()),
    ]
}
