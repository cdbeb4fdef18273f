//! The network around the director, and what stands in its tables when a case begins.
//!
//! ```text
//!  client 169.254.179.60 ─┐                                    ┌─ 192.168.2.141  real servers
//!  router 169.254.179.254 ┴─ front [ director ] back ──────────┼─ 192.168.2.143
//!                                       │                      └─ 192.168.2.254  router
//!  client 10.9.0.60, server 10.9.0.5 ── bare (no link header)
//! ```

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    ops::Range,
};

use ferrovs_core::{
    abi::{
        WORDS, config,
        interface::{self, pack_mac},
        ipv6::{Address, EndpointKey, NeighbourKey},
        next_hop::{self, NO_VLAN, USABLE, neighbour_key, pack_macs},
        pool::{self, Offer, Ports, Reach},
        slab::Table,
    },
    outward,
    tables::{Line, Tables},
};
use ferrovs_model::{
    Change, Destination, Forwarding, Netmask, Protocol, ServiceKey, ServiceSettings, Wanted,
    publish::{Figures, Plane, Publisher},
};
use ferrovs_sim::{Network, Routes};

use crate::{
    home::{Home, Interfaces},
    packet::{Family, Link, Mac, at},
};

pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 1);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 60);
/// The router on the clients' side; 203.0.113.0/24 is behind it.
pub(crate) const FRONT_ROUTER: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 254);
pub(crate) const REMOTE_CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
pub(crate) const DIP: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 140);
pub(crate) const RIP_141: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 141);
pub(crate) const RIP_143: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 143);
/// The router on the servers' side; 198.51.100.0/24 is behind it.
pub(crate) const BACK_ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 254);
/// A client whose packets come in by the front and whose replies leave by the back.
pub(crate) const ASYMMETRIC_CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
/// A client to which no route leads.
pub(crate) const UNROUTED_CLIENT: Ipv4Addr = Ipv4Addr::new(100, 64, 0, 9);
pub(crate) const BARE_DIRECTOR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
pub(crate) const BARE_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 60);
pub(crate) const BARE_SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 5);
pub(crate) const BARE_IPV6_DIRECTOR: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 1);
pub(crate) const BARE_IPV6_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 60);
pub(crate) const BARE_IPV6_SERVER: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 5);

/// The only port of the pool, if the case says nothing else: so it is known what a server sees.
pub(crate) const POOL_PORT: u16 = 20_001;
/// What it sees then.
pub(crate) const POOL: SocketAddrV4 = SocketAddrV4::new(DIP, POOL_PORT);

pub(crate) const HTTP: SocketAddrV4 = SocketAddrV4::new(VIP, 80);
pub(crate) const DNS: SocketAddrV4 = SocketAddrV4::new(VIP, 53);

pub(crate) const FRONT_MAC: Mac = [0x02, 0, 0, 0, 1, 1];
pub(crate) const BACK_MAC: Mac = [0x02, 0, 0, 0, 2, 1];
/// See [`crate::object`]: what a bare packet of the cases begins with, taken for an Ethernet address.
pub(crate) const BARE_MAC: Mac = [0x46, 0, 0, BARE_LENGTH as u8, 0, 1];
/// The same of IPv6 packets.
pub(crate) const BARE_IPV6_MAC: Mac = [0x62, 0x45, 0x67, 0x89, 0, BARE_IPV6_PAYLOAD as u8];
/// Length of the payload that all bare IPv6 packets of the cases have.
pub(crate) const BARE_IPV6_PAYLOAD: usize = 44;
/// IP total length that all bare packets of the cases have, with 4 bytes of options.
pub(crate) const BARE_LENGTH: usize = 64;

/// Flow table secrets, the same in all homes, so that flows have the same places.
pub(crate) const SECRETS: [u64; 2] = [0x5ec2_e700_0000_0001, 0x5ec2_e700_0000_0003];

/// Networks and where they are.
pub(crate) fn routes(interfaces: &Interfaces) -> Routes {
    let mut routes = Routes::default();
    for (network, prefix, port, gateway) in ROUTES {
        for family in Family::BOTH {
            routes.add(Network {
                address: family.address(network),
                prefix: family.prefix(prefix),
                interface: interfaces.index(port),
                gateway: gateway.map(|gateway| family.address(gateway)),
            });
        }
    }
    routes
}

