//! Services and servers that come, go and share.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{ESTABLISHED, SYN_RECV, UDP},
};
use ferrovs_model::{Change, Protocol};

use super::{ALICE, BOB, FIRST, SECOND, alice, client, first, from_client, from_server, http_of};
use crate::{
    case::{Case, Step, case, forwarded, passed, refused},
    packet::{ACK, Link, Packet, SYN, Transport, at},
    world::{BACK_MAC, DIP, HTTP, RIP_141, RIP_143, VIP, World, key, mac_of, masq, service},
};

const ALT_HTTP: SocketAddrV4 = SocketAddrV4::new(VIP, 81);

pub(super) fn http() -> ferrovs_model::ServiceKey {
    key(Protocol::Tcp, HTTP)
}

pub(super) fn add(server: SocketAddrV4) -> Change {
    Change::AddDestination {
        service: http(),
        destination: masq(server, 1),
    }
}

fn weigh(server: SocketAddrV4, weight: u32) -> Change {
    Change::EditDestination {
        service: http(),
        destination: masq(server, weight),
    }
}

pub(super) fn delete(server: SocketAddrV4) -> Change {
    Change::DeleteDestination {
        service: http(),
        address: SocketAddr::V4(server),
    }
}

/// HTTP with these servers, and nothing else.
fn http_with(servers: &[(SocketAddrV4, u32)]) -> impl FnOnce(&mut World) {
    let services = vec![service(Protocol::Tcp, HTTP, servers)];
    move |world| world.services = services
}

/// Two services with one and the same server.
fn sharing(world: &mut World) {
    let servers = [(FIRST, 1)];
    world.services = vec![
        service(Protocol::Tcp, HTTP, &servers),
        service(Protocol::Tcp, ALT_HTTP, &servers),
    ];
}

pub(super) fn cases() -> Vec<Case> {
    [schedules(), endpoints(), sharers()].concat()
}

fn schedules() -> Vec<Case> {
    let third = http_of(Ipv4Addr::new(192, 168, 2, 254));
    vec![
        case("a service without servers")
            .world(http_with(&[]))
            .front(alice(SYN), refused())
            .front(alice(ACK), passed().because(Reason::NoFlow)),
        case("a service whose servers all weigh nothing")
            .world(http_with(&[(SECOND, 0), (FIRST, 0)]))
            .front(alice(SYN), refused()),
        case("a server of weight 0 gets no new flows")
            .world(http_with(&[(SECOND, 1), (FIRST, 0)]))
            .opened(ALICE, HTTP, SECOND)
            .opened(BOB, HTTP, SECOND),
        case("a server that is set to weight 0 keeps the flows it has")
            .established()
            .change(weigh(FIRST, 0))
            .opened(BOB, HTTP, SECOND)
            .front(alice(ACK).payload(5), forwarded())
            .back(first(ACK), forwarded()),
        case("three servers in turn, the newest first")
            .world(http_with(&[(SECOND, 1), (FIRST, 1), (third, 1)]))
            .opened(client(1), HTTP, third)
            .opened(client(2), HTTP, FIRST)
            .opened(client(3), HTTP, SECOND)
            .opened(client(4), HTTP, third)
            .opened(client(5), HTTP, FIRST)
            .opened(client(6), HTTP, SECOND),
        case("weights above 0 do not matter to rr")
            .world(http_with(&[(SECOND, 100), (FIRST, 1)]))
            .opened(client(1), HTTP, FIRST)
            .opened(client(2), HTTP, SECOND)
            .opened(client(3), HTTP, FIRST),
        case("a server joins in the midst of a round")
            .world(http_with(&[(SECOND, 1), (FIRST, 1)]))
            .opened(client(1), HTTP, FIRST)
            .change(add(third))
            .opened(client(2), HTTP, SECOND)
            .opened(client(3), HTTP, third)
            .opened(client(4), HTTP, FIRST),
    ]
}

