//! Servers that know clients by addresses of the director (FullNat), for all clients or for those near them.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{
        CLOSE, CLOSE_WAIT, ESTABLISHED, FIN_WAIT, SCTP_COOKIE_REPLIED, SCTP_COOKIE_SENT,
        SCTP_ESTABLISHED, SCTP_INIT1, SYN_RECV, TIME_WAIT, UDP,
    },
};
use ferrovs_model::{
    Change, Destination, Forwarding, Netmask, Persistence, Protocol, ServiceSettings,
};

use ferrovs_tests::ipvs::sctp::chunk;

use super::{
    ALICE, BOB, FIRST, SECOND, alice, client, from_client, from_server, methods::by, sctp,
};
use crate::{
    case::{Case, Expect, Step, case, dropped, expired, forwarded, passed},
    packet::{ACK, FIN, Packet, RST, SYN, Transport, at},
    world::{
        DIP, DNS, Fitness, HTTP, POOL, POOL_PORT, RIP_141, RIP_143, VIP, World, key, masq, service,
    },
};

/// Ports that nobody of the cases has but the pool.
const OTHER_POOL_PORT: SocketAddrV4 = SocketAddrV4::new(DIP, POOL_PORT + 1);

fn full() -> impl FnOnce(&mut World) {
    by(Forwarding::FullNat)
}

/// What the first server answers to whom it sees.
fn first(flags: u8) -> Packet {
    from_server(FIRST, POOL, flags)
}

fn bob(flags: u8) -> Packet {
    from_client(BOB, HTTP, flags)
}

fn carol(flags: u8) -> Packet {
    from_client(client(40_003), HTTP, flags)
}

/// Opens a flow with an endpoint of the pool.
fn opens(server: SocketAddrV4) -> Expect {
    forwarded().opens(server, SYN_RECV).leases()
}

impl Case {
    /// Alice and the first server shake hands through the pool.
    fn leased(self) -> Self {
        self.front(alice(SYN), opens(FIRST))
            .back(first(SYN | ACK), forwarded())
            .front(alice(ACK), forwarded().state(ESTABLISHED).protects())
    }
}

pub(super) fn cases() -> Vec<Case> {
    [
        connections(),
        ports(),
        strangers(),
        others(),
        auto(),
        edits(),
    ]
    .concat()
}

fn connections() -> Vec<Case> {
    vec![
        case("a connection through the pool")
            .world(full())
            .leased()
            .front(alice(ACK).payload(1000), forwarded())
            .back(first(ACK).payload(1400), forwarded())
            .back(
                first(ACK).payload(7).with(|packet| packet.padding = 3),
                forwarded(),
            )
            .front(alice(FIN | ACK), forwarded().state(CLOSE_WAIT))
            .back(first(FIN | ACK), forwarded().state(TIME_WAIT))
            .front(alice(ACK), forwarded()),
        case("a connection through the pool that the server ends")
            .world(full())
            .leased()
            .back(first(FIN | ACK), forwarded().state(FIN_WAIT))
            .front(alice(FIN | ACK), forwarded().state(TIME_WAIT))
            .back(first(ACK), forwarded()),
        case("options and a TTL that ends, through the pool")
            .world(full())
            .front(alice(SYN).options(8).payload(5), opens(FIRST))
            .front(alice(ACK).ttl(1), expired())
            .back(first(SYN | ACK).ttl(2), forwarded()),
        case("a server of the pool whose neighbour is not known")
            .world(full())
            .step(Step::Neighbour(RIP_143, Fitness::Unusable))
            .front(alice(SYN), opens(FIRST).resolved())
            .step(Step::Neighbour(RIP_143, Fitness::Usable))
            .back(first(SYN | ACK), forwarded()),
        case("without a daemon that lives")
            .world(full())
            .step(Step::Heart { beats: false })
            .front(alice(SYN), opens(FIRST).resolved())
            .back(first(SYN | ACK), forwarded().resolved()),
    ]
}

