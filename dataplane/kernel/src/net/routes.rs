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

impl Query {
    /// The way to an address; `None` if there is no route, or the address is this host's own.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub(crate) fn way_to(&mut self, address: IpAddr) -> io::Result<Option<Way>> {
        let mut request = RouteMessage::default();
        let (family, length, destination) = match address {
            IpAddr::V4(address) => (AddressFamily::Inet, 32, RouteAddress::Inet(address)),
            IpAddr::V6(address) => (AddressFamily::Inet6, 128, RouteAddress::Inet6(address)),
        };
        request.header.address_family = family;
        request.header.destination_prefix_length = length;
        request.attributes = vec![RouteAttribute::Destination(destination)];
        match self.ask(RouteNetlinkMessage::GetRoute(request)) {
            Ok(RouteNetlinkMessage::NewRoute(route)) => Ok(way_of(&route, address)),
            Ok(_) => Ok(None),
            Err(error) if is_no_route(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn way_of(route: &RouteMessage, address: IpAddr) -> Option<Way> {
    if route.header.kind != RouteType::Unicast {
        return None;
    }
    let mut interface = None;
    let mut neighbour = address;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => neighbour = (*gateway).into(),
            RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) => neighbour = (*gateway).into(),
            _ => {}
        }
    }
    Some(Way {
        interface: interface?,
        neighbour,
    })
}

/// The errors by which the kernel says that packets to the address would not leave (`fib_props`).
fn is_no_route(error: &io::Error) -> bool {
    matches!(
        super::message::errno(error),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL)
    )
}
