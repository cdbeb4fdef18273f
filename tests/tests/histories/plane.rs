//! The core on plain memory, and what keeps its tables as the daemon would.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
};

use ferrovs_core::{
    abi::{
        bucket,
        call::Call,
        config,
        dest::{self, Method},
        endpoint::{Endpoint, tag},
        interface,
        ipv6::{Address, EndpointKey, NeighbourKey},
        locality::LocalityKey,
        next_hop::{self, NO_VLAN, USABLE, neighbour_key},
        reason::Reason,
        slab::Table,
        state,
    },
    director::direct,
    flow::{
        Flow,
        ends::{is_ipv6, server_address, virtual_address},
        read,
        sweep::sweep,
    },
    tables::{Line, Tables},
    verdict::{Arrival, Hook, Verdict},
};
use ferrovs_model::{
    Change, Refusal, ServiceKey, ServiceSettings, Templates, Wanted,
    publish::{Figures, INITIAL_LOG2, Localities, Plane, Publisher, Report},
};
use ferrovs_sim::{Memory, Network, Routes, Size, SliceFrame};
use ferrovs_tests::ipvs::{self, Packet, Protocol};

/// A clock far from zero.
const START: u32 = config::ticks(1_000_000);
/// The one interface, whose packets have no link header.
const INTERFACE: u32 = 4;
/// The router behind which everybody is.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 1);
const ROUTER_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 3, 0, 0, 0, 0, 0, 1);
/// Its number as a next hop.
const HOP: u32 = 1;
/// The next hop of each server has so much more than the server's number: it tells the servers apart to which packets go
/// as they are, or in a tunnel.
const HOPS: u32 = 10;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
/// More buckets than flows, so that none is displaced or evicted.
const BUCKETS: u32 = 32;

pub(crate) struct Core {
    memory: Memory,
    publisher: Publisher,
    wanted: Wanted,
    templates: Templates,
}

/// The memory as the publisher sees it.
struct View<'a>(&'a Memory);

impl<'a> Plane for View<'a> {
    type Tables = &'a Memory;

    fn tables(&self) -> &&'a Memory {
        &self.0
    }

    fn figures(&self, dest: u32) -> Figures {
        Figures::of(self.0.counts(dest), self.0.traffic(dest).into_iter())
    }

    fn endpoints(&self) -> BTreeMap<EndpointKey, u64> {
        self.0.endpoints().into_iter().collect()
    }

    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) -> bool {
        self.0.set_endpoint(key, value);
        true
    }

    fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        self.0.grow(table, lines)
    }

    fn filter_lines(&self) -> u32 {
        self.0.size().filter_lines
    }

    fn localities(&self) -> Localities {
        self.0.localities()
    }

    fn forget_locality(&self, key: LocalityKey) {
        self.0.forget_locality(key);
    }

    fn quiesce(&self) {}
}

/// A flow or a template as it is listed.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Listed {
    pub(crate) protocol: u8,
    pub(crate) client: SocketAddr,
    pub(crate) virtual_: SocketAddr,
    /// Without port of a template, and where packets go to the port that the client has asked for.
    pub(crate) server: SocketAddr,
    /// The name of its state.
    pub(crate) state: String,
    pub(crate) is_template: bool,
    /// Of a template that is for a call.
    pub(crate) call_id: String,
}

/// The Call-ID of a call.
pub(crate) fn call_id(call: u8) -> String {
    format!("call-{call}@example.org")
}

/// A message of a call; nothing for 0.
pub(crate) fn message(call: u8) -> String {
    match call {
        0 => String::new(),
        call => format!(
            "OPTIONS sip:b SIP/2.0\r\nCall-ID: {}\r\n\r\n",
            call_id(call)
        ),
    }
}

/// Active flows of a server, its others, and its templates.
pub(crate) type Counts = (u64, u64, u64);

