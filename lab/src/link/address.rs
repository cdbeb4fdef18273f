//! Addresses, routes and neighbours.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
    neighbour::{NeighbourMessage, NeighbourState},
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
        RouteType,
    },
};

use super::Link;
use crate::{
    error::{Doing, Result},
    namespace::Namespace,
};

impl Link<'_> {
    /// Gives the interface an address; `prefix` is the length of its network's prefix in bits.
    ///
    /// # Errors
    /// When it has the address already or the kernel refuses.
    pub fn add_address(&self, address: impl Into<IpAddr>, prefix: u8) -> Result<()> {
        let address = address.into();
        let mut message = AddressMessage::default();
        message.header.prefix_len = prefix;
        message.header.index = self.index;
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
        ];
        match address {
            IpAddr::V4(address) => {
                message.header.family = AddressFamily::Inet;
                let broadcast = AddressAttribute::Broadcast(broadcast(address, prefix));
                message.attributes.push(broadcast);
            }
            IpAddr::V6(_) => {
                message.header.family = AddressFamily::Inet6;
                // Nobody else has it, and it is to be used at once.
                message.header.flags = AddressHeaderFlags::Nodad;
            }
        }
        self.namespace
            .route()
            .request(
                RouteNetlinkMessage::NewAddress(message),
                NLM_F_CREATE | NLM_F_EXCL,
            )
            .map(drop)
            .doing(|| self.describe(&format!("add the address {address}/{prefix} to")))
    }

    /// The interface's IPv4 addresses with the lengths of their networks' prefixes.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn addresses(&self) -> Result<Vec<(Ipv4Addr, u8)>> {
        let mut wanted = AddressMessage::default();
        wanted.header.family = AddressFamily::Inet;
        let answers = self
            .namespace
            .route()
            .dump(RouteNetlinkMessage::GetAddress(wanted))
            .doing(|| self.describe("list the addresses of"))?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewAddress(found) if found.header.index == self.index => {
                    Some(found)
                }
                _ => None,
            })
            .filter_map(|found| {
                found
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        AddressAttribute::Local(IpAddr::V4(address)) => {
                            Some((*address, found.header.prefix_len))
                        }
                        _ => None,
                    })
            })
            .collect())
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

/// A route to a network through a gateway, by this interface or by the one that the gateway's own
/// address says.
fn route(network: IpAddr, prefix: u8, gateway: IpAddr, interface: Option<u32>) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = match network {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    route.header.destination_prefix_length = prefix;
    route.header.table = RouteHeader::RT_TABLE_MAIN;
    route.header.protocol = RouteProtocol::Static;
    route.header.scope = RouteScope::Universe;
    route.header.kind = RouteType::Unicast;
    route.attributes = vec![RouteAttribute::Gateway(route_address(gateway))];
    if prefix > 0 {
        let destination = RouteAttribute::Destination(route_address(network));
        route.attributes.push(destination);
    }
    route.attributes.extend(interface.map(RouteAttribute::Oif));
    route
}

impl Link<'_> {
    /// Adds a route to a network by this interface, which a link-local gateway does not say by itself.
    ///
    /// # Errors
    /// When the gateway cannot be reached from here, or the route exists.
    pub fn add_route(
        &self,
        network: impl Into<IpAddr>,
        prefix: u8,
        gateway: impl Into<IpAddr>,
    ) -> Result<()> {
        let (network, gateway) = (network.into(), gateway.into());
        let route = route(network, prefix, gateway, Some(self.index));
        self.namespace
            .route()
            .request(
                RouteNetlinkMessage::NewRoute(route),
                NLM_F_CREATE | NLM_F_EXCL,
            )
            .map(drop)
            .doing(|| self.describe(&format!("route {network}/{prefix} through {gateway} by")))
    }
}

impl Namespace {
    /// Adds a route to a network; `prefix` in bits, 0 for the default route.
    ///
    /// # Errors
    /// When the gateway cannot be reached from here, or the route exists.
    pub fn add_route(
        &self,
        network: impl Into<IpAddr>,
        prefix: u8,
        gateway: impl Into<IpAddr>,
    ) -> Result<()> {
        let (network, gateway) = (network.into(), gateway.into());
        let route = route(network, prefix, gateway, None);
        self.route()
            .request(
                RouteNetlinkMessage::NewRoute(route),
                NLM_F_CREATE | NLM_F_EXCL,
            )
            .map(drop)
            .doing(|| {
                format!(
                    "route {network}/{prefix} through {gateway} in {}",
                    self.name()
                )
            })
    }

    /// Sets the default gateway.
    ///
    /// # Errors
    /// As [`add_route`](Self::add_route).
    pub fn add_default_gateway(&self, gateway: Ipv4Addr) -> Result<()> {
        self.add_route(Ipv4Addr::UNSPECIFIED, 0, gateway)
    }

    /// The default gateway, if there is one.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn default_gateway(&self) -> Result<Option<Ipv4Addr>> {
        let mut wanted = RouteMessage::default();
        wanted.header.address_family = AddressFamily::Inet;
        let answers = self
            .route()
            .dump(RouteNetlinkMessage::GetRoute(wanted))
            .doing(|| format!("list the routes of {}", self.name()))?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewRoute(route)
                    if route.header.destination_prefix_length == 0 =>
                {
                    Some(route)
                }
                _ => None,
            })
            .find_map(|route| {
                route
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(*gateway),
                        _ => None,
                    })
            }))
    }

    /// Makes the kernel forget its neighbours' Ethernet addresses, as `ip neigh flush all` does
    /// (permanent ones stay), and says how many.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn flush_neighbours(&self) -> Result<usize> {
        let mut socket = self.route();
        let mut flushed = 0;
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut wanted = NeighbourMessage::default();
            wanted.header.family = family;
            let answers = socket
                .dump(RouteNetlinkMessage::GetNeighbour(wanted))
                .doing(|| format!("list the neighbours of {}", self.name()))?;
            for answer in answers {
                let RouteNetlinkMessage::NewNeighbour(found) = answer else {
                    continue;
                };
                if matches!(
                    found.header.state,
                    NeighbourState::Permanent | NeighbourState::Noarp
                ) {
                    continue;
                }
                match socket.request(RouteNetlinkMessage::DelNeighbour(found), 0) {
                    Ok(_) => flushed += 1,
                    // It has gone by itself meanwhile.
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                    Err(error) => {
                        return Err(error)
                            .doing(|| format!("flush a neighbour in {}", self.name()));
                    }
                }
            }
        }
        Ok(flushed)
    }
}

fn broadcast(address: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() | hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_is_the_last_address_of_the_network() {
        let of = |address: [u8; 4], prefix| broadcast(address.into(), prefix).octets();
        assert_eq!(of([192, 168, 2, 140], 24), [192, 168, 2, 255]);
        assert_eq!(of([10, 0, 0, 1], 8), [10, 255, 255, 255]);
        assert_eq!(of([10, 0, 0, 1], 32), [10, 0, 0, 1]);
        assert_eq!(of([10, 0, 0, 1], 0), [255, 255, 255, 255]);
    }
}
