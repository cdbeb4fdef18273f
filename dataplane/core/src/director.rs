//! The whole way of a packet on one page.
//!
//! parse → side → flow (or a new one) → way out → state → counters → rewrite → verdict.
//!
//! Everything that may leave the packet to somebody else is decided before the packet is counted or
//! changed (though its flow may have been opened): XDP hands a packet whose next hop it cannot trust to the tc program
//! untouched, and there it comes by here once more.

use crate::abi::answer::Request;
use crate::abi::dest::{self, Method};
use crate::abi::flow::Owner;
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::reason::Reason;
use crate::abi::{filter, interface, state};
use crate::answer::Question;
use crate::family::{Family, Ipv4, Ipv6};
use crate::flow::machine::NOT;
use crate::flow::one_packet;
use crate::flow::open::Wish;
use crate::flow::schedule::find_server;
use crate::flow::tcp::Direction;
use crate::flow::touch::touch;
use crate::flow::way_back::{to_client, to_server};
use crate::flow::{self, Flow, find, is_expired, place, retire};
use crate::fragment::Cut;
use crate::frame::Frame;
use crate::hop::{self, Hop};
use crate::method;
use crate::nat;
use crate::side::Side;
use crate::tables::{Line, Tables, count};
use crate::verdict::{Arrival, Hook, Verdict};
use crate::wire::{Link, Packet, Parsed, Tcp, Version, ethernet};

/// Decides about one packet, rewrites it if it is to be forwarded, and says what becomes of it.
#[inline(always)]
pub fn direct<F: Frame, T: Tables>(frame: &mut F, tables: &T, arrival: Arrival) -> Verdict {
    let Some((link, version)) = link_of(frame, tables, arrival) else {
        return Verdict::Pass;
    };
    let met = Met { arrival, link };
    match version {
        Version::V4 => direct_of::<Ipv4, _, T>(frame, tables, &met),
        Version::V6 => direct_of::<Ipv6, _, T>(&mut frame.varying(), tables, &met),
    }
}

/// How a packet came in, and behind which link header.
struct Met {
    arrival: Arrival,
    link: Link,
}

impl Met {
    /// That nobody serves where the packet went.
    #[inline(always)]
    fn unreachable<A: Family>(&self) -> Question {
        Question {
            network: self.link.length(),
            interface: self.arrival.interface,
            request: Request::port_unreachable(A::TAG != 0),
        }
    }

    /// The verdict that is packed so. Who is to be told something is told.
    #[inline(always)]
    fn conclude<A: Family, F: Frame, T: Tables>(
        &self,
        frame: &F,
        tables: &T,
        verdict: u64,
    ) -> Verdict {
        match Verdict::unpack(verdict) {
            Verdict::Tell { request } => {
                let mut question = self.unreachable::<A>();
                question.request = request.of_family(A::TAG != 0);
                frame.answer(tables, question);
                Verdict::Drop
            }
            verdict => verdict,
        }
    }
}

/// The link header of a packet of ours, and the version of IP behind it.
#[inline(always)]
pub(crate) fn link_of<F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    arrival: Arrival,
) -> Option<(Link, Version)> {
    let interface = interface_of(tables, arrival.interface)?;
    let mac = if interface.load(interface::INDEX) & interface::ETHERNET != 0 {
        Some(interface.load(interface::MAC))
    } else {
        None
    };
    ethernet::parse(frame, mac)
}