/// The routing table of the director, also of the kernel's network namespace.
pub(crate) const ROUTES: [(Ipv4Addr, u8, Port, Option<Ipv4Addr>); 6] = [
    (VIP, 24, Port::Front, None),
    (DIP, 24, Port::Back, None),
    (BARE_DIRECTOR, 24, Port::Bare, None),
    (BARE_IPV6_DIRECTOR, 24, Port::BareIpv6, None),
    (
        Ipv4Addr::new(203, 0, 113, 0),
        24,
        Port::Front,
        Some(FRONT_ROUTER),
    ),
    (
        Ipv4Addr::new(198, 51, 100, 0),
        24,
        Port::Back,
        Some(BACK_ROUTER),
    ),
];

/// An interface of the director.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Port {
    Front,
    Back,
    /// Carries IP packets without a link header.
    Bare,
    /// Likewise, for IPv6 packets.
    BareIpv6,
    /// Not in the table of interfaces.
    Unknown,
}

impl Port {
    const fn is_bare(self) -> bool {
        matches!(self, Self::Bare | Self::BareIpv6)
    }
}

/// The link header of frames to a neighbour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Bare,
    Ethernet,
    Tagged(u16),
}

/// A neighbour in the table of next hops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub number: u32,
    pub neighbour: Ipv4Addr,
    pub port: Port,
    pub kind: Kind,
    /// Whether a neighbour key leads to it, so that flows can learn it.
    pub learnable: bool,
    /// The MTU of its link; 0: not known.
    pub mtu: u16,
}

impl Hop {
    pub(crate) fn new(number: u32, neighbour: Ipv4Addr, port: Port) -> Self {
        Self {
            number,
            neighbour,
            port,
            kind: if port.is_bare() {
                Kind::Bare
            } else {
                Kind::Ethernet
            },
            learnable: true,
            mtu: 1500,
        }
    }

    /// The link header of frames to it.
    pub(crate) fn link(&self) -> Link {
        let (destination, source) = (mac_of(self.neighbour), mac_of_port(self.port));
        match self.kind {
            Kind::Bare => Link::Bare,
            Kind::Ethernet => Link::Ethernet {
                destination,
                source,
            },
            Kind::Tagged(tag) => Link::Tagged {
                destination,
                source,
                tag,
            },
        }
    }
}

/// The MAC address of a neighbour.
pub(crate) fn mac_of(neighbour: Ipv4Addr) -> Mac {
    let [a, b, c, d] = neighbour.octets();
    [0x06, 0xfe, a, b, c, d]
}

pub(crate) fn mac_of_port(port: Port) -> Mac {
    match port {
        Port::Front => FRONT_MAC,
        Port::Back => BACK_MAC,
        Port::Bare => BARE_MAC,
        Port::BareIpv6 => BARE_IPV6_MAC,
        Port::Unknown => [0x02, 0, 0, 0, 9, 1],
    }
}

/// A virtual service: protocol, address, servers with their weights in the order of their addition.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub protocol: Protocol,
    pub address: SocketAddrV4,
    pub scheduler: &'static str,
    pub servers: Vec<(SocketAddrV4, u32)>,
    /// How all of them are reached.
    pub forwarding: Forwarding,
}

/// How a case begins.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// Which addresses of the hosts are used.
    pub family: Family,
    pub buckets: u32,
    pub services: Vec<Service>,
    pub hops: Vec<Hop>,
    /// Addresses of the pool, with their first and last port.
    pub pool: Vec<(Ipv4Addr, u16, u16)>,
}

impl Default for World {
    /// The demonstration: HTTP with two servers, and DNS beside it. The server added last gets the
    /// first flow.
    fn default() -> Self {
        let servers = |port| vec![(at(RIP_141, port), 1), (at(RIP_143, port), 1)];
        let neighbours = [
            (CLIENT, Port::Front),
            (FRONT_ROUTER, Port::Front),
            (RIP_141, Port::Back),
            (RIP_143, Port::Back),
            (BACK_ROUTER, Port::Back),
            (BARE_CLIENT, Port::Bare),
            (BARE_SERVER, Port::Bare),
            (BARE_IPV6_CLIENT, Port::BareIpv6),
            (BARE_IPV6_SERVER, Port::BareIpv6),
        ];
        let hops = (1..).zip(neighbours);
        Self {
            family: Family::V4,
            buckets: 256,
            services: vec![
                service(Protocol::Tcp, HTTP, &servers(80)),
                service(Protocol::Udp, DNS, &servers(53)),
            ],
            hops: hops
                .map(|(number, (neighbour, port))| Hop::new(number, neighbour, port))
                .collect(),
            pool: vec![(DIP, POOL_PORT, POOL_PORT)],
        }
    }
}

