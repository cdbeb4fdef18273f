//! Links, addresses and neighbours of this network namespace, as they are at one moment.

use std::{collections::BTreeMap, io, net::IpAddr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp},
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState},
};

use super::Query;

/// A network interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its address, if its frames are Ethernet frames.
    pub mac: Option<[u8; 6]>,
    /// What kind of virtual interface it is (`veth`, `bridge`, ...); none for hardware.
    pub kind: Option<String>,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether its neighbours have no addresses of their own to be found (`IFF_NOARP`).
    pub no_arp: bool,
    /// Largest IP packet, bytes.
    pub mtu: u32,
    /// Index of the bridge or bond it is a port of.
    pub master: Option<u32>,
    /// Numbers of the XDP programs on it, by mode.
    pub xdp: Vec<(super::XdpMode, u32)>,
}

/// An address of this host.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// Index of the interface it is on.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// How many of its leading bits name the network that it is in.
    pub prefix: u8,
}

/// What is known about a neighbour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    /// Its link-layer address, in a state in which the kernel itself sends to it.
    pub mac: Option<[u8; 6]>,
    /// Whether the kernel has doubts and has not asked yet.
    pub stale: bool,
    /// Whether an administrator has set it for good.
    pub permanent: bool,
}

/// The network at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    /// Interfaces by index.
    pub links: BTreeMap<u32, Link>,
    /// Addresses, sorted.
    pub addresses: Vec<Address>,
    /// Neighbours by interface and address.
    pub neighbours: BTreeMap<(u32, IpAddr), Neighbour>,
}

impl Snapshot {
    /// Asks the kernel for all interfaces, and nothing else.
    pub(crate) fn links(query: &mut Query) -> io::Result<Self> {
        let mut snapshot = Self::default();
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        query.dump(request, |message| {
            snapshot.note(message);
        })?;
        Ok(snapshot)
    }

    /// Asks the kernel for everything.
    pub(crate) fn take(query: &mut Query) -> io::Result<Self> {
        let mut snapshot = Self::links(query)?;
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut address = AddressMessage::default();
            address.header.family = family;
            let mut neighbour = NeighbourMessage::default();
            neighbour.header.family = family;
            for request in [
                RouteNetlinkMessage::GetAddress(address),
                RouteNetlinkMessage::GetNeighbour(neighbour),
            ] {
                query.dump(request, |message| {
                    snapshot.note(message);
                })?;
            }
        }
        Ok(snapshot)
    }

    /// Takes in one message; whether it changed anything that is kept here.
    pub(crate) fn note(&mut self, message: RouteNetlinkMessage) -> bool {
        match message {
            RouteNetlinkMessage::NewLink(link) => {
                let link = link_of(&link);
                self.links.insert(link.index, link.clone()) != Some(link)
            }
            RouteNetlinkMessage::DelLink(link) => {
                let index = link.header.index;
                self.neighbours
                    .retain(|&(interface, _), _| interface != index);
                self.addresses.retain(|address| address.interface != index);
                self.links.remove(&index).is_some()
            }
            RouteNetlinkMessage::NewAddress(message) => match address_of(&message) {
                Some(address) => match self.addresses.binary_search(&address) {
                    Ok(_) => false,
                    Err(at) => {
                        self.addresses.insert(at, address);
                        true
                    }
                },
                None => false,
            },
            RouteNetlinkMessage::DelAddress(message) => {
                let gone = address_of(&message);
                let before = self.addresses.len();
                self.addresses.retain(|address| Some(*address) != gone);
                self.addresses.len() != before
            }
            RouteNetlinkMessage::NewNeighbour(message) => match neighbour_of(&message) {
                Some((key, neighbour)) => self.neighbours.insert(key, neighbour) != Some(neighbour),
                None => false,
            },
            RouteNetlinkMessage::DelNeighbour(message) => neighbour_of(&message)
                .is_some_and(|(key, _)| self.neighbours.remove(&key).is_some()),
            _ => false,
        }
    }

    /// The interface with this name.
    #[must_use]
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }
}

fn link_of(message: &LinkMessage) -> Link {
    let header = &message.header;
    // Frames on the loopback interface have a header too, of zeros.
    let ethernet = matches!(
        header.link_layer_type,
        LinkLayerType::Ether | LinkLayerType::Loopback
    );
    let mut link = Link {
        index: header.index,
        loopback: header.flags.contains(LinkFlags::Loopback),
        up: header.flags.contains(LinkFlags::Up),
        no_arp: header.flags.contains(LinkFlags::Noarp),
        ..Link::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(bytes) if ethernet => link.mac = mac_of(bytes),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(master) if *master != 0 => link.master = Some(*master),
            LinkAttribute::Xdp(attributes) => link.xdp = xdp_of(attributes),
            LinkAttribute::LinkInfo(infos) => {
                link.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind_name(kind)),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    link
}

fn kind_name(kind: &InfoKind) -> String {
    kind.to_string()
}

fn xdp_of(attributes: &[LinkXdp]) -> Vec<(super::XdpMode, u32)> {
    let mode = |attribute: &LinkXdp| match *attribute {
        LinkXdp::DrvProgId(id) => Some((super::XdpMode::Native, id)),
        LinkXdp::SkbProgId(id) => Some((super::XdpMode::Generic, id)),
        LinkXdp::HwProgId(id) => Some((super::XdpMode::Offloaded, id)),
        _ => None,
    };
    let present = attributes.iter().filter_map(mode);
    present.filter(|&(_, id)| id != 0).collect()
}

/// IFA_LOCAL is the host's own address, and IFA_ADDRESS may be the peer's; an IPv6 address without a peer
/// has the latter only.
fn address_of(message: &AddressMessage) -> Option<Address> {
    let mut own = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => own = Some(*address),
            AddressAttribute::Address(address @ IpAddr::V6(_)) => {
                own = own.or(Some(*address));
            }
            _ => {}
        }
    }
    Some(Address {
        interface: message.header.index,
        address: own?,
        prefix: message.header.prefix_len,
    })
}

fn neighbour_of(message: &NeighbourMessage) -> Option<((u32, IpAddr), Neighbour)> {
    let mut address = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => {
                address = Some(IpAddr::V4(*ip));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => {
                address = Some(IpAddr::V6(*ip));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = mac_of(bytes),
            _ => {}
        }
    }
    let state = message.header.state;
    let usable = matches!(
        state,
        NeighbourState::Reachable
            | NeighbourState::Stale
            | NeighbourState::Delay
            | NeighbourState::Probe
            | NeighbourState::Permanent
    );
    let neighbour = Neighbour {
        mac: mac.filter(|_| usable),
        stale: state == NeighbourState::Stale,
        permanent: state == NeighbourState::Permanent,
    };
    Some(((message.header.ifindex, address?), neighbour))
}

fn mac_of(bytes: &[u8]) -> Option<[u8; 6]> {
    bytes.try_into().ok()
}
