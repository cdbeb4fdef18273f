//! Packets that are too big for the link by which they would leave.

use std::net::Ipv4Addr;

use ferrovs_core::abi::state::{ESTABLISHED, SYN_RECV, UDP};
use ferrovs_model::Forwarding;

use super::{ALICE, FIRST, alice, first, from_client, from_server};
use crate::{
    case::{Case, Step, case, forwarded, too_big},
    packet::{ACK, Packet, SYN, Transport, at},
    world::{CLIENT, DNS, FRONT_ROUTER, Fitness, HTTP, REMOTE_CLIENT, RIP_143, World},
};

/// A link that takes no more than this.
const NARROW: u16 = 600;
/// Bytes of a segment's payload that fill it with an IPv6 header before them, so that with an IPv4 header there is room left.
const FITS: usize = NARROW as usize - 60;
/// The least that is too much with an IPv4 header.
const TOO_MUCH: usize = NARROW as usize - 40 + 1;

fn narrow(neighbour: Ipv4Addr) -> impl Fn(&mut World) {
    move |world| world.hop_mut(neighbour).mtu = NARROW
}

fn udp(packet: Packet) -> Packet {
    packet.with(|packet| packet.transport = Transport::Udp { checksum: true })
}

pub(super) fn cases() -> Vec<Case> {
    let too_big = || too_big(u32::from(NARROW));
    let server = at(RIP_143, 53);
    let remote = at(REMOTE_CLIENT, 40_001);
    let by = Forwarding::Route;
    let query = |size| udp(from_client(ALICE, DNS, 0)).payload(size);
    let answer = |size| udp(from_server(server, ALICE, 0)).payload(size);
    vec![
        case("a client's segment that is too big for the way to its server")
            .world(narrow(RIP_143))
            .established()
            .front(alice(ACK).payload(FITS), forwarded())
            .front(alice(ACK).payload(TOO_MUCH), too_big())
            .front(alice(ACK).payload(1400), too_big())
            .back(first(ACK).payload(1400), forwarded())
            .front(alice(ACK), forwarded()),
        case("a server's segment that is too big for the way to its client")
            .world(narrow(CLIENT))
            .established()
            .back(first(ACK).payload(FITS), forwarded())
            .back(first(ACK).payload(TOO_MUCH), too_big().by_director())
            .back(first(ACK).payload(1400), too_big().by_director())
            .front(alice(ACK).payload(1400), forwarded()),
        case("to a client behind a router the router's link counts")
            .world(narrow(FRONT_ROUTER))
            .opened(remote, HTTP, FIRST)
            .back(from_server(FIRST, remote, SYN | ACK), forwarded())
            .back(
                from_server(FIRST, remote, ACK).payload(TOO_MUCH),
                too_big().by_director(),
            ),
        case("datagrams that are too big, with DF or without, open their flows all the same")
            .world(narrow(RIP_143))
            .front(query(FITS + 40), too_big().opens(server, UDP))
            .front(
                query(FITS + 40).with(|packet| packet.fragment = 0x4000),
                too_big(),
            )
            .front(query(FITS), forwarded())
            .back(answer(1400), forwarded()),
        case("a link whose MTU is not known takes all")
            .world(|world| world.hop_mut(RIP_143).mtu = 0)
            .established()
            .front(alice(ACK).payload(1460), forwarded()),
        case("the MTU counts where the kernel has to find the neighbour, too")
            .world(narrow(RIP_143))
            .established()
            .step(Step::Neighbour(RIP_143, Fitness::Unusable))
            .front(alice(ACK).payload(FITS), forwarded().resolved())
            .front(alice(ACK).payload(TOO_MUCH), too_big().deferred()),
        case("a segment that is too big for the way to a server that answers past us")
            .world(|world| {
                narrow(RIP_143)(world);
                for service in &mut world.services {
                    service.forwarding = by;
                }
            })
            .front(alice(SYN), forwarded().by(by).opens(FIRST, SYN_RECV))
            .front(
                alice(ACK).payload(FITS),
                forwarded().by(by).state(ESTABLISHED),
            )
            .front(alice(ACK).payload(TOO_MUCH), too_big()),
    ]
}