impl Core {
    pub(crate) fn new() -> Self {
        let size = Size {
            buckets: BUCKETS,
            filter_lines: 256,
            pointers: 4096,
        };
        let memory = Memory::new(size, INITIAL_LOG2, 1, START);
        let line = Tables::interface(&&memory, interface::line(INTERFACE, 0)).unwrap();
        line.store(interface::INDEX, u64::from(INTERFACE));
        let hop = (&memory).next_hop(HOP).unwrap();
        hop.store(next_hop::OUT, u64::from(INTERFACE) << 32);
        hop.store(next_hop::LINK, u64::from(NO_VLAN));
        hop.store(next_hop::STATUS, 2 | USABLE);
        let router = u32::from_ne_bytes(ROUTER.octets());
        memory.set_neighbour(neighbour_key(router, INTERFACE), HOP);
        let router = Address::new(ROUTER_IPV6.octets());
        memory.set_neighbour_ipv6(NeighbourKey::new(router, INTERFACE), HOP);
        let mut routes = Routes::default();
        for (address, gateway) in [
            (Ipv4Addr::UNSPECIFIED.into(), ROUTER.into()),
            (Ipv6Addr::UNSPECIFIED.into(), ROUTER_IPV6.into()),
        ] {
            routes.add(Network {
                address,
                prefix: 0,
                interface: INTERFACE,
                gateway: Some(gateway),
            });
        }
        memory.set_routes(routes);
        memory.beat();
        Self {
            memory,
            publisher: Publisher::default(),
            wanted: Wanted::default(),
            templates: Templates::default(),
        }
    }

    /// A service that is there all the time.
    pub(crate) fn keep(&mut self, service: ServiceKey) {
        let settings = ServiceSettings::new("rr");
        let kept = self.change(&Change::AddService { service, settings });
        assert_eq!(kept, Some(Ok(())));
    }

    /// Whether it remembers a server that was removed.
    pub(crate) fn remembers(&self, service: &ServiceKey, address: SocketAddr) -> bool {
        let ledger = self.publisher.ledger();
        let mut services = ledger.services().iter();
        let number = services.find(|record| record.key == *service);
        let mut dests = ledger.dests().iter();
        number.is_some_and(|service| {
            dests.any(|dest| {
                dest.service == service.number && dest.address == address && !dest.present
            })
        })
    }

    /// Makes a change; nothing if the data plane cannot forward yet what would be wanted then.
    pub(crate) fn change(&mut self, change: &Change) -> Option<Result<(), Refusal>> {
        let mut wanted = self.wanted.clone();
        if let Err(refusal) = wanted.apply(change) {
            return Some(Err(refusal));
        }
        if !wanted.unforwarded().is_empty() {
            return None;
        }
        self.wanted = wanted;
        if let Change::Zero { service } = change {
            let view = View(&self.memory);
            self.publisher.zero(&view, service.as_ref());
        } else {
            self.publish();
        }
        Some(Ok(()))
    }

    fn publish(&mut self) {
        let view = View(&self.memory);
        let plan = self.publisher.plan(&view, &self.wanted).unwrap();
        self.publisher.commit(&view, plan);
        for record in self.publisher.ledger().dests() {
            let line = (&self.memory).dest(record.number).unwrap();
            let number = HOPS + record.number;
            line.store(dest::NEXT_HOP, u64::from(number));
            let hop = (&self.memory).next_hop(number).unwrap();
            hop.store(next_hop::OUT, u64::from(number) << 32);
            hop.store(next_hop::LINK, u64::from(NO_VLAN));
            hop.store(next_hop::STATUS, 2 | USABLE);
            // What tunnels are from.
            let line = (&self.memory).tunnel(record.number).unwrap();
            let source = match record.address.ip() {
                IpAddr::V4(_) => [u64::from(u32::from_ne_bytes(ROUTER.octets())), 0],
                IpAddr::V6(_) => Address::new(ROUTER_IPV6.octets()).0,
            };
            line.store(dest::SOURCE, source[0]);
            line.store(dest::SOURCE + 1, source[1]);
        }
    }

    /// Lets time go by.
    pub(crate) fn advance(&self, milliseconds: u64) {
        self.advance_nanoseconds(milliseconds * 1_000_000);
    }

    /// Lets as little time go by as may be measured.
    pub(crate) fn advance_nanoseconds(&self, nanoseconds: u64) {
        self.memory.advance_nanoseconds(nanoseconds);
        self.memory.beat();
    }

    /// What the daemon does every second.
    pub(crate) fn tend(&mut self) {
        let tables = &self.memory;
        let now = tables.now();
        // A template that is due goes in the second round.
        for _ in 0..2 {
            let see = |flow: &Flow| self.templates.see(&tables, flow, now);
            sweep(&tables, 0..BUCKETS * bucket::LINES, now, see);
            self.templates.end_of_round(&tables, now);
        }
        if self.publisher.observe(&View(&self.memory)) {
            self.publish();
        }
    }