fn endpoints() -> Vec<Case> {
    let other_vip = at(Ipv4Addr::new(169, 254, 179, 2), 8080);
    let both = vec![
        service(Protocol::Tcp, HTTP, &[(FIRST, 1)]),
        service(Protocol::Udp, HTTP, &[(FIRST, 1)]),
    ];
    let datagram = |mut packet: Packet| {
        packet.transport = Transport::Udp { checksum: true };
        packet
    };
    let hairpin = at(RIP_141, 50_000);
    let from_hairpin = from_client(hairpin, HTTP, SYN).with(|packet| {
        packet.link = Link::Ethernet {
            destination: BACK_MAC,
            source: mac_of(RIP_141),
        };
    });
    vec![
        case("a server on another port than its service")
            .world(http_with(&[(at(RIP_141, 8080), 1)]))
            .connected(ALICE, HTTP, at(RIP_141, 8080))
            .back(from_server(at(RIP_141, 80), ALICE, ACK), passed()),
        case("a server of port 0 serves at the service's port")
            .world(http_with(&[(at(RIP_141, 0), 1)]))
            .connected(ALICE, HTTP, at(RIP_141, 80)),
        case("two ports of one server in one service")
            .world(http_with(&[(at(RIP_141, 8080), 1), (at(RIP_141, 8081), 1)]))
            .connected(ALICE, HTTP, at(RIP_141, 8081))
            .connected(BOB, HTTP, at(RIP_141, 8080)),
        case("a service on another virtual address")
            .world(|world| {
                let servers = [(at(RIP_143, 8080), 1)];
                world
                    .services
                    .push(service(Protocol::Tcp, other_vip, &servers));
            })
            .connected(ALICE, HTTP, FIRST)
            .connected(ALICE, other_vip, at(RIP_143, 8080)),
        case("TCP and UDP on one endpoint, with one server socket")
            .world(|world| world.services = both)
            .half_open()
            .front(datagram(alice(0)), forwarded().opens(FIRST, UDP))
            .back(first(SYN | ACK), forwarded())
            .back(datagram(first(0)), forwarded()),
        case("a server is a client of its own service")
            .back(from_hairpin, forwarded().opens(FIRST, SYN_RECV))
            .back(from_server(FIRST, hairpin, SYN | ACK), forwarded()),
        case("a packet to the director's own inner address is the stack's")
            .front(from_client(ALICE, at(DIP, 80), SYN), passed()),
    ]
}

fn sharers() -> Vec<Case> {
    let on_alt = |flags| from_client(ALICE, ALT_HTTP, flags);
    vec![
        case("a server of two services tells two clients apart by itself")
            .world(sharing)
            .connected(ALICE, HTTP, FIRST)
            .connected(BOB, ALT_HTTP, FIRST)
            .back(first(ACK).payload(3), forwarded())
            .back(from_server(FIRST, BOB, ACK).payload(3), forwarded()),
        case("one client endpoint, two services, one server: the newer flow takes another port")
            .world(sharing)
            .connected(ALICE, HTTP, FIRST)
            .front(on_alt(SYN), forwarded().opens(FIRST, SYN_RECV).draws_port())
            .front(on_alt(SYN), forwarded())
            .front(alice(ACK).payload(3), forwarded())
            .back(first(ACK).payload(3), forwarded()),
        case("the same when the newer flow is the first service's")
            .world(sharing)
            .connected(ALICE, ALT_HTTP, FIRST)
            .front(alice(SYN), forwarded().opens(FIRST, SYN_RECV).draws_port())
            .back(first(ACK).payload(3), forwarded()),
        case("a source port is free again when the sweeper has ended the older flow")
            .world(sharing)
            .opened(ALICE, HTTP, FIRST)
            .seconds(62)
            .step(Step::Sweep(vec![ALICE]))
            .front(on_alt(SYN), forwarded().opens(FIRST, SYN_RECV))
            .back(first(SYN | ACK), forwarded())
            .front(on_alt(ACK), forwarded().state(ESTABLISHED).protects()),
        case("a server that becomes shared keeps the flows it had")
            .world(http_with(&[(FIRST, 1)]))
            .established()
            .change(Change::AddService {
                service: key(Protocol::Tcp, ALT_HTTP),
                settings: ferrovs_model::ServiceSettings::new("rr"),
            })
            .change(Change::AddDestination {
                service: key(Protocol::Tcp, ALT_HTTP),
                destination: masq(FIRST, 1),
            })
            .back(first(ACK).payload(3), forwarded())
            .front(on_alt(SYN), forwarded().opens(FIRST, SYN_RECV).draws_port())
            .back(first(ACK).payload(4), forwarded())
            .connected(BOB, ALT_HTTP, FIRST),
    ]
}