/// The pool has one port, unless the case says otherwise.
fn ports() -> Vec<Case> {
    vec![
        case("every server's socket has all ports of the pool")
            .world(full())
            .leased()
            .front(bob(SYN), opens(SECOND))
            .back(from_server(SECOND, POOL, SYN | ACK), forwarded())
            .back(first(ACK), forwarded()),
        case("a new connection when no port is left")
            .world(full())
            .leased()
            .front(bob(SYN), opens(SECOND))
            .front(carol(SYN), dropped(Reason::PoolExhausted))
            .front(carol(SYN), dropped(Reason::PoolExhausted))
            .back(first(ACK), forwarded())
            .front(alice(ACK), forwarded()),
        case("a port is free again when its connection has ended")
            .world(full())
            .leased()
            .back(first(RST), forwarded().state(CLOSE))
            .seconds(11)
            .step(Step::Sweep(vec![ALICE]))
            .front(bob(SYN), opens(SECOND))
            .front(carol(SYN), opens(FIRST))
            .back(first(SYN | ACK), forwarded()),
        case("a client that comes again from its port takes its connection's place")
            .world(full())
            .leased()
            .back(first(RST), forwarded().state(CLOSE))
            .front(alice(SYN), opens(SECOND).ends(ALICE))
            .front(bob(SYN), opens(FIRST))
            .back(from_server(SECOND, POOL, SYN | ACK), forwarded()),
        case("a second address when the first has no port left")
            .world(|world| {
                full()(world);
                world.services[0].servers = vec![(FIRST, 1)];
                world.pool = vec![(DIP, POOL_PORT, POOL_PORT), (VIP, POOL_PORT, POOL_PORT)];
            })
            .front(alice(SYN), opens(FIRST))
            .front(bob(SYN), opens(FIRST))
            .front(carol(SYN), dropped(Reason::PoolExhausted))
            .back(first(SYN | ACK), forwarded())
            .back(
                from_server(FIRST, at(VIP, POOL_PORT), SYN | ACK),
                forwarded(),
            ),
        case("a pool without addresses")
            .world(|world| {
                full()(world);
                world.pool.clear();
            })
            .front(alice(SYN), dropped(Reason::PoolEmpty))
            .front(alice(SYN), dropped(Reason::PoolEmpty)),
    ]
}

/// What has no flow.
fn strangers() -> Vec<Case> {
    vec![
        case("what a server sends to the director itself is not taken for an answer")
            .world(full())
            .leased()
            .back(from_server(FIRST, OTHER_POOL_PORT, ACK), passed())
            .back(from_server(FIRST, OTHER_POOL_PORT, SYN | ACK), passed())
            .back(from_server(SECOND, POOL, ACK), passed())
            .back(from_server(FIRST, at(RIP_141, POOL_PORT), ACK), passed()),
        case("what a server sends to the client of a connection through the pool")
            .world(full())
            .leased()
            .back(from_server(FIRST, ALICE, ACK), passed()),
        case("what comes late for an endpoint of the pool")
            .world(full())
            .leased()
            .back(first(RST), forwarded().state(CLOSE))
            .seconds(11)
            .back(first(ACK), passed()),
    ]
}

/// Other protocols, and servers of several services.
fn others() -> Vec<Case> {
    let dns = at(RIP_143, 53);
    let datagram = |mut packet: Packet, checksum| {
        packet.transport = Transport::Udp { checksum };
        packet
    };
    let mut cases = vec![
        case("datagrams through the pool")
            .world(full())
            .front(
                datagram(from_client(ALICE, DNS, 0), true).payload(33),
                forwarded().opens(dns, UDP).leases(),
            )
            .back(
                datagram(from_server(dns, POOL, 0), true).payload(1200),
                forwarded(),
            )
            .front(datagram(from_client(ALICE, DNS, 0), true), forwarded()),
        case("each datagram for itself, through the pool")
            .world(full())
            .change(Change::EditService {
                service: key(Protocol::Udp, DNS),
                settings: ServiceSettings {
                    one_packet: true,
                    ..ServiceSettings::new("rr")
                },
            })
            .front(
                datagram(from_client(ALICE, DNS, 0), true),
                forwarded().alone(dns).leases(),
            )
            .back(datagram(from_server(dns, POOL, 0), true), forwarded())
            .front(
                datagram(from_client(ALICE, DNS, 0), true),
                forwarded().alone(at(RIP_141, 53)).leases(),
            )
            .back(
                datagram(from_server(at(RIP_141, 53), POOL, 0), true),
                forwarded(),
            ),
        case("a server of two services, through the pool")
            .world(|world| {
                let other = service(Protocol::Tcp, at(VIP, 8080), &[(FIRST, 1)]);
                world.services = vec![service(Protocol::Tcp, HTTP, &[(FIRST, 1)]), other];
                full()(world);
                world.pool[0].2 += 1;
            })
            .front(alice(SYN), opens(FIRST))
            .front(from_client(ALICE, at(VIP, 8080), SYN), opens(FIRST))
            .front(bob(SYN), dropped(Reason::PoolExhausted)),
    ];
    cases.push(
        case("SCTP through the pool")
            .world(|world| {
                sctp::services(world);
                full()(world);
            })
            .front(
                sctp::ask(ALICE, sctp::MOVED, chunk::INIT),
                forwarded().opens(sctp::FIRST, SCTP_INIT1).leases(),
            )
            .back(
                sctp::answer(sctp::FIRST, POOL, chunk::INIT_ACK),
                forwarded().state(SCTP_COOKIE_SENT),
            )
            .front(
                sctp::ask(ALICE, sctp::MOVED, chunk::COOKIE_ECHO),
                forwarded().state(SCTP_COOKIE_REPLIED),
            )
            .back(
                sctp::answer(sctp::FIRST, POOL, chunk::COOKIE_ACK),
                forwarded().state(SCTP_ESTABLISHED),
            )
            .front(
                sctp::ask(ALICE, sctp::MOVED, chunk::DATA).payload(1001),
                forwarded(),
            ),
    );
    // Of IPv6, a datagram without a checksum is none.
    cases.push(
        case("datagrams without a checksum through the pool")
            .world(full())
            .front(
                datagram(from_client(ALICE, DNS, 0), false).options(4),
                forwarded().opens(dns, UDP).leases(),
            )
            .back(datagram(from_server(dns, POOL, 0), false), forwarded()),
    );
    cases.push(all_ports());
    cases
}

