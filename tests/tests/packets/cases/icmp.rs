//! ICMP errors about packets of flows, in both directions.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{SCTP_INIT1, SYN_RECV, UDP},
};
use ferrovs_model::{Forwarding, Protocol};

use super::{ALICE, BOB, FIRST, alice, first, from_client, from_server, http_of};
use crate::{
    case::{Case, Step, case, dropped, forwarded, passed, up},
    packet::{ACK, Link, Packet, Quotation, SYN, Transport, at},
    world::{
        BACK_MAC, BACK_ROUTER, CLIENT, DIP, DNS, FRONT_MAC, FRONT_ROUTER, Fitness, HTTP,
        REMOTE_CLIENT, RIP_143, VIP, World, mac_of, service,
    },
};

const DNS_SERVER: SocketAddrV4 = SocketAddrV4::new(RIP_143, 53);

/// An error from a host, as it arrives on the front (`true`) or the back.
fn error(from: Ipv4Addr, front: bool, kind: [u8; 2], quoted: Packet) -> Packet {
    let link = Link::Ethernet {
        destination: if front { FRONT_MAC } else { BACK_MAC },
        source: mac_of(from),
    };
    let to = at(*quoted.source.ip(), 0);
    Packet::new(link, at(from, 0), to, Transport::Icmp).with(|packet| {
        packet.quotation = Some(Quotation {
            kind: kind[0],
            code: kind[1],
            rest: 1200,
            packet: Box::new(quoted),
            bytes: None,
        });
    })
}

/// With only so many bytes of the quoted packet's transport.
fn quoting(packet: Packet, transport: usize) -> Packet {
    packet.with(|packet| {
        let quotation = packet.quotation.as_mut().unwrap();
        let header = 20 + quotation.packet.options.len();
        quotation.bytes = Some(header + transport);
    })
}

/// The same segment between other ends, as a router behind us has seen it.
fn between(packet: Packet, source: SocketAddrV4, destination: SocketAddrV4) -> Packet {
    packet.with(|packet| {
        packet.source = source;
        packet.destination = destination;
        packet.ttl = 63;
    })
}

/// What the first server has sent to Alice, behind the director.
fn reply() -> Packet {
    between(first(ACK).payload(40), HTTP, ALICE)
}

/// What Alice has sent to the first server, behind the director.
fn request() -> Packet {
    between(alice(ACK).payload(40), ALICE, FIRST)
}

/// From a router on the clients' side, about a reply.
fn from_router(kind: [u8; 2]) -> Packet {
    error(FRONT_ROUTER, true, kind, reply())
}

/// From a router on the servers' side, about a request.
fn from_behind(kind: [u8; 2]) -> Packet {
    error(BACK_ROUTER, false, kind, request())
}

fn udp(packet: Packet) -> Packet {
    packet.with(|packet| packet.transport = Transport::Udp { checksum: true })
}

fn query() -> Packet {
    udp(from_client(ALICE, DNS, 0)).payload(30)
}

fn answer() -> Packet {
    udp(from_server(DNS_SERVER, ALICE, 0)).payload(70)
}

pub(super) fn cases() -> Vec<Case> {
    [
        kinds(),
        quotations(),
        protocols(),
        foreign(),
        ways(),
        methods(),
    ]
    .concat()
}

fn kinds() -> Vec<Case> {
    let mut both = Vec::new();
    for (name, kinds) in [
        (
            "unreachable",
            vec![[3, 0], [3, 1], [3, 2], [3, 3], [3, 13], [3, 15]],
        ),
        ("fragmentation needed", vec![[3, 4]]),
        ("source quench", vec![[4, 0]]),
        ("time exceeded", vec![[11, 0], [11, 1]]),
        ("parameter problem", vec![[12, 0], [12, 1]]),
    ] {
        let named = |way: &str| Case {
            name: format!("{name} goes to the {way}"),
            ..case("").established()
        };
        let mut to_server = named("server that has sent the packet");
        let mut to_client = named("client that has sent the packet");
        for kind in kinds {
            to_server = to_server.front(from_router(kind), forwarded());
            to_client = to_client.back(from_behind(kind), forwarded());
        }
        both.extend([to_server, to_client]);
    }
    let mut left = case("what is no error is left to the stack").established();
    for kind in [0, 5, 8, 9, 13, 14, 17, 30] {
        left = left.front(from_router([kind, 0]), passed());
        left = left.back(from_behind([kind, 0]), passed());
    }
    both.push(left);
    both.push(
        case("an echo request to the virtual address is left to the stack")
            .established()
            .front(from_router([8, 0]).payload(56), passed()),
    );
    both
}