    /// What becomes of a packet.
    ///
    /// # Errors
    /// When it is nothing that IPVS could do.
    pub(crate) fn packet(&self, packet: &Packet) -> Result<ipvs::Verdict, String> {
        let reasons = [
            Reason::NoDestination,
            Reason::DestinationGone,
            Reason::NoCallId,
        ];
        let before = reasons.map(|reason| self.counted(reason));
        let mut bytes = bytes_of(packet);
        let arrival = Arrival {
            interface: INTERFACE,
            hook: Hook::Tc,
        };
        let mut frame = SliceFrame::new(&mut bytes).with_mark(packet.mark);
        let verdict = direct(&mut frame, &&self.memory, arrival);
        let after = reasons.map(|reason| self.counted(reason));
        let wrapping = bytes.len() - packet.length as usize;
        let (source, destination) = ends(&bytes[wrapping..]);
        let is_same = (source == packet.source, destination == packet.destination);
        match (verdict, is_same) {
            (Verdict::Pass, (true, true)) => Ok(ipvs::Verdict::Pass),
            (Verdict::Drop, _) if after[0] > before[0] => Ok(ipvs::Verdict::Unreachable),
            (Verdict::Drop, _) if after[1..] != before[1..] => Ok(ipvs::Verdict::Drop),
            (Verdict::Transmit { .. }, (true, false)) => Ok(ipvs::Verdict::ToServer(destination)),
            (Verdict::Transmit { interface }, (true, true)) => {
                let server = self.behind(interface, wrapping > 0);
                let server = server.ok_or_else(|| format!("left by {interface}: {packet:?}"))?;
                let server = SocketAddr::new(server, destination.port());
                Ok(ipvs::Verdict::ToServer(server))
            }
            (Verdict::Transmit { .. }, (false, true)) => Ok(ipvs::Verdict::ToClient(source)),
            _ => Err(format!(
                "{verdict:?}, {source} to {destination}, for {packet:?}"
            )),
        }
    }

    /// The server with this next hop, if packets go to it as they are, or `wrapped`.
    fn behind(&self, hop: u32, wrapped: bool) -> Option<IpAddr> {
        let number = hop.checked_sub(HOPS)?;
        let mode = (&self.memory).dest(number)?.load(dest::MODE);
        let method = if wrapped { Method::Ipip } else { Method::Route };
        let mut dests = self.publisher.ledger().dests().iter();
        let server = dests.find(|record| record.number == number)?;
        (Method::of(mode) == method).then_some(server.address.ip())
    }

    fn counted(&self, reason: Reason) -> u64 {
        let number = reason as u32;
        let line = Tables::reasons(&&self.memory, number / 8).unwrap();
        line.load(number as usize % 8)
    }

    /// What the servers of a service have, in the order of its list.
    pub(crate) fn counts(&self, key: &ServiceKey) -> Vec<(SocketAddr, Counts)> {
        let Some(service) = self.wanted.service(key) else {
            return Vec::new();
        };
        let ledger = self.publisher.ledger();
        let mut records = ledger.services().iter();
        let number = records.find(|record| record.key == *key).unwrap().number;
        let count = |address: SocketAddr| {
            let mut dests = ledger.dests().iter();
            let dest = dests.find(|dest| dest.service == number && dest.address == address);
            let number = dest.unwrap().number;
            let view = View(&self.memory);
            let counts = view.flows(number);
            let (active, inactive) = (counts.active().into(), counts.inactive().into());
            (address, (active, inactive, view.templates(number)))
        };
        let dests = service.destinations.iter();
        dests.map(|dest| count(dest.address)).collect()
    }

    pub(crate) fn report(&self) -> Report {
        self.publisher.report(&View(&self.memory), &self.wanted)
    }

    pub(crate) const fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// All flows, in order.
    pub(crate) fn flows(&self) -> Vec<Listed> {
        let lines = (0..BUCKETS * bucket::LINES).filter(|number| number % bucket::LINES != 0);
        let flows = lines.filter_map(|number| read((&self.memory).flow(number)?, number));
        let flows = flows.filter(|flow| flow.control.state() != state::ONE_PACKET);
        let mut listed: Vec<Listed> = flows.map(|flow| self.listed(&flow)).collect();
        listed.sort();
        listed
    }

