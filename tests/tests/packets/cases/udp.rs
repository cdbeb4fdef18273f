//! UDP: one state, and a checksum that may be absent (RFC 768).

use std::net::SocketAddrV4;

use ferrovs_core::abi::state::UDP;
use ferrovs_model::Change;

use super::{ALICE, BOB};
use crate::{
    case::{Case, Step, case, forwarded, passed},
    packet::{Link, Packet, Transport, at},
    world::{BACK_MAC, DNS, FRONT_MAC, HTTP, RIP_141, RIP_143, VIP, World, mac_of},
};

const FIRST: SocketAddrV4 = SocketAddrV4::new(RIP_143, 53);
const SECOND: SocketAddrV4 = SocketAddrV4::new(RIP_141, 53);

fn query(client: SocketAddrV4, service: SocketAddrV4) -> Packet {
    let link = Link::Ethernet {
        destination: FRONT_MAC,
        source: mac_of(*client.ip()),
    };
    Packet::new(link, client, service, Transport::Udp { checksum: true })
}

fn answer(server: SocketAddrV4, client: SocketAddrV4) -> Packet {
    let link = Link::Ethernet {
        destination: BACK_MAC,
        source: mac_of(*server.ip()),
    };
    Packet::new(link, server, client, Transport::Udp { checksum: true })
}

fn without_checksum(packet: &mut Packet) {
    packet.transport = Transport::Udp { checksum: false };
}

/// The packet with such a payload that it has the checksum 0xffff between these endpoints, which is
/// how a sum of zero is written.
fn summing_to_zero(packet: &Packet, source: SocketAddrV4, destination: SocketAddrV4) -> Packet {
    let with = |word: u16| {
        let mut packet = packet.clone();
        packet.payload = word.to_be_bytes().to_vec();
        packet
    };
    let is_zero = |packet: &Packet| {
        let mut packet = packet.clone();
        (packet.source, packet.destination) = (source, destination);
        packet.bytes()[14 + 20 + 6..][..2] == [0xff, 0xff]
    };
    let mut all = (1..=u16::MAX).map(with);
    all.find(is_zero)
        .expect("one payload of 65,535 has that sum")
}

pub(super) fn cases() -> Vec<Case> {
    let opens = || forwarded().opens(FIRST, UDP);
    let zero_to_server = summing_to_zero(&query(ALICE, DNS), ALICE, FIRST);
    let zero_to_client = summing_to_zero(&answer(FIRST, ALICE), DNS, ALICE);
    let zero_at_first = summing_to_zero(&query(ALICE, DNS), ALICE, DNS);
    let mut sizes = case("UDP payloads of every size, odd ones too")
        .world(World::widen)
        .front(query(ALICE, DNS), opens());
    for size in [0, 1, 2, 3, 17, 512, 1399, 1400, 1472] {
        sizes = sizes
            .front(query(ALICE, DNS).payload(size), forwarded())
            .back(answer(FIRST, ALICE).payload(size), forwarded());
    }
    vec![
        case("a datagram opens a flow, and more follow, both ways")
            .front(query(ALICE, DNS).payload(30), opens())
            .back(answer(FIRST, ALICE).payload(300), forwarded())
            .front(query(ALICE, DNS).payload(31), forwarded())
            .front(query(BOB, DNS).payload(32), forwarded().opens(SECOND, UDP))
            .back(answer(SECOND, BOB), forwarded()),
        sizes,
        case("no UDP checksum stays none")
            .front(query(ALICE, DNS).payload(5).with(without_checksum), opens())
            .back(
                answer(FIRST, ALICE).payload(6).with(without_checksum),
                forwarded(),
            )
            .front(query(ALICE, DNS).payload(5), forwarded()),
        case("a UDP checksum that becomes zero is written as 0xffff")
            .front(zero_to_server, opens())
            .back(zero_to_client, forwarded()),
        case("a UDP checksum of 0xffff is one like any other").front(zero_at_first, opens()),
        case("a wrong UDP checksum stays wrong")
            .front(
                query(ALICE, DNS)
                    .payload(4)
                    .with(|packet| packet.transport_error = 0x0101),
                opens(),
            )
            .back(
                answer(FIRST, ALICE)
                    .payload(3)
                    .with(|packet| packet.transport_error = 0x4000),
                forwarded(),
            ),
        case("a UDP flow is forgotten after 300 s, and the next datagram opens another")
            .front(query(ALICE, DNS), opens())
            .seconds(290)
            .back(answer(FIRST, ALICE), forwarded())
            .seconds(302)
            .back(answer(FIRST, ALICE), passed())
            .front(
                query(ALICE, DNS),
                forwarded().ends(ALICE).opens(SECOND, UDP),
            ),
        case("the sweeper ends UDP flows")
            .front(query(ALICE, DNS), opens())
            .change(Change::SetTimeouts {
                tcp: None,
                tcp_fin: None,
                udp: Some(5),
            })
            .seconds(4)
            .step(Step::Sweep(vec![]))
            .seconds(3)
            .step(Step::Sweep(vec![ALICE])),
        case("a server's datagram without a flow is its own business")
            .back(answer(FIRST, ALICE), passed()),
        case("a UDP packet is not for a TCP service, and the other way round")
            .front(query(ALICE, HTTP), passed())
            .front(query(ALICE, at(VIP, 54)), passed())
            .front(super::from_client(ALICE, DNS, crate::packet::SYN), passed()),
        case("a TCP and a UDP flow of the same client endpoint")
            .front(query(ALICE, DNS), opens())
            .half_open()
            .back(answer(FIRST, ALICE), forwarded())
            .back(
                super::first(crate::packet::SYN | crate::packet::ACK),
                forwarded(),
            ),
    ]
}
