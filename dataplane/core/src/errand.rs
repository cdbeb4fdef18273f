//! The way on for a packet that is no part of a conversation by itself, but belongs to a flow all the same: an ICMP error about
//! one of the flow's packets, or a later fragment. It changes nothing about the flow.

use crate::abi::dest;
use crate::abi::reason::Reason;
use crate::family::Family;
use crate::flow::Flow;
use crate::flow::tcp::Direction;
use crate::flow::way_back::{to_client, to_server};
use crate::hop::{self, Hop};
use crate::tables::{Line, Tables, count};
use crate::verdict::{Hook, Verdict};
use crate::wire::Packet;

/// Such a packet and what it is judged by.
pub(crate) struct Errand<'a, T: Tables> {
    /// The tables.
    pub tables: &'a T,
    /// Where it was met.
    pub hook: Hook,
    /// Its link header and TTL count here.
    pub packet: Packet,
}

impl<T: Tables> Errand<'_, T> {
    /// The way on for what came in by `interface`, or what becomes of the packet if there is none. Whose TTL ends is
    /// dropped: nobody is told of such packets (RFC 1122, section 3.2.2).
    #[inline(always)]
    pub(crate) fn hop<A: Family>(
        &self,
        flow: &Flow,
        interface: u32,
        direction: Direction,
    ) -> Result<Hop, Verdict> {
        let (number, interface) = if direction == Direction::ToClient {
            let back = to_client::<A, T>(self.tables, flow);
            (back.next_hop(), back.interface())
        } else {
            match self.tables.dest(flow.owner.dest()) {
                Some(line) if line.load(dest::MODE) & dest::FORWARDS != 0 => {
                    let way = line.load(dest::NEXT_HOP);
                    if way & dest::LOCAL != 0 && direction == Direction::OneWay {
                        return self.up();
                    }
                    let out = to_server::<A, T>(self.tables, flow, way, interface);
                    (out.next_hop(), out.interface())
                }
                _ => return Err(self.drop(Reason::DestinationGone)),
            }
        };
        let Some(config) = self.tables.config(0) else {
            return Err(Verdict::Drop);
        };
        let mut hop = hop::find(self.tables, config, number, interface, self.tables.now());
        hop.trusted &= hop.link == self.packet.link;
        if !hop.trusted && self.hook == Hook::Xdp {
            return Err(self.defer());
        }
        if hop.interface == 0 {
            return Err(self.drop(Reason::NoRoute));
        }
        if self.packet.ttl <= 1 {
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

    /// Drops it for this reason.
    #[inline(always)]
    pub(crate) fn drop(&self, reason: Reason) -> Verdict {
        count(self.tables, reason);
        Verdict::Drop
    }

    #[inline(always)]
    fn defer(&self) -> Verdict {
        count(self.tables, Reason::Deferred);
        Verdict::Defer
    }

    /// Counts so many packets and bytes as the flow's.
    #[inline(always)]
    pub(crate) fn count(&self, flow: &Flow, direction: Direction, packets: u64, bytes: u32) {
        if let Some(counters) = self.tables.traffic(flow.owner.dest()) {
            let (packet_word, byte_word) = if direction == Direction::ToClient {
                (dest::OUT_PACKETS, dest::OUT_BYTES)
            } else {
                (dest::IN_PACKETS, dest::IN_BYTES)
            };
            counters.add_local(packet_word, packets);
            counters.add_local(byte_word, bytes as u64);
        }
    }
}