/// As [`direct`], for a packet of this family.
///
/// A packet that opens a flow goes the way twice: to where the flow is missed, and once more when it has been
/// opened. Between the two, opening has the stack for itself (512 bytes are all there is).
#[inline(always)]
fn direct_of<A: Cut, F: Frame, T: Tables>(frame: &mut F, tables: &T, met: &Met) -> Verdict {
    let mut wish = Wish::NONE;
    let verdict = go::<A, F, T>(frame, tables, met, 0, &mut wish);
    let found = match verdict {
        OPENS => find_server(frame, tables, &mut wish, met.arrival.hook),
        STRAYS => {
            wish.interface = met.arrival.interface;
            frame.caller(tables, met.link, A::TAG != 0, &mut wish);
            let call = frame.call_out(tables, &mut wish);
            if wish.dest == 0 {
                return stray::<A, F, T>(frame, tables, met);
            }
            call
        }
        ICMP => return Verdict::unpack(frame.translate::<A, T>(tables, met.arrival)),
        FOLLOWS => return Verdict::unpack(frame.follow::<A, T>(tables, met.arrival)),
        verdict => return met.conclude::<A, F, T>(frame, tables, verdict),
    };
    let opened = tables.finish(&mut wish, found);
    if let Some(reason) = opened.refusal {
        count(tables, reason);
        match reason {
            Reason::Deferred => return Verdict::Defer,
            Reason::NoDestination => frame.answer(tables, met.unreachable::<A>()),
            _ => {}
        }
        return Verdict::Drop;
    }
    if opened.line == 0 {
        return Verdict::Pass;
    }
    let verdict = go::<A, F, T>(frame, tables, met, opened.line, &mut wish);
    met.conclude::<A, F, T>(frame, tables, verdict)
}

/// What becomes of a server's packet that belongs to no flow: it is the server's own business, unless servers are
/// to hear that nobody waits for it (`ip_vs_out_hook`). Where no route leads through the director, it is the
/// director itself that waits.
#[inline(never)]
fn stray<A: Family, F: Frame, T: Tables>(frame: &F, tables: &T, met: &Met) -> Verdict {
    let interface = met.arrival.interface;
    if !flow::sysctls(tables).nat_icmp_send()
        || !A::is_routed(frame, tables, met.link.length(), interface)
    {
        return Verdict::Pass;
    }
    count(tables, Reason::NoFlow);
    let mut question = met.unreachable::<A>();
    question.request = question.request.by_director();
    frame.answer(tables, question);
    Verdict::Drop
}

/// Whether the director forwards a packet: it is not for itself.
#[inline(never)]
fn leads_out<A: Family, F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    network: usize,
    interface: u32,
) -> bool {
    A::is_routed(frame, tables, network, interface)
}

/// What [`go`] says when a flow has to be opened first. No verdict is packed as this.
const OPENS: u64 = u64::MAX;
/// What [`go`] says of a server's packet that belongs to no flow. No verdict is packed as this.
const STRAYS: u64 = u64::MAX - 1;
/// What [`go`] says of ICMP. No verdict is packed as this.
const ICMP: u64 = u64::MAX - 2;
/// What [`go`] says of a later fragment. No verdict is packed as this.
const FOLLOWS: u64 = u64::MAX - 3;

/// The way, for a packet whose flow is in line `opened`, or has to be looked for if that is 0. The verdict,
/// packed; or [`OPENS`]: then the flow that is to be opened is in `wish`; or [`STRAYS`], [`ICMP`] or [`FOLLOWS`].
///
/// A function for each family, so that neither takes registers from the other.
#[inline(never)]
fn go<A: Cut, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    met: &Met,
    opened: u32,
    wish: &mut Wish,
) -> u64 {
    let verdict = match decide::<A, F, T>(frame, tables, met, opened, wish) {
        Ok(verdict) => verdict,
        Err(Leave::Open) if opened == 0 => return OPENS,
        // It was evicted at once, and its line is another flow's.
        Err(Leave::Open) => {
            count(tables, Reason::Contended);
            Verdict::Drop
        }
        Err(Leave::Stray) if opened == 0 => return STRAYS,
        // Where it should open a flow, its client has one with another server.
        Err(Leave::Stray) => Verdict::Pass,
        Err(Leave::Icmp) => return ICMP,
        Err(Leave::Follow) => return FOLLOWS,
        Err(Leave::Foreign) => Verdict::Pass,
        Err(Leave::Pass(reason)) => {
            // What XDP passes, the tc program of the same interface sees again, and counts.
            if met.arrival.hook == Hook::Tc {
                count(tables, reason);
            }
            Verdict::Pass
        }
        Err(Leave::Drop(reason)) => {
            count(tables, reason);
            Verdict::Drop
        }
        Err(Leave::Tell(reason, request)) => {
            count(tables, reason);
            Verdict::Tell { request }
        }
        Err(Leave::Defer) => {
            count(tables, Reason::Deferred);
            Verdict::Defer
        }
    };
    verdict.pack()
}

