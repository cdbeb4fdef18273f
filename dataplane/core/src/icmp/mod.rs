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

use crate::abi::dest;
use crate::abi::reason::Reason;
use crate::director::link_of;
use crate::flow::tcp::Direction;
use crate::flow::{self, Flow};
use crate::frame::Frame;
use crate::hop::{self, Hop};
use crate::tables::{Line, Tables, count};
use crate::verdict::{Arrival, Hook, Verdict};
use crate::wire::{Link, Packet};
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
        answer: error.answer,
    };
    let hop = match errand.hop::<A>(&flow, found.direction()) {
        Ok(hop) => hop,
        Err(verdict) => return Some(verdict),
    };
    errand.count(&flow, found.direction());
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

/// An error and what it is judged by.
struct Errand<'a, T: Tables> {
    tables: &'a T,
    hook: Hook,
    /// See [`crate::wire::icmp::Error::answer`].
    answer: Packet,
}

impl<T: Tables> Errand<'_, T> {
    /// The way on, or what becomes of the error if there is none.
    #[inline(always)]
    fn hop<A: Quoting>(&self, flow: &Flow, direction: Direction) -> Result<Hop, Verdict> {
        let (number, interface) = if direction == Direction::ToClient {
            let mut back = flow.way_back;
            if back.next_hop() == 0 {
                back = A::way_back(self.tables, flow, A::client(flow));
            }
            (back.next_hop(), back.interface())
        } else {
            match self.tables.dest(flow.owner.dest()) {
                Some(line) if line.load(dest::MODE) & dest::FORWARDS != 0 => {
                    let way = line.load(dest::NEXT_HOP);
                    if way & dest::LOCAL != 0 && direction == Direction::OneWay {
                        return self.up();
                    }
                    (way as u32, 0)
                }
                _ => return Err(self.drop(Reason::DestinationGone)),
            }
        };
        let Some(config) = self.tables.config(0) else {
            return Err(Verdict::Drop);
        };
        let mut hop = hop::find(self.tables, config, number, interface, self.tables.now());
        hop.trusted &= hop.link == self.answer.link;
        if !hop.trusted && self.hook == Hook::Xdp {
            return Err(self.defer());
        }
        if hop.interface == 0 {
            return Err(self.drop(Reason::NoRoute));
        }
        if self.answer.ttl <= 1 {
            return Err(self.drop(Reason::TtlExceeded));
        }
        Ok(hop)
    }

    /// The way to a server on the director.
    #[inline(always)]
    fn up(&self) -> Result<Hop, Verdict> {
        match self.hook {
            Hook::Xdp => Err(self.defer()),
            Hook::Tc => Ok(Hop::LOCAL),
        }
    }

    #[inline(always)]
    fn drop(&self, reason: Reason) -> Verdict {
        count(self.tables, reason);
        Verdict::Drop
    }

    #[inline(always)]
    fn defer(&self) -> Verdict {
        count(self.tables, Reason::Deferred);
        Verdict::Defer
    }

    /// Counts the error as one of the flow's packets (`ip_vs_in_stats`, `ip_vs_out_stats`).
    #[inline(always)]
    fn count(&self, flow: &Flow, direction: Direction) {
        if let Some(counters) = self.tables.traffic(flow.owner.dest()) {
            let (packets, bytes) = if direction == Direction::ToClient {
                (dest::OUT_PACKETS, dest::OUT_BYTES)
            } else {
                (dest::IN_PACKETS, dest::IN_BYTES)
            };
            counters.add_local(packets, 1);
            counters.add_local(bytes, self.answer.length as u64);
        }
    }
}
