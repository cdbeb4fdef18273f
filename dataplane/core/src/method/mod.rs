//! Forwarding by the methods by which a server answers its client itself, so that only the client's packets
//! pass here: direct routing, tunnelling, and a server on the director. (Masquerading is [`crate::nat`].)
//!
//! Called by [`crate::director`] when way, state and counters of the packet are settled. What a packet
//! needs is said by its server's settings; that its flow is of this kind, by the flow itself
//! ([`Words::is_one_way`](crate::flow::ends::Words::is_one_way)), so that connections that are open when a server's
//! method is edited go on as they began (`ip_vs_bind_dest` copies the method too).

pub mod route;

use crate::family::Family;
use crate::flow::Flow;
use crate::frame::Frame;
use crate::hop::Hop;
use crate::tables::Tables;
use crate::verdict::Verdict;
use crate::wire::Packet;

/// Sends a packet on to the server of its flow by `hop`. `None`, and nothing done, if the packet is too short.
#[inline(always)]
pub fn forward<A: Family, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    flow: &Flow,
    hop: &Hop,
) -> Option<Verdict> {
    if hop.is_local() {
        // To the stack, as it is (`ip_vs_send_or_cont`).
        return Some(Verdict::Pass);
    }
    route::forward::<A, F, T>(frame, tables, packet, flow, hop)
}