fn quotations() -> Vec<Case> {
    let mut sizes = case("what is quoted of the packet decides what is mended").established();
    for bytes in [8, 9, 10, 16, 18, 19, 20, 21, 59] {
        sizes = sizes
            .front(quoting(from_router([3, 4]), bytes), forwarded())
            .back(quoting(from_behind([3, 4]), bytes), forwarded());
    }
    let mut short = case("too little of a packet is quoted to say whose it is").established();
    for bytes in [0, 3, 4, 7] {
        short = short
            .front(quoting(from_router([3, 1]), bytes), passed())
            .back(quoting(from_behind([3, 1]), bytes), passed());
    }
    let optional = |packet: Packet| {
        packet.with(|packet| {
            packet.options = vec![1; 8];
            let quotation = packet.quotation.as_mut().unwrap();
            quotation.packet.options = vec![1; 12];
        })
    };
    let fragment = |packet: Packet, fragment: u16| {
        packet.with(|packet| {
            packet.quotation.as_mut().unwrap().packet.fragment = fragment;
        })
    };
    vec![
        sizes,
        short,
        case("both headers of an error have options")
            .established()
            .front(optional(from_router([3, 4])), forwarded())
            .back(optional(from_behind([3, 4])), forwarded()),
        case("a first fragment is quoted, and a later one")
            .established()
            .front(fragment(from_router([11, 1]), 0x2000), forwarded())
            .back(fragment(from_behind([11, 1]), 0x2000), forwarded())
            .front(fragment(from_router([11, 1]), 0x2010), passed())
            .back(fragment(from_behind([11, 1]), 0x0010), passed()),
        case("a wrong checksum of an error stays wrong")
            .established()
            .front(
                from_router([3, 1]).with(|packet| packet.transport_error = 7),
                forwarded(),
            )
            .back(
                from_behind([3, 1]).with(|packet| packet.transport_error = 7),
                forwarded(),
            ),
        case("an error with more behind its quotation")
            .established()
            .front(quoting(from_router([3, 4]), 60).payload(12), forwarded()),
        case("an error is padded").established().front(
            quoting(from_router([3, 4]), 8).with(|packet| packet.padding = 4),
            forwarded(),
        ),
        case("an error that is no longer there whole is nobody's")
            .established()
            .front(
                quoting(from_router([3, 4]), 8).cut(14 + 20 + 8 + 20 + 7),
                passed(),
            )
            .front(from_router([3, 4]).cut(14 + 20 + 8 + 19), passed())
            .front(from_router([3, 4]).cut(14 + 20 + 3), passed()),
    ]
}

fn protocols() -> Vec<Case> {
    let sctp_service = at(VIP, 99);
    let sctp_server = at(RIP_143, 9999);
    let chunk = |chunk| Transport::Sctp {
        tag: 77,
        chunk,
        length: None,
        checksum: true,
    };
    let init = |packet: Packet| {
        packet
            .with(|packet| packet.transport = chunk(1))
            .payload(16)
    };
    let data = |packet: Packet| {
        packet
            .with(|packet| packet.transport = chunk(0))
            .payload(60)
    };
    let mut sctp = case("errors about SCTP, whose checksum is mended where it is quoted")
        .world(|world| {
            world.services = vec![service(Protocol::Sctp, sctp_service, &[(sctp_server, 1)])];
        })
        .front(
            init(from_client(ALICE, sctp_service, 0)),
            forwarded().opens(sctp_server, SCTP_INIT1),
        );
    for bytes in [8, 12, 13, 76] {
        let to_client = data(between(alice(0), sctp_service, ALICE));
        let to_server = data(between(alice(0), ALICE, sctp_server));
        sctp = sctp
            .front(
                quoting(error(CLIENT, true, [3, 2], to_client), bytes),
                forwarded(),
            )
            .back(
                quoting(error(RIP_143, false, [3, 2], to_server), bytes),
                forwarded(),
            );
    }
    let no_sum = |packet: Packet| {
        packet.with(|packet| packet.transport = Transport::Udp { checksum: false })
    };
    let seen = |packet: Packet| between(packet, ALICE, DNS_SERVER);
    let told = |packet: Packet| between(packet, DNS, ALICE);
    vec![
        sctp,
        case("a datagram's port is closed")
            .front(query(), forwarded().opens(DNS_SERVER, UDP))
            .back(error(RIP_143, false, [3, 3], seen(query())), forwarded())
            .front(error(CLIENT, true, [3, 3], told(answer())), forwarded()),
        case("errors about datagrams without checksum, and such that quote eight bytes")
            .front(query(), forwarded().opens(DNS_SERVER, UDP))
            .back(
                error(RIP_143, false, [3, 3], seen(no_sum(query()))),
                forwarded(),
            )
            .front(
                error(CLIENT, true, [3, 3], told(no_sum(answer()))),
                forwarded(),
            )
            .back(
                quoting(error(RIP_143, false, [3, 3], seen(query())), 8),
                forwarded(),
            ),
        case("a SYN is not let through").half_open().back(
            error(RIP_143, false, [3, 10], between(alice(SYN), ALICE, FIRST)),
            forwarded(),
        ),
    ]
}

