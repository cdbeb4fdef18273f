//! The table: what arrives, and what is to become of it. One file for each concern.

mod answers;
mod calls;
mod departures;
mod fragments;
mod fullnat;
mod hops;
mod icmp;
mod ip;
mod ipv6;
mod link;
mod locality;
mod methods;
mod mtu;
mod one_packet;
mod outward;
mod persistence;
mod ports;
mod schedulers;
mod sctp;
mod segments;
mod services;
mod table;
mod tcp;
mod thresholds;
mod udp;

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::state::{ESTABLISHED, SYN_RECV};

use crate::{
    case::{Case, forwarded},
    packet::{ACK, Link, Packet, SYN, Transport, at},
    world::{BACK_MAC, CLIENT, FRONT_MAC, HTTP, RIP_141, RIP_143, mac_of},
};

/// All cases: those of IPv4, the same with IPv6 where that can be, and those that only IPv6 has.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = of_ipv4();
    let with_ipv6: Vec<_> = cases.iter().filter_map(Case::in_ipv6).collect();
    cases.extend(with_ipv6);
    cases.extend(ipv6::cases());
    cases.extend(outward::cases());
    cases.extend(table::cases());
    cases
}

fn of_ipv4() -> Vec<Case> {
    [
        answers::cases(),
        tcp::cases(),
        thresholds::cases(),
        segments::cases(),
        udp::cases(),
        sctp::cases(),
        link::cases(),
        ip::cases(),
        fragments::cases(),
        hops::cases(),
        icmp::cases(),
        services::cases(),
        departures::cases(),
        persistence::cases(),
        one_packet::cases(),
        calls::cases(),
        ports::cases(),
        schedulers::cases(),
        locality::cases(),
        methods::cases(),
        mtu::cases(),
        fullnat::cases(),
    ]
    .concat()
}

/// The server that gets the first flow of the default world, and the one that gets the second.
const FIRST: SocketAddrV4 = SocketAddrV4::new(RIP_143, 80);
const SECOND: SocketAddrV4 = SocketAddrV4::new(RIP_141, 80);

/// The client of most cases.
const ALICE: SocketAddrV4 = SocketAddrV4::new(CLIENT, 40_001);
/// Another one.
const BOB: SocketAddrV4 = SocketAddrV4::new(CLIENT, 40_002);

/// First sequence numbers of all clients and all servers.
const CLIENT_NUMBER: u32 = 1000;
const SERVER_NUMBER: u32 = 5000;

/// A segment from a client to a virtual service, as it arrives on the front.
fn from_client(client: SocketAddrV4, service: SocketAddrV4, flags: u8) -> Packet {
    let link = Link::Ethernet {
        destination: FRONT_MAC,
        source: mac_of(*client.ip()),
    };
    Packet::new(
        link,
        client,
        service,
        segment(flags, CLIENT_NUMBER, SERVER_NUMBER),
    )
}

/// A segment from a real server to a client, as it arrives on the back.
fn from_server(server: SocketAddrV4, client: SocketAddrV4, flags: u8) -> Packet {
    let link = Link::Ethernet {
        destination: BACK_MAC,
        source: mac_of(*server.ip()),
    };
    Packet::new(
        link,
        server,
        client,
        segment(flags, SERVER_NUMBER, CLIENT_NUMBER),
    )
}

/// A segment that acknowledges the other side's first number, or has it as its own if it is a SYN.
fn segment(flags: u8, own: u32, other: u32) -> Transport {
    Transport::Tcp {
        flags,
        sequence: if flags & SYN != 0 { own } else { own + 1 },
        acknowledgement: if flags & ACK != 0 { other + 1 } else { 0 },
    }
}

/// A segment from Alice to the HTTP service.
fn alice(flags: u8) -> Packet {
    from_client(ALICE, HTTP, flags)
}

/// A segment from the first server to Alice.
fn first(flags: u8) -> Packet {
    from_server(FIRST, ALICE, flags)
}

impl Packet {
    /// With another acknowledgement number.
    fn acknowledging(mut self, number: u32) -> Self {
        if let Transport::Tcp {
            acknowledgement, ..
        } = &mut self.transport
        {
            *acknowledgement = number;
        }
        self
    }
}

impl Case {
    /// A client's SYN reaches a server.
    fn opened(self, client: SocketAddrV4, service: SocketAddrV4, server: SocketAddrV4) -> Self {
        let syn = from_client(client, service, SYN);
        self.front(syn, forwarded().opens(server, SYN_RECV))
    }

    /// Alice's SYN reaches the first server.
    fn half_open(self) -> Self {
        self.opened(ALICE, HTTP, FIRST)
    }

    /// Alice's SYN reaches the first server, which answers.
    fn answered(self) -> Self {
        self.half_open().back(first(SYN | ACK), forwarded())
    }

    /// A client and a server shake hands.
    fn connected(self, client: SocketAddrV4, service: SocketAddrV4, server: SocketAddrV4) -> Self {
        self.opened(client, service, server)
            .back(from_server(server, client, SYN | ACK), forwarded())
            .front(
                from_client(client, service, ACK),
                forwarded().state(ESTABLISHED).protects(),
            )
    }

    /// Alice and the first server shake hands.
    fn established(self) -> Self {
        self.connected(ALICE, HTTP, FIRST)
    }
}

/// A client on the demonstration's network.
fn client(port: u16) -> SocketAddrV4 {
    at(CLIENT, port)
}

/// A server's HTTP socket.
const fn http_of(server: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(server, 80)
}