/// A service for all ports, whose servers are asked at the port that the client named.
fn all_ports() -> Case {
    let (all, server) = (at(VIP, 0), at(RIP_143, 0));
    let service = key(Protocol::Tcp, all);
    let settings = ServiceSettings {
        persistence: Some(Persistence {
            timeout: 360,
            netmask: Netmask::V4(Ipv4Addr::BROADCAST),
        }),
        ..ServiceSettings::new("rr")
    };
    let destination = Destination {
        forwarding: Forwarding::FullNat,
        ..masq(server, 1)
    };
    let asked = at(RIP_143, 443);
    case("a service for all ports, through the pool")
        .change(Change::AddService { service, settings })
        .change(Change::AddDestination {
            service,
            destination,
        })
        .front(
            from_client(ALICE, at(VIP, 443), SYN),
            opens(asked).keeps(server).counts_for(all, server),
        )
        .back(from_server(asked, POOL, SYN | ACK), forwarded())
        .back(from_server(at(RIP_143, 444), POOL, SYN | ACK), passed())
        .front(
            from_client(ALICE, at(VIP, 444), SYN),
            opens(at(RIP_143, 444)).counts_for(all, server),
        )
}

/// Only clients near their server, and the server itself, have an address of the pool.
fn auto() -> Vec<Case> {
    let world = || by(Forwarding::Auto);
    // A server's host as a client.
    let near = |host, flags| from_server(at(host, 40_001), HTTP, flags);
    let plain = || case("").world(world());
    let named = |name: &str, mut case: Case| {
        case.name = name.to_owned();
        case
    };
    vec![
        named(
            "a client from elsewhere is known by its own address",
            plain().established(),
        ),
        named(
            "a server that calls its own service is known by the pool's",
            plain()
                .back(near(RIP_143, SYN), opens(FIRST))
                .back(first(SYN | ACK), forwarded())
                .back(near(RIP_143, ACK), forwarded().state(ESTABLISHED))
                .back(first(ACK).payload(100), forwarded()),
        ),
        named(
            "a client in the server's network is known by the pool's",
            plain()
                .back(near(RIP_141, SYN), opens(FIRST))
                .back(first(SYN | ACK), forwarded()),
        ),
        named(
            "both at once",
            plain()
                .front(alice(SYN), forwarded().opens(FIRST, SYN_RECV))
                .back(near(RIP_143, SYN), opens(SECOND))
                .back(from_server(SECOND, POOL, SYN | ACK), forwarded())
                .back(from_server(FIRST, ALICE, SYN | ACK), forwarded())
                .back(from_server(FIRST, POOL, ACK), passed()),
        ),
        named(
            "a client from elsewhere needs no pool",
            case("")
                .world(|world| {
                    by(Forwarding::Auto)(world);
                    world.pool.clear();
                })
                .established()
                .back(near(RIP_143, SYN), dropped(Reason::PoolEmpty)),
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
        case("a connection goes on as it began when its server gets clients from the pool")
            .established()
            .change(edit(Forwarding::FullNat))
            .front(alice(ACK), forwarded())
            .back(super::first(ACK), forwarded())
            .front(bob(SYN), forwarded().opens(SECOND, SYN_RECV))
            .front(carol(SYN), opens(FIRST))
            .back(first(SYN | ACK), forwarded()),
        case("a connection through the pool goes on when its server is only masqueraded")
            .world(full())
            .leased()
            .change(edit(Forwarding::Masq))
            .front(alice(ACK), forwarded())
            .back(first(ACK), forwarded())
            .front(bob(SYN), opens(SECOND))
            .front(carol(SYN), forwarded().opens(FIRST, SYN_RECV))
            .back(from_server(FIRST, client(40_003), SYN | ACK), forwarded()),
        case("a connection through the pool goes on when its server is removed and comes back")
            .world(full())
            .leased()
            .change(Change::DeleteDestination {
                service: key(Protocol::Tcp, HTTP),
                address: FIRST.into(),
            })
            .back(first(ACK), forwarded())
            .change(Change::AddDestination {
                service: key(Protocol::Tcp, HTTP),
                destination: masq(FIRST, 1),
            })
            .front(alice(ACK), forwarded()),
    ]
}