fn foreign() -> Vec<Case> {
    let stranger = at(CLIENT, 9);
    vec![
        case("an error about no flow is left to the stack")
            .established()
            .front(
                error(FRONT_ROUTER, true, [3, 4], between(reply(), HTTP, BOB)),
                passed(),
            )
            .back(
                error(BACK_ROUTER, false, [3, 4], between(request(), BOB, FIRST)),
                passed(),
            )
            .front(
                error(
                    FRONT_ROUTER,
                    true,
                    [3, 4],
                    between(reply(), at(VIP, 9), ALICE),
                ),
                passed(),
            ),
        case("an error about another protocol is left to the stack")
            .established()
            .front(
                error(
                    FRONT_ROUTER,
                    true,
                    [3, 4],
                    reply().with(|packet| packet.transport = Transport::Other(47)),
                ),
                passed(),
            )
            .front(error(FRONT_ROUTER, true, [3, 4], udp(reply())), passed()),
        case("an error that is not for who has sent the packet is left to the stack")
            .established()
            .front(
                from_router([3, 4]).with(|packet| packet.destination = at(DIP, 0)),
                passed(),
            )
            .back(
                from_behind([3, 4]).with(|packet| packet.destination = at(VIP, 0)),
                passed(),
            ),
        case("an error about the client's packet to the virtual address is nobody's")
            .established()
            .front(
                error(FRONT_ROUTER, true, [3, 4], between(request(), ALICE, HTTP)),
                passed(),
            )
            .back(
                error(BACK_ROUTER, false, [3, 4], between(reply(), FIRST, ALICE)),
                passed(),
            ),
        case("an error about an expired flow is left to the stack")
            .half_open()
            .seconds(100)
            .front(from_router([3, 4]), passed())
            .back(from_behind([3, 4]), passed()),
        case("an error does not keep a flow alive")
            .half_open()
            .seconds(40)
            .front(from_router([3, 4]), forwarded())
            .back(from_behind([3, 4]), forwarded())
            .seconds(40)
            .step(Step::Sweep(vec![ALICE])),
        case("an error about a stranger's packet to a server is left to the stack")
            .established()
            .back(
                error(RIP_143, false, [3, 3], between(request(), stranger, FIRST)),
                passed(),
            ),
    ]
}

fn ways() -> Vec<Case> {
    let remote = at(REMOTE_CLIENT, 40_001);
    vec![
        case("an error at the end of its TTL is dropped, and nobody is told")
            .established()
            .front(from_router([3, 4]).ttl(1), dropped(Reason::TtlExceeded))
            .back(from_behind([3, 4]).ttl(0), dropped(Reason::TtlExceeded))
            .back(from_behind([3, 4]).ttl(2), forwarded()),
        case("an error takes the slow way where the next hop is not known")
            .established()
            .step(Step::Neighbour(RIP_143, Fitness::Unusable))
            .step(Step::Neighbour(CLIENT, Fitness::Unusable))
            .front(from_router([3, 4]), forwarded().resolved())
            .back(from_behind([3, 4]), forwarded().resolved()),
        case("an error about a packet to a client behind a router")
            .opened(remote, HTTP, FIRST)
            .back(
                error(RIP_143, false, [3, 13], between(request(), remote, FIRST)),
                forwarded(),
            )
            .front(
                error(FRONT_ROUTER, true, [11, 0], between(reply(), HTTP, remote)),
                forwarded(),
            ),
        case("an error before the server has answered")
            .half_open()
            .front(from_router([3, 4]), forwarded())
            .back(from_behind([3, 4]), forwarded()),
    ]
}

fn methods() -> Vec<Case> {
    let by =
        |forwarding: Forwarding| move |world: &mut World| world.services[0].forwarding = forwarding;
    let local = |world: &mut World| {
        let server = [(http_of(DIP), 1)];
        world.services = vec![service(Protocol::Tcp, HTTP, &server)];
        world.services[0].forwarding = Forwarding::Route;
    };
    let opened = alice(SYN);
    vec![
        case("an error goes to a server that answers past us as it is")
            .world(by(Forwarding::Route))
            .front(
                opened.clone(),
                forwarded().by(Forwarding::Route).opens(FIRST, SYN_RECV),
            )
            .front(from_router([3, 4]), forwarded().by(Forwarding::Route))
            .front(
                quoting(from_router([11, 0]), 8),
                forwarded().by(Forwarding::Route),
            )
            .back(from_behind([3, 4]), passed()),
        case("an error goes up to a server on the director")
            .world(local)
            .front(
                opened,
                up().by(Forwarding::Route).opens(http_of(DIP), SYN_RECV),
            )
            .front(from_router([3, 4]), up().by(Forwarding::Route)),
    ]
}
