//! Asking the kernel's routing table.

use std::{io, net::IpAddr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};

use super::Query;

/// Where packets to an address leave.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Way {
    /// Index of the interface they leave by.
    pub(crate) interface: u32,
    /// Whom they are handed to: the gateway, or the address itself.
    pub(crate) neighbour: IpAddr,
}

/// Where an address is, seen from this host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// There is no route.
    Nowhere,
    /// It is this host's own.
    Here,
    /// Elsewhere.
    Away {
        /// Where packets to it leave.
        way: Way,
        /// The address that they are from, if the kernel has one for them.
        source: Option<IpAddr>,
    },
}

impl Place {
    /// The way to it, if it is elsewhere.
    pub(crate) const fn way(self) -> Option<Way> {
        match self {
            Self::Away { way, .. } => Some(way),
            Self::Nowhere | Self::Here => None,
        }
    }

    /// The address that packets to it are from, if it is elsewhere.
    pub(crate) const fn source(self) -> Option<IpAddr> {
        match self {
            Self::Away { source, .. } => source,
            Self::Nowhere | Self::Here => None,
        }
    }
}

impl Query {
    /// Where an address is.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub(crate) fn locate(&mut self, address: IpAddr) -> io::Result<Place> {
        let mut request = RouteMessage::default();
        let (family, length, destination) = match address {
            IpAddr::V4(address) => (AddressFamily::Inet, 32, RouteAddress::Inet(address)),
            IpAddr::V6(address) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(address)),
        };
        request.header.address_family = family;
        request.header.destination_prefix_length = length;
        request.attributes = vec![RouteAttribute::Destination(destination)];
        match self.ask(RouteNetlinkMessage::GetRoute(request)) {
            Ok(RouteNetlinkMessage::NewRoute(route)) => Ok(place_of(&route, address)),
            Ok(_) => Ok(Place::Nowhere),
            Err(error) if is_no_route(&error) => Ok(Place::Nowhere),
            Err(error) => Err(error),
        }
    }
}

fn place_of(route: &RouteMessage, address: IpAddr) -> Place {
    match route.header.kind {
        RouteType::Unicast => {}
        RouteType::Local => return Place::Here,
        _ => return Place::Nowhere,
    }
    let mut interface = None;
    let mut neighbour = address;
    let mut source = None;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => neighbour = (*gateway).into(),
            RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) => neighbour = (*gateway).into(),
            RouteAttribute::PrefSource(RouteAddress::Inet(own)) => source = Some((*own).into()),
            RouteAttribute::PrefSource(RouteAddress::Inet6(own)) => source = Some((*own).into()),
            _ => {}
        }
    }
    match interface {
        Some(interface) => Place::Away {
            way: Way {
                interface,
                neighbour,
            },
            source,
        },
        None => Place::Nowhere,
    }
}

/// The errors by which the kernel says that packets to the address would not leave (`fib_props`).
fn is_no_route(error: &io::Error) -> bool {
    matches!(
        super::message::errno(error),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL)
    )
}
