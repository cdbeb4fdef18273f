//! The ways to a flow's two ends; that back to its client is learnt at its first reply.
//!
//! The kernel's routing table is asked once for each flow, not for each packet. Where it does not answer
//! (the kernel's forwarding is switched off), the reply leaves by the interface that the client's packet
//! came in by. When the next hop has no number yet (the daemon has not met the neighbour), the question
//! comes up again at the next packet, and until then the kernel finds the neighbour.

use super::Flow;
use crate::abi::dest;
use crate::abi::endpoint::Endpoint;
use crate::abi::flow::{WAY_BACK, WayBack};
use crate::abi::ipv6::{Address, NeighbourKey};
use crate::abi::next_hop::neighbour_key;
use crate::family::Family;
use crate::tables::{Line, Route, RouteIpv6, Tables};

/// The way back to `client` (IPv4 address, wire order) of the flow in line `number`, whose word says
/// `known` so far. The word is completed if the next hop has a number, unless the line has another flow
/// by now.
#[inline(never)]
pub fn learn<T: Tables>(tables: &T, number: u32, known: u64, client: u32) -> u64 {
    let known = WayBack(known);
    let arrival = Route {
        interface: known.interface(),
        neighbour: client,
    };
    let route = tables.route(client, arrival.interface).unwrap_or(arrival);
    let routed = known.by(route.interface);
    let Some(next_hop) = tables.neighbour(neighbour_key(route.neighbour, route.interface)) else {
        return routed.0;
    };
    keep(tables, number, known, routed.with_next_hop(next_hop))
}

/// As [`learn`], to a client with the IPv6 address that these two words are.
#[inline(never)]
pub fn learn_ipv6<T: Tables>(tables: &T, number: u32, known: u64, first: u64, second: u64) -> u64 {
    let known = WayBack(known);
    let client = Address([first, second]);
    let arrival = RouteIpv6 {
        interface: known.interface(),
        neighbour: client,
    };
    let route = tables
        .route_ipv6(client, arrival.interface)
        .unwrap_or(arrival);
    let routed = known.by(route.interface);
    let key = NeighbourKey::new(route.neighbour, route.interface);
    let Some(next_hop) = tables.neighbour_ipv6(&key) else {
        return routed.0;
    };
    keep(tables, number, known, routed.with_next_hop(next_hop))
}

/// The way back to a flow's client, which is looked for if it is not known yet.
#[inline(always)]
pub fn to_client<A: Family, T: Tables>(tables: &T, flow: &Flow) -> WayBack {
    match flow.way_back {
        back if back.next_hop() != 0 => back,
        _ => A::way_back(tables, flow),
    }
}

/// The way to a flow's server, in whose settings `way` is the word [`dest::NEXT_HOP`], for what came in by `interface`:
/// as a way back without a generation.
#[inline(always)]
pub fn to_server<A: Family, T: Tables>(
    tables: &T,
    flow: &Flow,
    way: u64,
    interface: u32,
) -> WayBack {
    if A::TAG != 0 || way & dest::ROUTED == 0 {
        return WayBack(way);
    }
    let server = Endpoint::unpack(flow.words.dest).address;
    WayBack(way_out(tables, server, interface))
}

/// The way to the IPv4 address `server` of a flow whose packet came in by `interface`, as the word of a way back
/// without a generation; 0 if there is none.
#[inline(never)]
fn way_out<T: Tables>(tables: &T, server: u32, interface: u32) -> u64 {
    let Some(route) = tables.route(server, interface) else {
        return 0;
    };
    let key = neighbour_key(route.neighbour, route.interface);
    WayBack::new(tables.neighbour(key).unwrap_or(0), route.interface, 0).0
}

#[inline(always)]
fn keep<T: Tables>(tables: &T, number: u32, known: WayBack, learned: WayBack) -> u64 {
    if let Some(line) = tables.flow(number) {
        line.compare_exchange(WAY_BACK, known.0, learned.0);
    }
    learned.0
}
