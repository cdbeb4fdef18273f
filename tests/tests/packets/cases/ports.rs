//! Services for all ports of their address: port 0, and FTP's.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{ESTABLISHED, SYN_RECV, UDP},
};
use ferrovs_model::{Change, Netmask, Persistence, Protocol, ServiceSettings};

use super::{ALICE, BOB, FIRST, client, from_client, from_server};
use crate::{
    case::{Case, Expect, case, forwarded, passed, refused},
    packet::{ACK, Packet, SYN, Transport, at},
    world::{HTTP, RIP_141, RIP_143, VIP, key, masq},
};

/// The service for all ports, and its servers.
const ALL: SocketAddrV4 = SocketAddrV4::new(VIP, 0);
/// FTP.
const FTP: SocketAddrV4 = SocketAddrV4::new(VIP, 21);

/// A service comes, with servers on both hosts. The one that was added last has the first client.
fn comes(case: Case, protocol: Protocol, address: SocketAddrV4, ports: [u16; 2]) -> Case {
    let service = key(protocol, address);
    let settings = ServiceSettings {
        persistence: Some(Persistence {
            timeout: 360,
            netmask: Netmask::V4(Ipv4Addr::BROADCAST),
        }),
        ..ServiceSettings::new("rr")
    };
    let [first, second] = ports;
    [at(RIP_141, second), at(RIP_143, first)].into_iter().fold(
        case.change(Change::AddService { service, settings }),
        |case, server| {
            case.change(Change::AddDestination {
                service,
                destination: masq(server, 1),
            })
        },
    )
}

fn for_all_ports(name: &'static str) -> Case {
    comes(case(name), Protocol::Tcp, ALL, [0, 0])
}

/// Opens a flow of the service for all ports with this server.
fn opens(server: SocketAddrV4) -> Expect {
    forwarded()
        .opens(server, SYN_RECV)
        .counts_for(ALL, at(*server.ip(), 0))
}

fn syn(client: SocketAddrV4, port: u16) -> Packet {
    from_client(client, at(VIP, port), SYN)
}

/// A client shakes hands with the server that answers at this port.
fn shakes_hands(case: Case, client: SocketAddrV4, port: u16, server: Ipv4Addr) -> Case {
    let server = at(server, port);
    case.back(from_server(server, client, SYN | ACK), forwarded())
        .front(
            from_client(client, at(VIP, port), ACK),
            forwarded().state(ESTABLISHED).protects(),
        )
}

pub(super) fn cases() -> Vec<Case> {
    [all_ports(), beside_others(), ftp()].concat()
}

fn all_ports() -> Vec<Case> {
    let dave = client(40_003);
    let several = for_all_ports("one template leads all ports of a client to one server").front(
        syn(ALICE, 443),
        opens(at(RIP_143, 443)).keeps(at(RIP_143, 0)),
    );
    let several = shakes_hands(several, ALICE, 443, RIP_143)
        .front(syn(ALICE, 8443), opens(at(RIP_143, 8443)))
        .front(syn(BOB, 22), opens(at(RIP_143, 22)));
    let own_port = comes(
        case("the port that is asked for goes before a server's own"),
        Protocol::Tcp,
        ALL,
        [8080, 8080],
    );
    let own_port = own_port.front(
        syn(ALICE, 443),
        forwarded()
            .opens(at(RIP_143, 443), SYN_RECV)
            .keeps(at(RIP_143, 443))
            .counts_for(ALL, at(RIP_143, 8080)),
    );
    let own_port = shakes_hands(own_port, ALICE, 443, RIP_143)
        .back(from_server(at(RIP_143, 8080), ALICE, ACK), passed());
    let datagram = |mut packet: Packet| {
        packet.transport = Transport::Udp { checksum: true };
        packet
    };
    let udp = comes(case("datagrams to any port"), Protocol::Udp, ALL, [0, 0])
        .front(
            datagram(syn(ALICE, 123)),
            forwarded()
                .opens(at(RIP_143, 123), UDP)
                .keeps(at(RIP_143, 0))
                .counts_for(ALL, at(RIP_143, 0)),
        )
        .back(
            datagram(from_server(at(RIP_143, 123), ALICE, 0)),
            forwarded(),
        )
        .back(datagram(from_server(at(RIP_143, 124), ALICE, 0)), passed())
        // TCP to the same port is nobody's.
        .front(syn(ALICE, 123), passed());
    vec![
        several,
        own_port,
        udp,
        for_all_ports("what belongs to no connection is the director's own")
            .front(
                from_client(dave, at(VIP, 50_000), SYN | ACK),
                passed().because(Reason::NoFlow),
            )
            .front(
                from_client(dave, at(VIP, 22), ACK),
                passed().because(Reason::NoFlow),
            ),
        for_all_ports("FTP's data connections from servers are not scheduled")
            .front(syn(client(20), 50_000), passed()),
        for_all_ports("no server is left for any port")
            .change(weigh(ALL, at(RIP_141, 0), 0))
            .change(weigh(ALL, at(RIP_143, 0), 0))
            .front(syn(ALICE, 443), refused()),
    ]
}

