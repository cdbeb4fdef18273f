//! ICMP errors about packets of flows: what a router or a host says of a packet that we have rewritten is true, but the
//! end that is told knows neither the packet nor its addresses (`ip_vs_in_icmp`, `ip_vs_out_icmp`).
//!
//! An error goes to who has sent the packet that it quotes. Quoted is the packet as it was behind us: one from the
//! virtual address to a client belongs to the flow's server, one to the server to its client. So an error is an
//! answer to the packet that it quotes, and its flow is [found](find) as that of an answer would be. It gets the addresses
//! of the other end, inside as outside; an error that goes to a client comes from the virtual address, whoever
//! has sent it, as in IPVS. Flows whose servers answer past us have their errors sent on to the server as they are,
//! by the same way as the client's packets.
//!
//! An error changes nothing about its flow, neither state nor timer, and is counted as one of its packets. What is
//! no error, or about no flow, is left to the stack: so an echo request to a virtual address is answered by the kernel if
//! the address is the director's.
//!
//! Called by [`crate::director`] for what has turned out to be ICMP, and off the way of all else: the eBPF programs
//! make [`translate`], [`find`] and [`restate`] functions that are verified by themselves, for each family.

mod family;
pub mod find;

pub use family::Quoting;

use crate::abi::reason::Reason;
use crate::director::link_of;
use crate::errand::Errand;
use crate::flow::tcp::Direction;
use crate::flow::{self, Flow};
use crate::frame::Frame;
use crate::tables::{Tables, count};
use crate::verdict::{Arrival, Verdict};
use crate::wire::Link;
use crate::{method, nat};
use find::Found;

/// What becomes of an ICMP message that came in so: a [`Verdict`], packed.
///
/// The link header is read once more. To take it from the caller would tie the two together: the verifier would tell packets
/// behind different link headers apart on all the way before.
#[inline(always)]
pub fn translate<A: Quoting, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    arrival: Arrival,
) -> u64 {
    let verdict = decide::<A, F, T>(frame, tables, arrival);
    verdict.unwrap_or(Verdict::Pass).pack()
}

/// `None`: none of ours.
#[inline(always)]
fn decide<A: Quoting, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    arrival: Arrival,
) -> Option<Verdict> {
    let (link, _) = link_of(frame, tables, arrival)?;
    let error = A::error(frame, link)?;
    if !A::is_for_sender(frame, &error) {
        return None;
    }
    let found = Found(A::find(frame, tables, &error)?);
    let flow = flow_of(tables, found)?;
    let errand = Errand {
        tables,
        hook: arrival.hook,
        packet: error.answer,
    };
    // Of an IPv6 flow with an address of the pool two addresses would change, outside and inside: left to the stack.
    if A::TAG != 0 && flow.owner.pool() != 0 {
        return None;
    }
    let hop = match errand.hop::<A>(&flow, arrival.interface, found.direction()) {
        Ok(hop) => hop,
        Err(verdict) => return Some(verdict),
    };
    // As one of the flow's packets (`ip_vs_in_stats`, `ip_vs_out_stats`).
    errand.count(&flow, found.direction(), 1, error.answer.length);
    if found.direction() == Direction::OneWay {
        return match method::forward::<A, F, T>(frame, tables, &error.answer, &flow, &hop)? {
            // Nobody is told of an error (RFC 1122, section 3.2.2).
            Verdict::Tell { .. } => Some(Verdict::Drop),
            verdict => Some(verdict),
        };
    }
    if hop.trusted {
        nat::readdress(frame, link, &hop)?;
    }
    if !frame.restate::<A, T>(tables, link, found.0) {
        return Some(Verdict::Drop);
    }
    let interface = hop.interface;
    if hop.trusted {
        return Some(Verdict::Transmit { interface });
    }
    count(tables, Reason::Resolved);
    Some(Verdict::Resolve { interface })
}

/// Sends the error behind `link` on to the other end of the flow of a [`Found`]'s number, whose packet it quotes then; false if the
/// flow has ended.
#[inline(always)]
pub fn restate<A: Quoting, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    link: Link,
    found: u64,
) -> bool {
    let found = Found(found);
    let Some(flow) = flow_of(tables, found) else {
        return false;
    };
    let Some(error) = A::error(frame, link) else {
        return false;
    };
    A::restate(frame, tables, &error, &flow, found.direction()).is_some()
}

/// What was found, if it is still there.
#[inline(always)]
fn flow_of<T: Tables>(tables: &T, found: Found) -> Option<Flow> {
    // Line 0 is a header.
    if found.line() == 0 {
        return None;
    }
    flow::read(tables.flow(found.line())?, found.line())
}
