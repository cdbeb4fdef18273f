//! Having the kernel find and keep neighbours.
//!
//! What is redirected never passes the kernel's own output, so it neither looks for a neighbour nor
//! confirms it. The daemon asks instead.

use std::{io, net::IpAddr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage,
    },
};

use super::Query;

impl Query {
    /// Has the kernel find a neighbour and keep it for good (`NTF_EXT_MANAGED`, Linux 5.16). Asked again,
    /// it doubts the neighbour as if a packet had been sent.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn manage(&mut self, interface: u32, address: IpAddr) -> io::Result<()> {
        let mut request = neighbour(interface, address);
        let managed = NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed);
        request.attributes.push(managed);
        let request = RouteNetlinkMessage::NewNeighbour(request);
        self.act(request, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Has the kernel look for a neighbour that it does not know, or doubt the one it knows, as if a packet
    /// had been sent (`NTF_USE`). It is no longer kept for good.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn look_for(&mut self, interface: u32, address: IpAddr) -> io::Result<()> {
        let mut request = neighbour(interface, address);
        request.header.flags = NeighbourFlags::Use;
        let request = RouteNetlinkMessage::NewNeighbour(request);
        self.act(request, NLM_F_CREATE | NLM_F_REPLACE)
    }
}

fn neighbour(interface: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.ifindex = interface;
    let (family, destination) = match address {
        IpAddr::V4(address) => (AddressFamily::Inet, NeighbourAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, NeighbourAddress::Inet6(address)),
    };
    message.header.family = family;
    message.attributes = vec![NeighbourAttribute::Destination(destination)];
    message
}
