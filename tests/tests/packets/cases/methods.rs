//! Servers that answer their clients themselves: direct routing, tunnels, a server on the director.

use std::net::SocketAddrV4;

use ferrovs_core::abi::{
    answer::Request,
    reason::Reason,
    state::{CLOSE, ESTABLISHED, FIN_WAIT, SYN_RECV, UDP},
};
use ferrovs_model::{Change, Encapsulation, Forwarding, Protocol, Sysctl, TunnelChecksum};

use super::{ALICE, BOB, FIRST, SECOND, alice, first, from_client};
use crate::{
    case::{Case, Step, case, dropped, expired, forwarded, passed, up},
    packet::{ACK, FIN, Packet, RST, SYN, Transport, at},
    world::{CLIENT, DIP, DNS, Fitness, HTTP, Port, RIP_141, RIP_143, World, key, masq, service},
};

const IPIP: Forwarding = Forwarding::Tunnel(Encapsulation::Ipip);

const fn gue(checksum: TunnelChecksum) -> Forwarding {
    Forwarding::Tunnel(Encapsulation::Gue {
        port: 6080,
        checksum,
    })
}

const fn gre(checksum: TunnelChecksum) -> Forwarding {
    Forwarding::Tunnel(Encapsulation::Gre { checksum })
}

/// All methods but masquerading, and how they are called.
const METHODS: [(Forwarding, &str); 7] = [
    (Forwarding::Route, "direct routing"),
    (IPIP, "IP in IP"),
    (gue(TunnelChecksum::None), "GUE"),
    (gue(TunnelChecksum::Full), "GUE with checksum"),
    (gue(TunnelChecksum::Remote), "GUE with remote checksum"),
    (gre(TunnelChecksum::None), "GRE"),
    (gre(TunnelChecksum::Full), "GRE with checksum"),
];

/// All servers are reached so.
pub(super) fn by(forwarding: Forwarding) -> impl FnOnce(&mut World) {
    move |world| {
        for service in &mut world.services {
            service.forwarding = forwarding;
        }
    }
}

fn bob(flags: u8) -> Packet {
    from_client(BOB, HTTP, flags)
}

fn dont_fragment(packet: &mut Packet) {
    packet.fragment = 0x4000;
}

fn carol(flags: u8) -> Packet {
    from_client(at(CLIENT, 40_003), HTTP, flags)
}

fn query(client: SocketAddrV4) -> Packet {
    from_client(client, DNS, 0).with(|packet| packet.transport = Transport::Udp { checksum: true })
}

pub(super) fn cases() -> Vec<Case> {
    let each = METHODS.iter().flat_map(|&(method, name)| of(method, name));
    each.chain(local()).chain(edits()).collect()
}

fn of(method: Forwarding, name: &str) -> Vec<Case> {
    let sent = || forwarded().by(method);
    let first_dns = at(RIP_143, 53);
    let mut cases = vec![
        case("a connection whose answers pass elsewhere")
            .world(by(method))
            .front(alice(SYN), sent().opens(FIRST, SYN_RECV))
            .front(alice(ACK), sent().state(ESTABLISHED))
            .front(alice(ACK).payload(1000), sent())
            .front(
                alice(ACK).payload(7).with(|packet| packet.padding = 3),
                sent(),
            )
            .front(alice(FIN | ACK), sent().state(FIN_WAIT))
            .front(alice(ACK), sent())
            .front(bob(SYN), sent().opens(SECOND, SYN_RECV))
            .front(bob(RST), sent())
            .front(bob(ACK), sent().state(ESTABLISHED))
            .front(bob(RST), sent().state(CLOSE)),
        case("what such a server sends is its own business")
            .world(by(method))
            .front(alice(SYN), sent().opens(FIRST, SYN_RECV))
            .back(first(SYN | ACK), passed()),
        case("such a connection begins anew when it has ended")
            .world(by(method))
            .front(alice(SYN), sent().opens(FIRST, SYN_RECV))
            .front(alice(ACK), sent().state(ESTABLISHED))
            .front(alice(FIN | ACK), sent().state(FIN_WAIT))
            .front(alice(SYN), sent().state(SYN_RECV))
            .front(alice(ACK), sent().state(ESTABLISHED))
            .front(alice(FIN | ACK), sent().state(FIN_WAIT))
            .step(Step::Change(Change::SetSysctl {
                name: Sysctl::ConnReuseMode,
                value: 2,
            }))
            .front(alice(SYN), sent().ends(ALICE).opens(SECOND, SYN_RECV)),
        case("such a server whose neighbour is not known")
            .world(by(method))
            .step(Step::Neighbour(RIP_143, Fitness::Unusable))
            .front(alice(SYN), sent().opens(FIRST, SYN_RECV).resolved())
            .step(Step::Neighbour(RIP_143, Fitness::Usable))
            .front(alice(ACK), sent().state(ESTABLISHED)),
        case("a TTL that ends")
            .world(by(method))
            .front(alice(SYN).ttl(1), expired().opens(FIRST, SYN_RECV))
            .front(alice(SYN).ttl(2), sent()),
        case("datagrams, all of one flow from one port")
            .world(by(method))
            .front(query(ALICE).payload(33), sent().opens(first_dns, UDP))
            .front(query(ALICE).payload(1200), sent())
            .front(query(BOB), sent().opens(at(RIP_141, 53), UDP)),
        case("without fragmentation, and with a type of service")
            .world(by(method))
            .front(
                alice(SYN).with(dont_fragment),
                sent().opens(FIRST, SYN_RECV),
            ),
        case("with options").world(by(method)).front(
            alice(SYN).options(8).payload(5),
            sent().opens(FIRST, SYN_RECV),
        ),
    ];
    cases.push(without_checksum(method));
    cases.extend(too_long(method));
    cases.extend(not_cut(method));
    for case in &mut cases {
        case.name = format!("{name}: {}", case.name);
    }
    cases
}

