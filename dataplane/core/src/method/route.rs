//! Direct routing (LVS-DR, `ip_vs_dr_xmit`): the packet as it is, to the server's link address. The server
//! holds the virtual address too, where nobody asks after it by ARP.

use crate::abi::ipv6::Address;
use crate::abi::reason::Reason;
use crate::abi::{dest, next_hop};
use crate::family::Family;
use crate::flow::Flow;
use crate::flow::ends::server_address;
use crate::frame::Frame;
use crate::hop::Hop;
use crate::nat::readdress;
use crate::tables::{Line, Tables, count};
use crate::verdict::Verdict;
use crate::wire::Packet;

/// Takes one from the packet's TTL (`decrement_ttl`) and readdresses the frame, or leaves that to the
/// kernel if `hop` cannot be trusted.
#[inline(always)]
pub(super) fn forward<A: Family, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    flow: &Flow,
    hop: &Hop,
) -> Option<Verdict> {
    A::age(frame, packet)?;
    if !hop.trusted {
        count(tables, Reason::Resolved);
        return Some(Verdict::Hand {
            interface: hop.interface,
            dest: flow.owner.dest(),
        });
    }
    readdress(frame, packet.link, hop)?;
    Some(Verdict::Transmit {
        interface: hop.interface,
    })
}

/// A neighbour's address.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub enum Neighbour {
    /// Of IPv4, wire order.
    V4(u32),
    /// Of IPv6.
    V6(Address),
}

/// To whom packets for server `number` are handed: the router towards it, or itself. Of IPv6 the router's
/// address is not in the tables, and the server is taken to be on the link.
#[inline(always)]
pub fn neighbour<T: Tables>(tables: &T, number: u32) -> Option<Neighbour> {
    let settings = tables.dest(number)?;
    if settings.load(dest::MODE) & dest::IPV6 != 0 {
        return Some(Neighbour::V6(server_address(settings)));
    }
    let router = tables.next_hop(settings.load(dest::NEXT_HOP) as u32)?;
    match next_hop::neighbour(router.load(next_hop::LINK)) {
        0 => Some(Neighbour::V4(settings.load(dest::ENDPOINT) as u32)),
        address => Some(Neighbour::V4(address)),
    }
}
