//! The whole way of a packet on one page.
//!
//! parse → side → flow (or a new one) → way out → state → counters → rewrite → verdict.
//!
//! Everything that may leave the packet to somebody else is decided before anything about the packet
//! is counted or changed: XDP hands a packet whose next hop it cannot trust to the tc program
//! untouched, and there it comes by here once more.

use crate::abi::dest;
use crate::abi::endpoint::Endpoint;
use crate::abi::next_hop::neighbour_key;
use crate::abi::pointer::PointerKey;
use crate::abi::reason::Reason;
use crate::abi::{filter, interface, service, state};
use crate::flow::claim::{Claimed, Pick, Wish, claim};
use crate::flow::tcp::Direction;
use crate::flow::touch::{learn_way_back, touch};
use crate::flow::{Flow, find, is_expired, place, retire};
use crate::frame::Frame;
use crate::hop::{self, Hop};
use crate::nat::{self, Rewrite};
use crate::sched;
use crate::side::{self, Side};
use crate::tables::{Line, Tables};
use crate::verdict::{Arrival, Hook, Verdict};
use crate::wire::{self, Packet, Parsed, TCP};

/// Decides about one packet, rewrites it if it is to be forwarded, and says what becomes of it.
#[inline(always)]
pub fn direct<F: Frame, T: Tables>(frame: &mut F, tables: &T, arrival: Arrival) -> Verdict {
    match decide(frame, tables, arrival) {
        Ok(verdict) => verdict,
        Err(Leave::Foreign) => Verdict::Pass,
        Err(Leave::Pass(reason)) => {
            // What XDP passes, the tc program of the same interface sees again, and counts.
            if arrival.hook == Hook::Tc {
                count(tables, reason);
            }
            Verdict::Pass
        }
        Err(Leave::Drop(reason)) => {
            count(tables, reason);
            Verdict::Drop
        }
        Err(Leave::Defer) => {
            count(tables, Reason::Deferred);
            Verdict::Defer
        }
    }
}

/// Why a packet leaves the way early.
enum Leave {
    /// None of ours.
    Foreign,
    /// Ours, but the stack's business.
    Pass(Reason),
    /// Ours, and not to be forwarded.
    Drop(Reason),
    /// Ours, but not for this hook.
    Defer,
}

/// One packet and what it is judged by.
struct Case<'a, T: Tables> {
    tables: &'a T,
    /// Line 0 of the configuration.
    config: T::Line,
    arrival: Arrival,
    packet: Packet,
    now: u32,
}

/// How a packet will leave.
enum Out {
    /// With these Ethernet addresses.
    Hop(Hop),
    /// By this interface; the kernel knows the rest.
    Interface(u32),
}

#[inline(always)]
fn decide<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    arrival: Arrival,
) -> Result<Verdict, Leave> {
    let interface = interface_of(tables, arrival.interface).ok_or(Leave::Foreign)?;
    let mac = if interface.load(interface::INDEX) & interface::ETHERNET != 0 {
        Some(interface.load(interface::MAC))
    } else {
        None
    };
    let packet = match wire::parse(frame, mac) {
        Parsed::Packet(packet) => packet,
        Parsed::Fragment => return Err(Leave::Pass(Reason::Fragment)),
        Parsed::Foreign => return Err(Leave::Foreign),
    };
    let config = tables.config(0).ok_or(Leave::Foreign)?;
    let case = Case {
        tables,
        config,
        arrival,
        packet,
        now: tables.now(),
    };
    match side::tell(tables, config, &packet).ok_or(Leave::Foreign)? {
        Side::Client(service) => {
            let flow = case.client_flow(service)?;
            let out = case.towards_server(&flow)?;
            let new = Rewrite {
                source: Endpoint::unpack(flow.local),
                destination: Endpoint::unpack(flow.dest),
            };
            case.forward(frame, &flow, Direction::ToServer, &out, new)
        }
        Side::Server(entry) => {
            let flow = case.server_flow(entry).ok_or(Leave::Foreign)?;
            let out = case.towards_client(&flow)?;
            let new = Rewrite {
                source: Endpoint::unpack(flow.virtual_),
                destination: Endpoint::unpack(flow.client),
            };
            case.forward(frame, &flow, Direction::ToClient, &out, new)
        }
    }
}