pub(crate) fn service(
    protocol: Protocol,
    address: SocketAddrV4,
    servers: &[(SocketAddrV4, u32)],
) -> Service {
    Service {
        protocol,
        address,
        scheduler: "rr",
        servers: servers.to_vec(),
        forwarding: Forwarding::Masq,
    }
}

pub(crate) fn key(protocol: Protocol, address: SocketAddrV4) -> ServiceKey {
    ServiceKey::address(protocol, SocketAddr::V4(address))
}

pub(crate) fn masq(address: SocketAddrV4, weight: u32) -> Destination {
    Destination {
        weight,
        ..Destination::masq(SocketAddr::V4(address))
    }
}

impl Service {
    fn changes(&self) -> Vec<Change> {
        let service = key(self.protocol, self.address);
        let settings = ServiceSettings::new(self.scheduler);
        let servers = self
            .servers
            .iter()
            .map(|&(address, weight)| Change::AddDestination {
                service,
                destination: Destination {
                    forwarding: self.forwarding,
                    ..masq(address, weight)
                },
            });
        std::iter::once(Change::AddService { service, settings })
            .chain(servers)
            .collect()
    }
}

impl World {
    pub(crate) fn hop(&self, neighbour: Ipv4Addr) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.neighbour == neighbour)
    }

    /// All links take large packets.
    pub(crate) fn widen(&mut self) {
        for hop in &mut self.hops {
            hop.mtu = 9000;
        }
    }

    pub(crate) fn hop_mut(&mut self, neighbour: Ipv4Addr) -> &mut Hop {
        let mut hops = self.hops.iter_mut();
        hops.find(|hop| hop.neighbour == neighbour).unwrap()
    }
}

/// What keeps the tables of a home as the daemon would.
pub(crate) struct Daemon {
    family: Family,
    wanted: Wanted,
    pub publisher: Publisher,
    hops: Vec<Hop>,
    /// What each server is offered.
    offer: Vec<u8>,
}

impl Daemon {
    /// Fills empty tables.
    pub(crate) fn start<H: Home>(home: &H, world: &World) -> Self {
        let tables = home.tables();
        let head = tables.config(0).unwrap();
        head.store(config::SECRET0, SECRETS[0]);
        head.store(config::SECRET1, SECRETS[1]);
        assert_eq!(head.load(config::BUCKET_MASK), u64::from(world.buckets) - 1);
        assert_ne!(head.load(config::LAYOUT), 0);
        for port in [Port::Front, Port::Back, Port::Bare, Port::BareIpv6] {
            let index = home.interfaces().index(port);
            let line = tables.interface(interface::line(index, 0)).unwrap();
            let ethernet = if port.is_bare() {
                0
            } else {
                interface::ETHERNET
            };
            line.store(interface::MAC, pack_mac(mac_of_port(port)));
            line.store(interface::INDEX, u64::from(index) | ethernet);
        }
        for hop in &world.hops {
            write_hop(home, hop, hop_status(hop, USABLE, 2));
            if hop.learnable {
                introduce(home, world.family, hop);
            }
        }
        let mut daemon = Self {
            family: world.family,
            wanted: Wanted::default(),
            publisher: Publisher::default(),
            hops: world.hops.clone(),
            offer: write_pool(home, world),
        };
        let changes = world.services.iter().flat_map(Service::changes);
        daemon.change(home, &changes.collect::<Vec<_>>());
        daemon
    }

    /// Makes these changes to the services.
    pub(crate) fn change<H: Home>(&mut self, home: &H, changes: &[Change]) {
        let changes = changes.iter().map(|change| in_family(change, self.family));
        self.wanted.apply_all(&changes.collect::<Vec<_>>()).unwrap();
        let plane = PlaneOf::new(home);
        let plan = self.publisher.plan(&plane, &self.wanted).unwrap();
        self.publisher.commit(&plane, plan);
        self.lead(home);
    }