/// A program cannot cut a packet, and who has not asked for it is not told. With options, because only an IPv4
/// packet may be cut.
fn not_cut(method: Forwarding) -> Option<Case> {
    matches!(method, Forwarding::Tunnel(_)).then(|| {
        case("a packet that may be cut")
            .world(by(method))
            .front(alice(SYN), forwarded().by(method).opens(FIRST, SYN_RECV))
            .front(
                alice(SYN).options(4).payload(1450),
                dropped(Reason::TunnelMtu).by(method),
            )
    })
}

/// A datagram without a checksum says nothing about its sum. GUE goes without one too; GRE has promised it.
fn without_checksum(method: Forwarding) -> Case {
    let plain = |packet: &mut Packet| packet.transport = Transport::Udp { checksum: false };
    let expect = match method {
        Forwarding::Tunnel(Encapsulation::Gre {
            checksum: TunnelChecksum::Full,
        }) => dropped(Reason::TunnelChecksum).by(method),
        Forwarding::Tunnel(Encapsulation::Gue { .. }) => forwarded().by(gue(TunnelChecksum::None)),
        other => forwarded().by(other),
    };
    case("datagrams without a checksum")
        .world(by(method))
        .front(query(ALICE).with(plain), expect.opens(at(RIP_143, 53), UDP))
}

/// The links' MTU is 1500.
fn too_long(method: Forwarding) -> Option<Case> {
    let overhead = match method {
        Forwarding::Masq | Forwarding::FullNat | Forwarding::Auto | Forwarding::Route => {
            return None;
        }
        Forwarding::Tunnel(Encapsulation::Ipip) => 0,
        Forwarding::Tunnel(Encapsulation::Gue { .. }) => 12,
        Forwarding::Tunnel(Encapsulation::Gre { checksum }) => {
            if checksum == TunnelChecksum::Full {
                8
            } else {
                4
            }
        }
    };
    // Of IPv4 and of IPv6: two IP headers and one of TCP.
    let (ipv4, ipv6) = (1500 - 60 - overhead, 1500 - 100 - overhead);
    Some(
        case("packets that just fit, and such as do not")
            .world(by(method))
            .front(alice(SYN), forwarded().by(method).opens(FIRST, SYN_RECV))
            .front(alice(ACK), forwarded().by(method).state(ESTABLISHED))
            .front(alice(ACK).payload(ipv6), forwarded().by(method))
            .front(
                alice(ACK).payload(ipv4 + 1).with(dont_fragment),
                dropped(Reason::TunnelMtu)
                    .by(method)
                    .answered(Request::too_big(false, 1500 - 20 - overhead as u32)),
            ),
    )
}

fn local() -> Vec<Case> {
    let here = at(DIP, 80);
    let world = move |world: &mut World| {
        world.services = vec![service(Protocol::Tcp, HTTP, &[(here, 1)])];
        by(Forwarding::Route)(world);
    };
    let routed = || up().by(Forwarding::Route);
    vec![
        case("a server on the director gets its packets as they are")
            .world(world)
            .front(alice(SYN), routed().opens(here, SYN_RECV))
            .front(alice(ACK), routed().state(ESTABLISHED))
            .front(alice(ACK).payload(100).ttl(1), routed())
            .front(alice(FIN | ACK), routed().state(FIN_WAIT)),
        case("a masqueraded server on the director cannot be reached")
            .world(move |world| {
                world.services = vec![service(Protocol::Tcp, HTTP, &[(here, 1)])];
            })
            .front(
                alice(SYN),
                dropped(Reason::NoRoute).opens(here, SYN_RECV).deferred(),
            ),
    ]
}

/// A server is edited while it has connections.
fn edits() -> Vec<Case> {
    let edit = |forwarding| {
        let mut destination = masq(FIRST, 1);
        destination.forwarding = forwarding;
        Change::EditDestination {
            service: key(Protocol::Tcp, HTTP),
            destination,
        }
    };
    vec![
        case("a masqueraded connection goes on when its server is routed to")
            .established()
            .change(edit(Forwarding::Route))
            .front(alice(ACK), forwarded())
            .back(first(ACK), forwarded())
            .front(bob(SYN), forwarded().opens(SECOND, SYN_RECV))
            .front(
                carol(SYN),
                forwarded().by(Forwarding::Route).opens(FIRST, SYN_RECV),
            ),
        case("a routed connection goes on when its server is masqueraded")
            .world(by(Forwarding::Route))
            .front(
                alice(SYN),
                forwarded().by(Forwarding::Route).opens(FIRST, SYN_RECV),
            )
            .change(edit(Forwarding::Masq))
            .front(
                alice(ACK),
                forwarded().by(Forwarding::Route).state(ESTABLISHED),
            )
            .back(first(ACK), passed()),
        case("and follows it into a tunnel")
            .world(by(Forwarding::Route))
            .on(
                Port::Front,
                alice(SYN),
                forwarded().by(Forwarding::Route).opens(FIRST, SYN_RECV),
            )
            .change(edit(IPIP))
            .front(alice(ACK), forwarded().by(IPIP).state(ESTABLISHED)),
    ]
}