impl<T: Tables> Case<'_, T> {
    /// The flow of a client's packet: the one there is, or a new one if the packet may open one.
    #[inline(always)]
    fn client_flow(&self, service: u16) -> Result<Flow, Leave> {
        let client = self.packet.source.pack(self.packet.protocol as u16);
        let virtual_ = self.packet.destination.pack(service);
        let place = place::of(self.config, client, service);
        let found = find::by_client(self.tables, &place, PointerKey([client, virtual_]));
        if let Some(flow) = found
            && self.is_current(&flow)
        {
            if !self.reopens(&flow) {
                return Ok(flow);
            }
            if let Some(line) = self.tables.flow(flow.number) {
                retire::retire(self.tables, line, &flow, self.now);
            }
        }
        self.new_flow(service, &place, client, virtual_)
    }

    /// A new flow, if the service takes one and the packet may open one. IPVS: `tcp_conn_schedule`,
    /// `udp_conn_schedule`, `ip_vs_schedule`.
    #[inline(always)]
    fn new_flow(
        &self,
        service: u16,
        place: &place::Place,
        client: u64,
        virtual_: u64,
    ) -> Result<Flow, Leave> {
        let line = self.tables.service(service as u32).ok_or(Leave::Foreign)?;
        if line.load(service::MODE) & service::ACCEPTS == 0 {
            return Err(Leave::Foreign);
        }
        let state = match self.packet.protocol {
            TCP if self.packet.tcp.opens() => state::SYN_RECV,
            TCP => return Err(Leave::Pass(Reason::NoFlow)),
            _ => state::UDP,
        };
        let interface = self.arrival.interface;
        let wish = Wish {
            client,
            virtual_,
            state,
            interface,
            now: self.now,
        };
        match claim(self.tables, place, &wish, || self.pick(line)) {
            Claimed::Made(flow, note) => {
                if let Some(line) = self.tables.dest_counters(flow.owner.dest()) {
                    line.add_local(dest::CONNS, 1);
                }
                if let Some(note) = note {
                    count(self.tables, note);
                }
                Ok(flow)
            }
            Claimed::Found(flow) => Ok(flow),
            Claimed::Refused(reason) => Err(Leave::Drop(reason)),
        }
    }

    #[inline(always)]
    fn pick(&self, service: T::Line) -> Option<Pick> {
        let number = sched::pick(self.tables, service)?;
        let line = self.tables.dest(dest::LINES * number)?;
        let endpoint = Endpoint::unpack(line.load(dest::ENDPOINT));
        let entry = side::real(self.tables, self.config, endpoint, self.packet.protocol)?;
        Some(Pick {
            number,
            endpoint,
            entry,
        })
    }

    #[inline(always)]
    fn server_flow(&self, entry: filter::Entry) -> Option<Flow> {
        let server = self.packet.source.pack(0);
        let peer = self.packet.destination.pack(self.packet.protocol as u16);
        find::by_server(self.tables, self.config, entry, PointerKey([server, peer]))
            .filter(|flow| self.is_current(flow))
    }

    /// Whether the flow is within its timeout. One that was used this very tick surely is.
    #[inline(always)]
    fn is_current(&self, flow: &Flow) -> bool {
        flow.control.last_seen() == self.now || !is_expired(self.tables, flow.control, self.now)
    }

    /// Whether the packet opens a connection anew whose flow is at its end: it is scheduled afresh
    /// (IPVS: `ip_vs_in_hook` with `conn_reuse_mode` = 1).
    #[inline(always)]
    fn reopens(&self, flow: &Flow) -> bool {
        self.packet.tcp.opens() && matches!(flow.control.state(), state::TIME_WAIT | state::CLOSE)
    }

    #[inline(always)]
    fn towards_server(&self, flow: &Flow) -> Result<Out, Leave> {
        let settings = self.settings(flow)?;
        let number = settings.load(dest::NEXT_HOP) as u32;
        self.way_out(number, || {
            let server = Endpoint::unpack(flow.dest).address;
            Some(self.tables.route(server, self.arrival.interface)?.interface)
        })
    }

    #[inline(always)]
    fn towards_client(&self, flow: &Flow) -> Result<Out, Leave> {
        self.settings(flow)?;
        let mut number = flow.way_back.next_hop();
        let mut interface = flow.way_back.interface();
        if number == 0 {
            let client = Endpoint::unpack(flow.client).address;
            if let Some(route) = self.tables.route(client, interface) {
                interface = route.interface;
                let key = neighbour_key(route.neighbour, interface);
                if let Some(known) = self.tables.neighbour(key)
                    && let Some(line) = self.tables.flow(flow.number)
                {
                    number = known;
                    learn_way_back(line, flow, known);
                }
            }
        }
        self.way_out(number, || Some(interface))
    }

    /// The settings of the flow's server, if it has not been removed.
    #[inline(always)]
    fn settings(&self, flow: &Flow) -> Result<T::Line, Leave> {
        let line = self.tables.dest(dest::LINES * flow.owner.dest());
        match line {
            Some(line) if line.load(dest::MODE) & dest::FORWARDS != 0 => Ok(line),
            _ => Err(Leave::Drop(Reason::DestinationGone)),
        }
    }

    /// By next hop `number` if it can be trusted; otherwise tc asks the kernel, for which the
    /// interface must be known at least.
    #[inline(always)]
    fn way_out(&self, number: u32, interface: impl FnOnce() -> Option<u32>) -> Result<Out, Leave> {
        if let Some(hop) = hop::usable(self.tables, self.config, number, self.now)
            && hop.link == self.packet.link
        {
            return Ok(Out::Hop(hop));
        }
        if self.arrival.hook == Hook::Xdp {
            return Err(Leave::Defer);
        }
        match hop::interface(self.tables, number).or_else(interface) {
            Some(interface) => Ok(Out::Interface(interface)),
            None => Err(Leave::Drop(Reason::NoRoute)),
        }
    }

    #[inline(always)]
    fn forward<F: Frame>(
        &self,
        frame: &mut F,
        flow: &Flow,
        direction: Direction,
        out: &Out,
        new: Rewrite,
    ) -> Result<Verdict, Leave> {
        if self.packet.ttl <= 1 {
            return Err(Leave::Drop(Reason::TtlExceeded));
        }
        let line = self.tables.flow(flow.number).ok_or(Leave::Foreign)?;
        if !touch(self.tables, line, flow, &self.packet, direction, self.now) {
            return Err(Leave::Drop(Reason::Contended));
        }
        if let Some(counters) = self.tables.dest_counters(flow.owner.dest()) {
            let (packets, bytes) = match direction {
                Direction::ToServer => (dest::IN_PACKETS, dest::IN_BYTES),
                Direction::ToClient => (dest::OUT_PACKETS, dest::OUT_BYTES),
            };
            counters.add_local(packets, 1);
            counters.add_local(bytes, self.packet.length as u64);
        }
        match *out {
            Out::Hop(hop) => {
                nat::readdress(frame, self.packet.link, &hop).ok_or(Leave::Foreign)?;
                nat::rewrite(frame, &self.packet, new).ok_or(Leave::Foreign)?;
                Ok(Verdict::Transmit {
                    interface: hop.interface,
                })
            }
            Out::Interface(interface) => {
                nat::rewrite(frame, &self.packet, new).ok_or(Leave::Foreign)?;
                count(self.tables, Reason::Resolved);
                Ok(Verdict::Resolve { interface })
            }
        }
    }
}

/// The line of an interface that is watched.
#[inline(always)]
fn interface_of<T: Tables>(tables: &T, index: u32) -> Option<T::Line> {
    for probe in 0..interface::PROBES {
        let line = tables.interface(interface::line(index, probe))?;
        if line.load(interface::INDEX) as u32 == index {
            return Some(line);
        }
    }
    None
}

#[inline(always)]
fn count<T: Tables>(tables: &T, reason: Reason) {
    let number = reason as u32;
    if let Some(line) = tables.reasons(number / 8) {
        line.add_local((number & 7) as usize, 1);
    }
}