    /// Tells each destination its next hop, or that it is here, and what tunnels to it are from.
    fn lead<H: Home>(&self, home: &H) {
        use ferrovs_core::abi::dest;
        if let Some(line) = home.tables().tunnel(outward::DEST) {
            line.store(dest::OFFER, Offer::of(self.offer.iter().copied()).0);
            line.store(dest::REACH, Reach::new(None, self.offer.len() as u8).0);
        }
        for record in self.publisher.ledger().dests() {
            let hop = self
                .hops
                .iter()
                .find(|hop| self.family.address(hop.neighbour) == record.address.ip());
            let word = if record.address.ip() == self.family.address(DIP) {
                dest::LOCAL
            } else {
                hop.map_or(0, |hop| u64::from(hop.number))
            };
            let line = home.tables().tunnel(record.number).unwrap();
            let source = match self.family.address(DIP) {
                IpAddr::V4(source) => [u64::from(u32::from_ne_bytes(source.octets())), 0],
                IpAddr::V6(source) => Address::new(source.octets()).0,
            };
            line.store(dest::SOURCE, source[0]);
            line.store(dest::SOURCE + 1, source[1]);
            let host = self.family.host(record.address.ip());
            let is_near = host.to_bits() >> 8 == DIP.to_bits() >> 8;
            let near = is_near.then(|| self.family.prefix(24));
            let reach = Reach::new(near, self.offer.len() as u8);
            line.store(dest::OFFER, Offer::of(self.offer.iter().copied()).0);
            line.store(dest::REACH, reach.0);
            let line = home.tables().dest(record.number).unwrap();
            line.store(dest::NEXT_HOP, word);
        }
    }

    /// Changes what the table says about a neighbour.
    pub(crate) fn set_hop<H: Home>(&self, home: &H, neighbour: Ipv4Addr, fitness: Fitness) {
        let hop = self
            .hops
            .iter()
            .find(|hop| hop.neighbour == neighbour)
            .unwrap();
        let status = match fitness {
            Fitness::Usable => hop_status(hop, USABLE, 4),
            Fitness::Unusable => hop_status(hop, 0, 4),
            Fitness::BeingWritten => hop_status(hop, USABLE, 5),
        };
        write_hop(home, hop, status);
    }

    /// Lets a neighbour be found, which was not so far.
    pub(crate) fn introduce<H: Home>(&self, home: &H, neighbour: Ipv4Addr) {
        let hop = self
            .hops
            .iter()
            .find(|hop| hop.neighbour == neighbour)
            .unwrap();
        introduce(home, self.family, hop);
    }
}

/// What can be the matter with a next hop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fitness {
    Usable,
    /// The neighbour's address is not known.
    Unusable,
    /// The daemon is in the midst of a write.
    BeingWritten,
}

/// Writes the pool's lines, as the daemon would; the numbers of its addresses.
fn write_pool<H: Home>(home: &H, world: &World) -> Vec<u8> {
    let tables = home.tables();
    for number in 0..pool::LINES {
        let line = tables.pool(number).unwrap();
        (0..WORDS).for_each(|word| line.store(word, 0));
    }
    let address = |&(host, first, last): &(Ipv4Addr, u16, u16)| {
        let (words, digest) = match world.family.address(host) {
            IpAddr::V4(address) => {
                let word = u32::from_ne_bytes(address.octets());
                ([u64::from(word), 0], word)
            }
            IpAddr::V6(address) => {
                let address = Address::new(address.octets());
                (address.0, address.digest(SECRETS))
            }
        };
        let (word, bit) = pool::place(digest);
        let set = tables.pool(0).unwrap();
        set.store(word, set.load(word) | bit);
        let number = pool::number(digest, 0);
        let line = tables.pool(number).unwrap();
        line.store(pool::ADDRESS, words[0]);
        line.store(pool::ADDRESS + 1, words[1]);
        line.store(pool::PORTS, Ports::without(first, last, (0, 0)).0);
        u8::try_from(number).unwrap()
    };
    world.pool.iter().map(address).collect()
}

