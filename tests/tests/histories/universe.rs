//! Who there is: services, servers and clients, few enough to meet again and again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ferrovs_model::ServiceKey;
use ferrovs_tests::ipvs::{Key, Protocol};

/// The service in this place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot(pub(crate) usize);

/// The server in this place of a service's servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Host(pub(crate) u8);

/// A client's socket: the number of its address, and that of its port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Client(pub(crate) u8, pub(crate) u16);

/// Whether it is IPv6, and the service.
const SLOTS: [(bool, Kind); 18] = [
    (false, Kind::Address(Protocol::Tcp, 1, 80)),
    (false, Kind::Address(Protocol::Tcp, 1, 81)),
    (false, Kind::Address(Protocol::Tcp, 2, 80)),
    (false, Kind::Address(Protocol::Udp, 1, 53)),
    (false, Kind::Address(Protocol::Udp, 2, 53)),
    (true, Kind::Address(Protocol::Tcp, 1, 80)),
    (true, Kind::Address(Protocol::Udp, 1, 53)),
    (false, Kind::Address(Protocol::Tcp, 3, 0)),
    (false, Kind::Address(Protocol::Udp, 3, 0)),
    (false, Kind::Address(Protocol::Tcp, 3, 4002)),
    (true, Kind::Address(Protocol::Tcp, 3, 0)),
    (false, Kind::Address(Protocol::Tcp, 4, FTP)),
    (true, Kind::Address(Protocol::Tcp, 4, FTP)),
    (false, Kind::Mark(7)),
    (false, Kind::Mark(8)),
    (false, Kind::Address(Protocol::Sctp, 1, 99)),
    (false, Kind::Address(Protocol::Sctp, 2, 99)),
    (true, Kind::Address(Protocol::Sctp, 1, 99)),
];

/// What a service is for.
#[derive(Clone, Copy)]
enum Kind {
    /// A protocol, the number of the virtual address, and the port.
    Address(Protocol, u8, u16),
    /// What carries this mark. It comes to the addresses and ports of others too.
    Mark(u32),
}

const FTP: u16 = 21;
/// Where clients find a service that is for all ports; the second is also where servers of others listen.
const ANY_PORTS: [u16; 2] = [4000, 8080];

/// Virtual addresses, servers and clients are in networks of their own.
const VIRTUAL: u8 = 0;
const SERVERS: u8 = 1;
const CLIENTS: u8 = 2;

/// An address of a network.
fn address(ipv6: bool, network: u8, host: u8) -> IpAddr {
    if ipv6 {
        // No two of the four words that are folded are alike, or 0.
        let [network, host] = [u16::from(network), u16::from(host)];
        Ipv6Addr::new(0xfd00, network, 0x1234, host * 3, 0x77, 0x99, 0xabcd, host).into()
    } else {
        Ipv4Addr::new(10, network, 0, host).into()
    }
}

/// Services that are there from first to last, and have no servers: without any service of its family the kernel
/// leaves a packet alone, also one of an old connection.
pub(crate) fn keepers() -> [(Protocol, SocketAddr); 2] {
    [false, true].map(|ipv6| {
        let address = SocketAddr::new(address(ipv6, VIRTUAL, 9), 9);
        (Protocol::Tcp, address)
    })
}

impl Slot {
    pub(crate) const COUNT: usize = SLOTS.len();

    const fn kind(self) -> Kind {
        SLOTS[self.0].1
    }

    pub(crate) const fn is_ipv6(self) -> bool {
        SLOTS[self.0].0
    }

    /// Whether only datagrams are for it.
    pub(crate) const fn is_udp(self) -> bool {
        matches!(self.kind(), Kind::Address(Protocol::Udp, ..))
    }

    /// Whether only SCTP's packets are for it.
    pub(crate) const fn is_sctp(self) -> bool {
        matches!(self.kind(), Kind::Address(Protocol::Sctp, ..))
    }

    /// Whether it is for all ports.
    pub(crate) const fn is_for_all_ports(self) -> bool {
        matches!(self.kind(), Kind::Address(_, _, 0))
    }

    /// The mark of its packets; 0 for none.
    pub(crate) const fn mark(self) -> u32 {
        match self.kind() {
            Kind::Address(..) => 0,
            Kind::Mark(mark) => mark,
        }
    }

    /// What clients speak who want this service, and where they write to: of one for all ports to some port, of FTP its
    /// own or that of a data connection, of one by mark anything.
    pub(crate) fn target(self, client: Client) -> (Protocol, SocketAddr) {
        let any = usize::from(client.1 % 2);
        let (protocol, host, port) = match self.kind() {
            Kind::Address(protocol, host, 0) => (protocol, host, ANY_PORTS[any]),
            Kind::Address(protocol, host, FTP) => (protocol, host, [FTP, 4000][any]),
            Kind::Address(protocol, host, port) => (protocol, host, port),
            Kind::Mark(_) => {
                let protocol = [Protocol::Tcp, Protocol::Udp][usize::from(client.0 % 2)];
                (protocol, 1 + client.1 as u8 / 2 % 2, [80, 8080][any])
            }
        };
        let address = address(self.is_ipv6(), VIRTUAL, host);
        (protocol, SocketAddr::new(address, port))
    }

    pub(crate) fn key(self) -> Key {
        match self.kind() {
            Kind::Address(protocol, host, port) => {
                let address = address(self.is_ipv6(), VIRTUAL, host);
                Key::Address(protocol, SocketAddr::new(address, port))
            }
            Kind::Mark(mark) => Key::Mark {
                mark,
                ipv6: self.is_ipv6(),
            },
        }
    }

    pub(crate) fn service_key(self) -> ServiceKey {
        service_key(self.key())
    }

    /// A server's address. Some servers have one socket for several services, one has the port that is asked for.
    pub(crate) fn server(self, host: Host) -> SocketAddr {
        let port = match host.0 {
            0..=2 => 8080,
            3 => 0,
            _ => 8000 + self.0 as u16,
        };
        SocketAddr::new(address(self.is_ipv6(), SERVERS, host.0), port)
    }

    /// A client's address. No two services know the same, so that what several services share of a server can be
    /// told apart.
    pub(crate) fn client(self, client: Client) -> SocketAddr {
        let port = 20_000 + 100 * self.0 as u16 + client.1;
        SocketAddr::new(address(self.is_ipv6(), CLIENTS, client.0), port)
    }
}

impl Host {
    pub(crate) const COUNT: u8 = 6;
}

pub(crate) fn service_key(key: Key) -> ServiceKey {
    match key {
        Key::Address(protocol, address) => {
            let protocol = match protocol {
                Protocol::Udp => ferrovs_model::Protocol::Udp,
                Protocol::Sctp => ferrovs_model::Protocol::Sctp,
                _ => ferrovs_model::Protocol::Tcp,
            };
            ServiceKey::address(protocol, address)
        }
        Key::Mark { mark, ipv6 } => ServiceKey::Mark { mark, ipv6 },
    }
}