    fn listed(&self, flow: &Flow) -> Listed {
        let [mut client, virtual_, mut server] = self.ends(flow);
        if flow.words.is_one_way() {
            // A flow whose answers do not come by has no word for their source.
            let mut dests = self.publisher.ledger().dests().iter();
            let dest = dests.find(|record| record.number == flow.owner.dest());
            server = SocketAddr::new(dest.unwrap().address.ip(), 0);
        }
        let is_template = flow.control.state() == state::TEMPLATE;
        let mut call = Call::NONE;
        if is_template {
            server.set_port(0);
            call = Call::of(Endpoint::unpack(flow.words.ends(flow.owner).client));
        }
        if !call.is_none() {
            if client.is_ipv4() {
                client = address(flow.words.local);
            }
            client.set_port(0);
        }
        let calls = self.memory.calls();
        let text = calls.get(&call).map(|text| String::from_utf8_lossy(text));
        Listed {
            protocol: tag(flow.words.client) as u8,
            client,
            virtual_,
            server,
            state: state::name(flow.control.state()).to_owned(),
            is_template,
            call_id: text.unwrap_or_default().into_owned(),
        }
    }

    /// Client, virtual and server's endpoint.
    fn ends(&self, flow: &Flow) -> [SocketAddr; 3] {
        let words = &flow.words;
        if !is_ipv6(words.client) {
            return [words.client, words.virtual_, words.dest].map(address);
        }
        let end =
            |address: Address, port: u16| SocketAddr::from((address.octets(), u16::from_be(port)));
        let ports = words.ports();
        let service = (&self.memory).service(ports.service.into()).unwrap();
        let settings = (&self.memory).dest(flow.owner.dest()).unwrap();
        let server_port = Endpoint::unpack(words.dest).port;
        [
            end(words.address(), ports.client),
            end(virtual_address(service), ports.virtual_),
            end(server_address(settings), server_port),
        ]
    }
}

/// A packet without link header. Nobody looks at its checksums.
fn bytes_of(packet: &Packet) -> Vec<u8> {
    let protocol = match packet.protocol {
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
        _ => 6,
    };
    let length = packet.length as u16;
    let mut bytes = match (packet.source, packet.destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            let mut header = vec![0x45, 0];
            header.extend(length.to_be_bytes());
            header.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
            header.extend(source.ip().octets());
            header.extend(destination.ip().octets());
            header
        }
        (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend((length - IPV6_HEADER as u16).to_be_bytes());
            header.extend([protocol, 64]);
            header.extend(source.ip().octets());
            header.extend(destination.ip().octets());
            header
        }
        _ => panic!("two families in {packet:?}"),
    };
    let segment = length - bytes.len() as u16;
    bytes.extend(packet.source.port().to_be_bytes());
    bytes.extend(packet.destination.port().to_be_bytes());
    match packet.protocol {
        Protocol::Udp => {
            bytes.extend(segment.to_be_bytes());
            bytes.extend([0; 2]);
            bytes.extend(message(packet.call).as_bytes());
        }
        // No tag, some checksum, and one chunk.
        Protocol::Sctp => bytes.extend([0, 0, 0, 0, 1, 2, 3, 4, packet.flags, 0, 0, 4]),
        _ => {
            bytes.extend([0; 8]);
            bytes.extend([5 << 4, packet.flags]);
        }
    }
    bytes.resize(length.into(), 0);
    bytes
}

/// The IPv4 endpoint in a word.
fn address(word: u64) -> SocketAddr {
    let end = Endpoint::unpack(word);
    SocketAddr::from((end.octets(), end.host_port()))
}

/// Source and destination of a packet.
fn ends(bytes: &[u8]) -> (SocketAddr, SocketAddr) {
    let port = |at: usize| u16::from_be_bytes(*bytes[at..].first_chunk().unwrap());
    let v4 = |at: usize| IpAddr::from(*bytes[at..].first_chunk::<4>().unwrap());
    let v6 = |at: usize| IpAddr::from(*bytes[at..].first_chunk::<16>().unwrap());
    let (source, destination, ports) = if bytes[0] >> 4 == 4 {
        (v4(12), v4(16), IPV4_HEADER)
    } else {
        (v6(8), v6(24), IPV6_HEADER)
    };
    (
        SocketAddr::new(source, port(ports)),
        SocketAddr::new(destination, port(ports + 2)),
    )
}
