//! One-packet scheduling: each datagram is scheduled for itself, and answers find back.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ferrovs_core::abi::state::UDP;
use ferrovs_model::{Change, Netmask, Persistence, Protocol, ServiceSettings};

use super::{ALICE, BOB, from_client, from_server};
use crate::{
    case::{Case, Expect, Step, case, forwarded, passed, refused},
    packet::{Packet, Transport},
    world::{DNS, RIP_141, RIP_143, VIP, World, key, masq, service},
};

const FIRST: SocketAddrV4 = SocketAddrV4::new(RIP_143, 53);
const SECOND: SocketAddrV4 = SocketAddrV4::new(RIP_141, 53);
/// Another service, of the same servers.
const ALT_DNS: SocketAddrV4 = SocketAddrV4::new(VIP, 54);

fn udp(packet: Packet) -> Packet {
    packet.with(|packet| packet.transport = Transport::Udp { checksum: true })
}

fn query(client: SocketAddrV4) -> Packet {
    udp(from_client(client, DNS, 0)).payload(30)
}

fn answer(server: SocketAddrV4, client: SocketAddrV4) -> Packet {
    udp(from_server(server, client, 0)).payload(300)
}

fn edited(service: SocketAddrV4, scheduler: &str, one_packet: bool) -> Change {
    Change::EditService {
        service: key(Protocol::Udp, service),
        settings: ServiceSettings {
            one_packet,
            ..ServiceSettings::new(scheduler)
        },
    }
}

/// A case whose DNS is scheduled packet by packet.
fn by(scheduler: &str, name: &'static str) -> Case {
    case(name).change(edited(DNS, scheduler, true))
}

fn to(server: SocketAddrV4) -> Expect {
    forwarded().alone(server)
}

fn server(server: SocketAddrV4, weight: u32, upper: u32) -> Change {
    let mut destination = masq(server, weight);
    destination.upper_threshold = upper;
    Change::EditDestination {
        service: key(Protocol::Udp, DNS),
        destination,
    }
}

pub(super) fn cases() -> Vec<Case> {
    [each(), remembered(), among_others()].concat()
}

fn each() -> Vec<Case> {
    let both = [FIRST, SECOND].into_iter().cycle();
    let mut many = by("rr", "each datagram of a client goes to the next server");
    for server in both.take(8) {
        many = many
            .front(query(ALICE), to(server))
            .back(answer(server, ALICE), forwarded());
    }
    let persistent = ServiceSettings {
        persistence: Some(Persistence {
            timeout: 360,
            netmask: Netmask::V4(Ipv4Addr::BROADCAST),
        }),
        one_packet: true,
        ..ServiceSettings::new("rr")
    };
    vec![
        many,
        by("wlc", "datagrams by themselves are no load")
            .front(query(ALICE), to(FIRST))
            .front(query(ALICE), to(FIRST))
            .front(query(BOB), to(FIRST)),
        by("rr", "thresholds do not count datagrams by themselves")
            .change(server(FIRST, 1, 1))
            .front(query(ALICE), to(FIRST))
            .front(query(ALICE), to(SECOND))
            .front(query(ALICE), to(FIRST)),
        by("rr", "a datagram by itself without a server")
            .change(server(FIRST, 0, 0))
            .change(server(SECOND, 0, 0))
            .front(query(ALICE), refused().deferred()),
        case("a persistent client's datagrams by themselves go to its server")
            .change(Change::EditService {
                service: key(Protocol::Udp, DNS),
                settings: persistent,
            })
            .front(query(ALICE), to(FIRST).keeps(FIRST))
            .front(query(ALICE), to(FIRST))
            .front(query(BOB), to(FIRST))
            .back(answer(FIRST, BOB), forwarded()),
    ]
}

fn remembered() -> Vec<Case> {
    vec![
        by("rr", "servers answer in any order")
            .front(query(ALICE), to(FIRST))
            .front(query(BOB), to(SECOND))
            .front(query(ALICE), to(FIRST))
            .front(query(ALICE), to(SECOND))
            .back(answer(SECOND, ALICE), forwarded())
            .back(answer(SECOND, BOB), forwarded())
            .back(answer(FIRST, ALICE), forwarded())
            .back(answer(FIRST, ALICE), forwarded())
            .back(answer(FIRST, BOB), passed()),
        by("rr", "where answers go is forgotten after 300 s")
            .front(query(ALICE), to(FIRST))
            .seconds(200)
            .back(answer(FIRST, ALICE), forwarded())
            .seconds(200)
            .back(answer(FIRST, ALICE), forwarded())
            .seconds(302)
            .back(answer(FIRST, ALICE), passed())
            .step(Step::Sweep(vec![ALICE])),
        by("rr", "a datagram by itself renews where answers go")
            .change(server(SECOND, 0, 0))
            .front(query(ALICE), to(FIRST))
            .seconds(200)
            .front(query(ALICE), to(FIRST))
            .seconds(200)
            .back(answer(FIRST, ALICE), forwarded()),
        by("rr", "a server that was taken away still answers")
            .front(query(ALICE), to(FIRST))
            .change(Change::DeleteDestination {
                service: key(Protocol::Udp, DNS),
                address: SocketAddr::V4(FIRST),
            })
            .back(answer(FIRST, ALICE), forwarded())
            .front(query(ALICE), to(SECOND))
            .front(query(ALICE), to(SECOND)),
    ]
}

/// Two services by packets with one server.
fn sharing(world: &mut World) {
    let servers = [(FIRST, 1)];
    world.services = vec![
        service(Protocol::Udp, DNS, &servers),
        service(Protocol::Udp, ALT_DNS, &servers),
    ];
}

fn among_others() -> Vec<Case> {
    let on_alt = || udp(from_client(ALICE, ALT_DNS, 0)).payload(30);
    vec![
        case("a flow goes on when its service begins to schedule packets")
            .front(query(ALICE), forwarded().opens(FIRST, UDP))
            .change(edited(DNS, "rr", true))
            .front(query(ALICE), forwarded())
            .back(answer(FIRST, ALICE), forwarded())
            .front(query(BOB), to(SECOND))
            .front(query(BOB), to(FIRST)),
        by(
            "rr",
            "a client has flows again when its service ceases to schedule packets",
        )
        .front(query(ALICE), to(FIRST))
        .change(edited(DNS, "rr", false))
        .front(query(ALICE), forwarded().opens(SECOND, UDP))
        .front(query(ALICE), forwarded())
        .back(answer(SECOND, ALICE), forwarded())
        .back(answer(FIRST, ALICE), forwarded()),
        by(
            "rr",
            "a flow takes the place of where its server's answers went",
        )
        .world(sharing)
        .front(query(ALICE), to(FIRST))
        .change(edited(DNS, "rr", false))
        .front(query(ALICE), forwarded().ends(ALICE).opens(FIRST, UDP))
        .back(answer(FIRST, ALICE), forwarded()),
        by(
            "rr",
            "one client asks two services of one server packet by packet",
        )
        .world(sharing)
        .change(edited(ALT_DNS, "rr", true))
        .front(query(ALICE), to(FIRST))
        .front(on_alt(), to(FIRST).draws_port())
        .front(on_alt(), to(FIRST))
        .front(query(ALICE), to(FIRST))
        .back(answer(FIRST, ALICE), forwarded()),
    ]
}