/// Why a packet leaves the way early.
enum Leave {
    /// None of ours.
    Foreign,
    /// ICMP, which has a way of its own.
    Icmp,
    /// A later fragment, which goes where the first one went.
    Follow,
    /// A server's, and of no flow.
    Stray,
    /// Ours, but the stack's business.
    Pass(Reason),
    /// Ours, and not to be forwarded.
    Drop(Reason),
    /// Likewise, and its sender is to be told.
    Tell(Reason, Request),
    /// Ours, but not for this hook.
    Defer,
    /// Ours, and without the flow that it opens.
    Open,
}

impl Leave {
    /// The sender of a packet that goes in this direction is told, a client by whom it asked (as of packets for the
    /// kernel's own addresses), a server by the director itself (`ip_forward`).
    #[inline(always)]
    const fn told(reason: Reason, request: Request, direction: Direction) -> Self {
        match direction {
            Direction::ToClient => Self::Tell(reason, request.by_director()),
            Direction::ToServer | Direction::OneWay => Self::Tell(reason, request),
        }
    }
}

/// One packet and what it is judged by.
struct Case<'a, A: Family, T: Tables> {
    tables: &'a T,
    /// Line 0 of the configuration.
    config: T::Line,
    arrival: Arrival,
    packet: Packet,
    client: A::Client,
    now: u32,
}

#[inline(always)]
fn decide<A: Cut, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    met: &Met,
    opened: u32,
    wish: &mut Wish,
) -> Result<Verdict, Leave> {
    let mut packet = match A::parse(frame, met.link) {
        Parsed::Packet(packet) => packet,
        Parsed::Fragment => return Err(Leave::Follow),
        Parsed::Icmp => return Err(Leave::Icmp),
        Parsed::Foreign => return Err(Leave::Foreign),
    };
    let config = tables.config(0).ok_or(Leave::Foreign)?;
    let mark = frame.mark();
    let (side, client) = A::tell(frame, tables, config, &mut packet, mark).ok_or(Leave::Foreign)?;
    let case = Case::<A, T> {
        tables,
        config,
        arrival: met.arrival,
        packet,
        client,
        now: tables.now(),
    };
    let (flow, hop, direction) = match side {
        Side::Client(entry) => {
            let service = case.service(entry);
            let flow = match case.client_flow(service, opened, wish) {
                Err(left) if A::TAG == 0 && entry.has(filter::Entry::OUTWARD) => {
                    let (network, interface) = (packet.network(), met.arrival.interface);
                    return Err(match left {
                        Leave::Open if leads_out::<A, F, T>(frame, tables, network, interface) => {
                            Leave::Open
                        }
                        // Of a connection that the kernel forwards, or for the director itself.
                        Leave::Open | Leave::Pass(_) => Leave::Foreign,
                        left => left,
                    });
                }
                found => found?,
            };
            let hop = case.hop_to_server(&flow, service, wish)?;
            let direction = if flow.words.is_one_way() {
                Direction::OneWay
            } else {
                Direction::ToServer
            };
            (flow, hop, direction)
        }
        Side::Server(entry) => {
            let flow = case.server_flow(entry)?;
            if !A::is_from_server(frame, tables, &packet, &flow) {
                return Err(Leave::Foreign);
            }
            (flow, case.hop_to_client(&flow)?, Direction::ToClient)
        }
    };
    if !hop.takes(frame, &packet) {
        let request = Request::too_big(false, hop.mtu as u32);
        return Err(Leave::told(Reason::TooBig, request, direction));
    }
    if packet.more {
        let flow = Pointer::new(flow.number, flow.control.generation());
        frame.remember::<A, T>(tables, packet.link, flow, direction as u32);
    }
    case.keep_books(&flow, &hop, direction)?;
    if direction == Direction::OneWay {
        return method::forward::<A, F, T>(frame, tables, &packet, &flow, &hop)
            .ok_or(Leave::Foreign);
    }
    if hop.trusted {
        nat::readdress(frame, packet.link, &hop).ok_or(Leave::Foreign)?;
    }
    A::rewrite(frame, tables, &packet, &flow, direction).ok_or(Leave::Foreign)?;
    if hop.trusted {
        return Ok(Verdict::Transmit {
            interface: hop.interface,
        });
    }
    count(tables, Reason::Resolved);
    Ok(Verdict::Resolve {
        interface: hop.interface,
    })
}

