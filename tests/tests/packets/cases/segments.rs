//! Single TCP segments: those that open, those that belong to nothing, sizes and checksums.

use std::net::SocketAddrV4;

use ferrovs_core::abi::{reason::Reason, state::SYN_RECV};

use super::{ALICE, FIRST, alice, client, first, from_client, from_server};
use crate::{
    case::{Case, case, forwarded, passed},
    packet::{ACK, FIN, Packet, RST, SYN, at},
    world::{CLIENT, HTTP, RIP_143, VIP, World},
};

/// Flags that neither open nor close.
const PSH: u8 = 8;
const URG: u8 = 32;
const ECE: u8 = 64;
const CWR: u8 = 128;

pub(super) fn cases() -> Vec<Case> {
    [strays(), shapes()].concat()
}

fn strays() -> Vec<Case> {
    let mut without_flow = case("what opens nothing and belongs to no flow goes to the stack");
    for flags in [
        ACK,
        ACK | PSH,
        FIN | ACK,
        FIN,
        RST,
        RST | ACK,
        SYN | ACK,
        SYN | RST,
        0,
    ] {
        without_flow = without_flow.front(alice(flags), passed().because(Reason::NoFlow));
    }
    let mut openers = case("a SYN opens whatever else it carries");
    for (port, flags) in (1..).zip([SYN | PSH, SYN | URG, SYN | ECE | CWR, SYN | FIN]) {
        let server = if port % 2 == 1 { FIRST } else { super::SECOND };
        openers = openers.front(
            from_client(client(port), HTTP, flags),
            forwarded().opens(server, SYN_RECV),
        );
    }
    vec![
        without_flow,
        openers,
        case("a server's segment without a flow is its own business")
            .back(first(SYN | ACK), passed())
            .back(first(RST), passed())
            .back(first(SYN), passed()),
        case("the VIP's other ports are the stack's")
            .front(from_client(ALICE, at(VIP, 81), SYN), passed())
            .front(from_client(ALICE, at(VIP, 0), SYN), passed())
            .front(from_client(ALICE, at(VIP, 53), SYN), passed()),
        case("other addresses are the stack's")
            .front(from_client(ALICE, at(CLIENT, 80), SYN), passed())
            .front(from_client(ALICE, at(RIP_143, 80), SYN), passed()),
        case("a server's other ports are its own business")
            .established()
            .back(from_server(at(RIP_143, 81), ALICE, ACK), passed())
            .back(from_server(at(RIP_143, 0), ALICE, ACK), passed())
            .back(from_server(at(RIP_143, 8080), ALICE, SYN), passed()),
        case("a server's segment to another client has no flow")
            .established()
            .back(from_server(FIRST, client(40_009), ACK), passed())
            .back(from_server(super::SECOND, ALICE, ACK), passed()),
    ]
}

/// The segment with such a payload that its checksum is zero between these endpoints.
fn summing_to_zero(packet: &Packet, source: SocketAddrV4, destination: SocketAddrV4) -> Packet {
    let with = |word: u16| {
        let mut packet = packet.clone();
        packet.payload = word.to_be_bytes().to_vec();
        packet
    };
    let is_zero = |packet: &Packet| {
        let mut packet = packet.clone();
        (packet.source, packet.destination) = (source, destination);
        packet.bytes()[14 + 20 + 16..][..2] == [0, 0]
    };
    let mut all = (1..=u16::MAX).map(with);
    all.find(is_zero)
        .expect("one payload of 65,535 has that sum")
}

fn shapes() -> Vec<Case> {
    let mut sizes = case("payloads of every size, odd ones too")
        .world(World::widen)
        .established();
    for size in [0, 1, 2, 3, 5, 6, 7, 255, 536, 1399, 1400, 1460] {
        sizes = sizes
            .front(alice(ACK).payload(size), forwarded())
            .back(first(ACK).payload(size), forwarded());
    }
    vec![
        sizes,
        case("a TCP checksum that becomes zero is written as zero")
            .established()
            .front(summing_to_zero(&alice(ACK), ALICE, FIRST), forwarded())
            .back(summing_to_zero(&first(ACK), HTTP, ALICE), forwarded()),
        case("TCP options stay as they are")
            .front(
                alice(SYN).with(|packet| packet.tcp_options = vec![2, 4, 5, 180, 1, 3, 3, 7]),
                forwarded().opens(FIRST, SYN_RECV),
            )
            .back(
                first(SYN | ACK).with(|packet| packet.tcp_options = vec![1; 40]),
                forwarded(),
            ),
        case("a frame that Ethernet padded keeps its padding, which is not counted")
            .front(
                alice(SYN).with(|packet| packet.padding = 6),
                forwarded().opens(FIRST, SYN_RECV),
            )
            .back(
                first(SYN | ACK).with(|packet| packet.padding = 6),
                forwarded(),
            ),
        case("a wrong TCP checksum stays wrong")
            .established()
            .front(
                alice(ACK)
                    .payload(9)
                    .with(|packet| packet.transport_error = 1),
                forwarded(),
            )
            .back(
                first(ACK)
                    .payload(8)
                    .with(|packet| packet.transport_error = 0x1234),
                forwarded(),
            ),
        case("a wrong IP header checksum stays wrong")
            .established()
            .front(alice(ACK).with(|packet| packet.ip_error = 1), forwarded())
            .back(
                first(ACK).with(|packet| packet.ip_error = 0x8000),
                forwarded(),
            ),
    ]
}