fn weigh(service: SocketAddrV4, server: SocketAddrV4, weight: u32) -> Change {
    Change::EditDestination {
        service: key(Protocol::Tcp, service),
        destination: masq(server, weight),
    }
}

fn delete(service: SocketAddrV4) -> Change {
    Change::DeleteService {
        service: key(Protocol::Tcp, service),
    }
}

fn beside_others() -> Vec<Case> {
    let first_of_all = |case: Case, client, port| {
        let server = at(RIP_143, port);
        case.front(syn(client, port), opens(server).keeps(at(RIP_143, 0)))
    };
    let exact = for_all_ports("a service of the port itself goes first").established();
    let sockets = for_all_ports("a server's socket is in a service of its port and in one for all")
        .change(Change::AddService {
            service: key(Protocol::Tcp, at(VIP, 81)),
            settings: ServiceSettings::new("rr"),
        })
        .change(Change::AddDestination {
            service: key(Protocol::Tcp, at(VIP, 81)),
            destination: masq(at(RIP_143, 8081), 1),
        });
    let sockets = first_of_all(sockets, ALICE, 8081)
        .back(
            from_server(at(RIP_143, 8081), ALICE, SYN | ACK),
            forwarded(),
        )
        .connected(BOB, at(VIP, 81), at(RIP_143, 8081))
        .front(
            syn(ALICE, 81),
            forwarded().opens(at(RIP_143, 8081), SYN_RECV).draws_port(),
        )
        .back(
            from_server(at(RIP_143, 8081), ALICE, ACK),
            forwarded().state(ESTABLISHED),
        );
    let later = first_of_all(
        for_all_ports("a service of its port comes to a server that had flows from one for all"),
        ALICE,
        8081,
    )
    .change(Change::AddService {
        service: key(Protocol::Tcp, at(VIP, 81)),
        settings: ServiceSettings::new("rr"),
    })
    .change(Change::AddDestination {
        service: key(Protocol::Tcp, at(VIP, 81)),
        destination: masq(at(RIP_143, 8081), 1),
    })
    .back(
        from_server(at(RIP_143, 8081), ALICE, SYN | ACK),
        forwarded(),
    )
    .connected(BOB, at(VIP, 81), at(RIP_143, 8081));
    let removed =
        for_all_ports("a removed service's flows stay, new ones are for the one for all ports")
            .established()
            .change(delete(HTTP));
    let removed = first_of_all(removed, BOB, 80)
        .front(
            from_client(ALICE, HTTP, ACK),
            passed().because(Reason::NoFlow).ends(ALICE),
        )
        .back(from_server(FIRST, BOB, SYN | ACK), forwarded());
    let gone = first_of_all(
        for_all_ports("a removed service for all ports takes nobody"),
        ALICE,
        443,
    )
    .change(delete(ALL))
    .front(syn(BOB, 443), passed())
    .back(from_server(at(RIP_143, 443), ALICE, SYN | ACK), forwarded());
    vec![exact, sockets, later, removed, gone]
}

fn ftp() -> Vec<Case> {
    let persistent = |name| comes(case(name), Protocol::Tcp, FTP, [2121, 2121]);
    let counts = |expect: Expect| expect.counts_for(FTP, at(RIP_143, 2121));
    let data = persistent("FTP's data connections go to the server of its control connection")
        .front(
            syn(ALICE, 21),
            counts(
                forwarded()
                    .opens(at(RIP_143, 2121), SYN_RECV)
                    .keeps(at(RIP_143, 2121)),
            ),
        )
        .back(
            from_server(at(RIP_143, 2121), ALICE, SYN | ACK),
            forwarded(),
        )
        .front(
            syn(ALICE, 50_000),
            counts(forwarded().opens(at(RIP_143, 50_000), SYN_RECV)),
        )
        .back(
            from_server(at(RIP_143, 50_000), ALICE, SYN | ACK),
            forwarded(),
        )
        .front(syn(ALICE, 1023), passed());
    let first = persistent("who has not spoken to FTP yet may begin with its data")
        .front(
            syn(ALICE, 50_000),
            counts(
                forwarded()
                    .opens(at(RIP_143, 50_000), SYN_RECV)
                    .keeps(at(RIP_143, 50_000)),
            ),
        )
        .front(
            syn(ALICE, 21),
            counts(forwarded().opens(at(RIP_143, 2121), SYN_RECV)),
        );
    let empty = persistent("without servers, what may not be FTP's is left to the director")
        .change(weigh(FTP, at(RIP_141, 2121), 0))
        .change(weigh(FTP, at(RIP_143, 2121), 0))
        .front(syn(ALICE, 21), refused())
        .front(syn(ALICE, 50_000), passed());
    let plain = case("FTP without persistence has no other ports")
        .change(Change::AddService {
            service: key(Protocol::Tcp, FTP),
            settings: ServiceSettings::new("rr"),
        })
        .change(Change::AddDestination {
            service: key(Protocol::Tcp, FTP),
            destination: masq(at(RIP_143, 21), 1),
        })
        .front(syn(ALICE, 50_000), passed())
        .opened(ALICE, FTP, at(RIP_143, 21));
    vec![data, first, empty, plain]
}