impl<A: Family, T: Tables> Case<'_, A, T> {
    /// The tag of the client's word: protocol and family.
    #[inline(always)]
    fn tag(&self) -> u16 {
        self.packet.protocol as u16 | A::TAG
    }

    /// The number of the service that a client's packet is for.
    #[inline(always)]
    fn service(&self, entry: filter::Entry) -> u16 {
        if !entry.has(filter::Entry::REMOVED) {
            return entry.service();
        }
        let client = self.packet.source.pack(self.tag());
        let virtual_ = self.packet.destination.pack(entry.service());
        self.tables.heir(client, virtual_)
    }

    /// The flow of a client's packet: the one that has just been `opened`, or the one there is. If there is
    /// none, `wish` is the one that the packet opens.
    #[inline(always)]
    fn client_flow(&self, service: u16, opened: u32, wish: &mut Wish) -> Result<Flow, Leave> {
        let client = self.packet.source.pack(self.tag());
        let virtual_ = self.packet.destination.pack(service);
        let key = PointerKey([client, virtual_]);
        let found = if opened == 0 {
            let place = place::of(self.config, client, service);
            find::by_client::<A, T>(self.tables, &place, key, self.client)
        } else {
            let key = PointerKey([client, one_packet::known_as(virtual_, wish.state)]);
            find::in_line::<A, T>(self.tables, opened, key, self.client)
        };
        if let Some(flow) = found
            && self.is_current(&flow)
        {
            if opened != 0 || !(self.packet.tcp.opens() && self.begins_anew(&flow)) {
                return Ok(flow);
            }
            return Err(self.replace(&flow, service, wish));
        }
        Err(self.miss(service, wish))
    }

    /// What becomes of a packet whose flow is given up. If it opens another one, the old flow is still counted
    /// while the scheduler picks, as in IPVS (`ip_vs_conn_expire_now` ends it a moment later).
    #[inline(always)]
    fn replace(&self, old: &Flow, service: u16, wish: &mut Wish) -> Leave {
        let leave = self.miss(service, wish);
        if let Leave::Open = leave {
            wish.old = old.number;
            wish.old_control = old.control.0;
        } else {
            retire::retire(self.tables, old.number, old.control, self.now);
        }
        leave
    }

    /// What becomes of a client's packet to `service` without a flow; `wish` is the flow that it opens, if it
    /// may.
    #[inline(always)]
    fn miss(&self, service: u16, wish: &mut Wish) -> Leave {
        let packet = &self.packet;
        let state = self.tables.begin(packet.protocol, packet.tcp.flags);
        if state == NOT {
            return Leave::Pass(Reason::NoFlow);
        }
        *wish = Wish {
            client: self.packet.source.pack(self.tag()),
            virtual_: self.packet.destination.pack(service),
            address: A::address(self.client),
            dest: 0,
            kept: false,
            old: 0,
            old_control: 0,
            state,
            interface: self.arrival.interface,
            now: self.now,
            payload: packet.datagram(),
        };
        Leave::Open
    }

    /// The flow of a server's packet. What breaks off a connection is never answered.
    #[inline(always)]
    fn server_flow(&self, entry: filter::Entry) -> Result<Flow, Leave> {
        let server = self.packet.source.pack(0);
        let peer = self.packet.destination.pack(self.tag());
        let key = PointerKey([server, peer]);
        find::by_server::<A, T>(self.tables, self.config, entry, key, self.client)
            .filter(|flow| self.is_current(flow))
            // Of a server that is asked at any port it is not known which of them are a service's
            // (`ip_vs_has_real_service` knows of none).
            .ok_or(
                if self.packet.tcp.has(Tcp::RST) || entry.has(filter::Entry::REAL) {
                    Leave::Foreign
                } else {
                    Leave::Stray
                },
            )
    }

    /// Whether the flow is within its timeout. One that was used this very tick surely is.
    #[inline(always)]
    fn is_current(&self, flow: &Flow) -> bool {
        flow.control.last_seen() == self.now || !is_expired(self.tables, flow.control, self.now)
    }

    /// Whether a client's first segment or INIT is scheduled afresh although it has a flow (`ip_vs_in_hook`): if that
    /// is at its end and no template would have it go to the same server, or if its server takes no new ones.
    #[inline(always)]
    fn begins_anew(&self, flow: &Flow) -> bool {
        let sysctls = flow::sysctls(self.tables);
        let mode = sysctls.conn_reuse_mode();
        let over = match flow.control.state() {
            state::TIME_WAIT | state::CLOSE | state::SCTP_CLOSED => mode != 0,
            // The client has finished; whether the server has, cannot be seen from here.
            state::FIN_WAIT => mode & 2 != 0 && flow.words.is_one_way(),
            _ => false,
        };
        if over && !flow.owner.has(Owner::KEPT) {
            return true;
        }
        sysctls.expire_nodest_conn()
            && self
                .tables
                .dest(flow.owner.dest())
                .is_some_and(|line| line.load(dest::MODE) & dest::RESTS != 0)
    }

    /// The way to the flow's server. A packet whose server is gone may open another flow.
    #[inline(always)]
    fn hop_to_server(&self, flow: &Flow, service: u16, wish: &mut Wish) -> Result<Hop, Leave> {
        match self.tables.dest(flow.owner.dest()) {
            Some(line) if line.load(dest::MODE) & dest::FORWARDS != 0 => {
                let way = line.load(dest::NEXT_HOP);
                if way & dest::LOCAL != 0 && flow.words.is_one_way() {
                    return self.up();
                }
                let out = to_server::<A, T>(self.tables, flow, way, self.arrival.interface);
                let mut hop = self.hop(out.next_hop(), out.interface())?;
                if Method::of(line.load(dest::MODE)).wraps() {
                    // A tunnel knows for itself what fits.
                    hop.mtu = 0;
                }
                Ok(hop)
            }
            _ if flow::sysctls(self.tables).expire_nodest_conn() => {
                Err(self.replace(flow, service, wish))
            }
            _ => Err(Leave::Drop(Reason::DestinationGone)),
        }
    }

    /// The way to a server on the director. XDP leaves the packet to tc, behind which the stack is.
    #[inline(always)]
    fn up(&self) -> Result<Hop, Leave> {
        match self.arrival.hook {
            Hook::Xdp => Err(Leave::Defer),
            Hook::Tc => Ok(Hop::LOCAL),
        }
    }

    /// The way back to the flow's client.
    #[inline(always)]
    fn hop_to_client(&self, flow: &Flow) -> Result<Hop, Leave> {
        let back = to_client::<A, T>(self.tables, flow);
        self.hop(back.next_hop(), back.interface())
    }

    /// By the next hop of this number, if it can be trusted; otherwise tc asks the kernel, for which the
    /// interface must be known at least.
    #[inline(always)]
    fn hop(&self, number: u32, interface: u32) -> Result<Hop, Leave> {
        let mut hop = hop::find(self.tables, self.config, number, interface, self.now);
        hop.trusted &= hop.link == self.packet.link;
        match (hop.trusted, self.arrival.hook) {
            (false, Hook::Xdp) => Err(Leave::Defer),
            _ if hop.interface == 0 => Err(Leave::Drop(Reason::NoRoute)),
            _ => Ok(hop),
        }
    }

    /// State and counters. Nothing before this has changed anything about an existing flow.
    #[inline(always)]
    fn keep_books(&self, flow: &Flow, hop: &Hop, direction: Direction) -> Result<(), Leave> {
        if self.packet.ttl <= 1 && !hop.is_local() {
            let request = Request::time_exceeded(false);
            return Err(Leave::told(Reason::TtlExceeded, request, direction));
        }
        let line = self.tables.flow(flow.number).ok_or(Leave::Foreign)?;
        if !touch(self.tables, line, flow, &self.packet, direction, self.now) {
            return Err(Leave::Drop(Reason::Contended));
        }
        if let Some(counters) = self.tables.traffic(flow.owner.dest()) {
            let (packets, bytes) = match direction {
                Direction::ToServer | Direction::OneWay => (dest::IN_PACKETS, dest::IN_BYTES),
                Direction::ToClient => (dest::OUT_PACKETS, dest::OUT_BYTES),
            };
            counters.add_local(packets, 1);
            counters.add_local(bytes, self.packet.length as u64);
        }
        Ok(())
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
