//! What stands before the IP header: Ethernet, 802.1Q, nothing.

use std::net::SocketAddrV4;

use ferrovs_core::abi::state::SYN_RECV;
use ferrovs_model::Protocol;

use super::{FIRST, alice, first};
use crate::{
    case::{Case, Expect, case, forwarded, passed},
    packet::{ACK, Link, Mac, Packet, SYN, at},
    world::{
        BACK_MAC, BARE_CLIENT, BARE_LENGTH, BARE_SERVER, CLIENT, FRONT_MAC, HTTP, Kind, Port,
        RIP_143, World, mac_of, service,
    },
};

/// Priority 3, VLAN 5.
const TAG: u16 = 3 << 13 | 5;
/// VLAN 7.
const OTHER_TAG: u16 = 7;

const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

fn to_mac(destination: Mac) -> Packet {
    alice(SYN).with(|packet| {
        packet.link = Link::Ethernet {
            destination,
            source: mac_of(CLIENT),
        };
    })
}

fn tagged(mut packet: Packet, tag: u16) -> Packet {
    if let Link::Ethernet {
        destination,
        source,
    } = packet.link
    {
        packet.link = Link::Tagged {
            destination,
            source,
            tag,
        };
    }
    packet
}

/// A packet without a link header, of the length that all such have here.
fn bare(mut packet: Packet) -> Packet {
    packet.link = Link::Bare;
    packet.options = vec![1; 4];
    packet.payload = vec![7; BARE_LENGTH - 44];
    packet
}

fn with_kind(server: Kind, client: Kind) -> impl FnOnce(&mut World) {
    move |world| {
        world.hop_mut(RIP_143).kind = server;
        world.hop_mut(CLIENT).kind = client;
    }
}

/// A service whose only server is behind the interface without link headers.
fn bare_server(world: &mut World) {
    world.services = vec![service(Protocol::Tcp, HTTP, &[(at(BARE_SERVER, 80), 1)])];
}

pub(super) fn cases() -> Vec<Case> {
    let opens = || forwarded().opens(FIRST, SYN_RECV);
    let other_type = |ethertype| alice(SYN).with(|packet| packet.ethertype = Some(ethertype));
    let bare_alice: SocketAddrV4 = at(BARE_CLIENT, 40_001);
    let from_bare = |flags| bare(super::from_client(bare_alice, HTTP, flags));
    let on_bare = |case: Case, packet: Packet, expect: Expect| case.on(Port::Bare, packet, expect);
    vec![
        case("a frame for another host is not ours")
            .front(to_mac([0x02, 0, 0, 0, 1, 2]), passed())
            .front(to_mac(BACK_MAC), passed())
            .front(to_mac([0; 6]), passed()),
        case("a broadcast frame is not ours").front(to_mac([0xff; 6]), passed()),
        case("a multicast frame is not ours").front(to_mac([0x01, 0, 0x5e, 0, 0, 1]), passed()),
        case("other Ethernet types are not ours")
            .front(other_type(ARP), passed())
            .front(other_type(IPV6), passed())
            .front(other_type(SERVICE_VLAN), passed())
            .front(other_type(0x05dc), passed()),
        case("an interface that is not watched")
            .on(
                Port::Unknown,
                to_mac(crate::world::mac_of_port(Port::Unknown)),
                passed(),
            )
            .on(Port::Unknown, to_mac(FRONT_MAC), passed()),
        case("any watched interface takes packets for a service")
            .back(to_mac(BACK_MAC), opens())
            .front(
                first(SYN | ACK).with(|packet| {
                    packet.link = Link::Ethernet {
                        destination: FRONT_MAC,
                        source: mac_of(RIP_143),
                    };
                }),
                forwarded(),
            ),
        case("a tagged frame to next hops with tags gets theirs")
            .world(with_kind(Kind::Tagged(OTHER_TAG), Kind::Tagged(TAG)))
            .front(tagged(alice(SYN), TAG), opens())
            .back(tagged(first(SYN | ACK), OTHER_TAG), forwarded()),
        case("a tagged frame to a next hop in the same VLAN")
            .world(with_kind(Kind::Tagged(TAG), Kind::Tagged(TAG)))
            .front(tagged(alice(SYN).payload(99), TAG), opens())
            .back(tagged(first(SYN | ACK), TAG), forwarded()),
        case("a tagged frame to next hops without tags is the kernel's work")
            .front(tagged(alice(SYN), TAG), opens().resolved())
            .back(tagged(first(SYN | ACK), TAG), forwarded().resolved()),
        case("a plain frame to next hops with tags is the kernel's work")
            .world(with_kind(Kind::Tagged(TAG), Kind::Tagged(TAG)))
            .front(alice(SYN), opens().resolved())
            .back(first(SYN | ACK), forwarded().resolved()),
        case("tagged frames of other types are not ours")
            .front(tagged(other_type(ARP), TAG), passed())
            .front(tagged(other_type(VLAN), TAG), passed())
            .front(tagged(to_mac([0xff; 6]), TAG), passed()),
        on_bare(
            case("packets without link headers, both ways").world(bare_server),
            from_bare(SYN),
            forwarded().opens(at(BARE_SERVER, 80), SYN_RECV),
        )
        .on(
            Port::Bare,
            bare(super::from_server(
                at(BARE_SERVER, 80),
                bare_alice,
                SYN | ACK,
            )),
            forwarded(),
        ),
        on_bare(
            case("from an interface without link headers to one with them, and back"),
            from_bare(SYN),
            opens().resolved(),
        )
        .back(
            super::from_server(FIRST, bare_alice, SYN | ACK),
            forwarded().resolved(),
        ),
        on_bare(
            case("an Ethernet frame on an interface without link headers is not one")
                .world(bare_server),
            alice(SYN),
            passed(),
        ),
        case("a packet without a link header on an Ethernet interface is no frame")
            .front(bare(alice(SYN)), passed()),
    ]
}