/// Leads a neighbour's key to its next hop.
fn introduce<H: Home>(home: &H, family: Family, hop: &Hop) {
    let interface = home.interfaces().index(hop.port);
    match family.address(hop.neighbour) {
        IpAddr::V4(address) => {
            let address = u32::from_ne_bytes(address.octets());
            home.set_neighbour(neighbour_key(address, interface), hop.number);
        }
        IpAddr::V6(address) => {
            let address = Address::new(address.octets());
            home.set_neighbour_ipv6(NeighbourKey::new(address, interface), hop.number);
        }
    }
}

/// The change as it is for the hosts' addresses of a family.
fn in_family(change: &Change, family: Family) -> Change {
    let key = |key: &ServiceKey| {
        let (protocol, address) = key.endpoint().unwrap();
        ServiceKey::address(protocol, in_family_address(address, family))
    };
    let dest = |dest: &Destination| Destination {
        address: in_family_address(dest.address, family),
        ..*dest
    };
    match change {
        Change::AddService { service, settings } => Change::AddService {
            service: key(service),
            settings: in_family_settings(settings, family),
        },
        Change::EditService { service, settings } => Change::EditService {
            service: key(service),
            settings: in_family_settings(settings, family),
        },
        Change::DeleteService { service } => Change::DeleteService {
            service: key(service),
        },
        Change::AddDestination {
            service,
            destination,
        } => Change::AddDestination {
            service: key(service),
            destination: dest(destination),
        },
        Change::EditDestination {
            service,
            destination,
        } => Change::EditDestination {
            service: key(service),
            destination: dest(destination),
        },
        Change::DeleteDestination { service, address } => Change::DeleteDestination {
            service: key(service),
            address: in_family_address(*address, family),
        },
        other => other.clone(),
    }
}

/// An IPv4 host's address is in the last four bytes of its IPv6 one.
fn in_family_settings(settings: &ServiceSettings, family: Family) -> ServiceSettings {
    let mut settings = settings.clone();
    if let (Family::V6, Some(persistence)) = (family, &mut settings.persistence)
        && let Netmask::V4(mask) = persistence.netmask
    {
        persistence.netmask = Netmask::V6(96 + mask.to_bits().leading_ones() as u8);
    }
    settings
}

fn in_family_address(host: SocketAddr, family: Family) -> SocketAddr {
    family.socket(Family::V4.host_of(host))
}

fn hop_status(hop: &Hop, usable: u64, version: u64) -> u64 {
    let ethernet = if hop.kind == Kind::Bare {
        0
    } else {
        next_hop::ETHERNET
    };
    version | ethernet | usable
}

fn write_hop<H: Home>(home: &H, hop: &Hop, status: u64) {
    let line = home.tables().next_hop(hop.number).unwrap();
    let (macs, rest) = pack_macs(mac_of(hop.neighbour), mac_of_port(hop.port));
    let tag = match hop.kind {
        Kind::Tagged(tag) => tag,
        _ => NO_VLAN,
    };
    let index = home.interfaces().index(hop.port);
    line.store(next_hop::MACS, macs);
    line.store(next_hop::OUT, u64::from(rest) | u64::from(index) << 32);
    line.store(next_hop::LINK, u64::from(tag) | u64::from(hop.mtu) << 16);
    line.store(next_hop::STATUS, status);
}

/// A home as the publisher sees it.
struct PlaneOf<'a, H: Home + 'a> {
    home: &'a H,
    tables: H::Tables<'a>,
}

impl<'a, H: Home> PlaneOf<'a, H> {
    fn new(home: &'a H) -> Self {
        Self {
            home,
            tables: home.tables(),
        }
    }
}

impl<'a, H: Home> Plane for PlaneOf<'a, H> {
    type Tables = H::Tables<'a>;

    fn tables(&self) -> &H::Tables<'a> {
        &self.tables
    }

    fn figures(&self, dest: u32) -> Figures {
        self.home.figures(dest)
    }

    fn endpoints(&self) -> BTreeMap<EndpointKey, u64> {
        self.home.endpoints()
    }

    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) -> bool {
        self.home.set_endpoint(key, value);
        true
    }

    fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        self.home.grow(table, lines)
    }

    fn filter_lines(&self) -> u32 {
        self.home.filter_lines()
    }

    fn quiesce(&self) {}
}
