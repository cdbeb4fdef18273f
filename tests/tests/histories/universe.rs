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

/// Protocol, whether it is IPv6, the number of the virtual address, and the port.
const SLOTS: [(Protocol, bool, u8, u16); 13] = [
    (Protocol::Tcp, false, 1, 80),
    (Protocol::Tcp, false, 1, 81),
    (Protocol::Tcp, false, 2, 80),
    (Protocol::Udp, false, 1, 53),
    (Protocol::Udp, false, 2, 53),
    (Protocol::Tcp, true, 1, 80),
    (Protocol::Udp, true, 1, 53),
    (Protocol::Tcp, false, 3, 0),
    (Protocol::Udp, false, 3, 0),
    (Protocol::Tcp, false, 3, 4002),
    (Protocol::Tcp, true, 3, 0),
    (Protocol::Tcp, false, 4, FTP),
    (Protocol::Tcp, true, 4, FTP),
];

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

    pub(crate) const fn protocol(self) -> Protocol {
        SLOTS[self.0].0
    }

    const fn is_ipv6(self) -> bool {
        SLOTS[self.0].1
    }

    pub(crate) fn address(self) -> SocketAddr {
        let (_, ipv6, host, port) = SLOTS[self.0];
        SocketAddr::new(address(ipv6, VIRTUAL, host), port)
    }

    /// Where clients write to who want this service: of one for all ports, some port, of FTP its own or that of a data
    /// connection.
    pub(crate) fn target(self, client: Client) -> SocketAddr {
        let mut target = self.address();
        let any = usize::from(client.1 % 2);
        match target.port() {
            0 => target.set_port(ANY_PORTS[any]),
            FTP => target.set_port([FTP, 4000][any]),
            _ => {}
        }
        target
    }

    pub(crate) fn key(self) -> Key {
        Key::Address(self.protocol(), self.address())
    }

    pub(crate) fn service_key(self) -> ServiceKey {
        service_key(self.protocol(), self.address())
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

pub(crate) fn service_key(protocol: Protocol, address: SocketAddr) -> ServiceKey {
    let protocol = match protocol {
        Protocol::Udp => ferrovs_model::Protocol::Udp,
        _ => ferrovs_model::Protocol::Tcp,
    };
    ServiceKey::address(protocol, address)
}
