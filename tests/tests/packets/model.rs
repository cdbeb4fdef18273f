//! What the tables should say, kept by the rules of the cases and nothing of the core.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
};

use ferrovs_core::abi::{reason::Reason, state};
use ferrovs_model::{Forwarding, publish::Figures};

use crate::{
    case::{Expect, Fate},
    packet::Packet,
    world::{ASYMMETRIC_CLIENT, BACK_ROUTER, FRONT_ROUTER, Port, REMOTE_CLIENT},
};

/// A flow as it should be listed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Flow {
    pub protocol: u8,
    pub client: SocketAddrV4,
    pub virtual_: SocketAddrV4,
    pub server: SocketAddrV4,
    /// What the server sees as its peer.
    pub local: SocketAddrV4,
    pub state: u8,
    pub protected: bool,
}

/// Protocol, virtual service and server.
pub(crate) type Path = (u8, SocketAddrV4, SocketAddrV4);

/// Everything that is compared after each step.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Books {
    /// In order.
    pub flows: Vec<Flow>,
    /// What went through each server, zero left out.
    pub figures: BTreeMap<Path, Figures>,
    /// Flows of each server, zero left out.
    pub counts: BTreeMap<Path, (u32, u32)>,
    /// Templates of each server, zero left out.
    pub templates: BTreeMap<Path, u64>,
    /// The Call-IDs of templates, in order.
    pub call_ids: Vec<Vec<u8>>,
    /// What was counted besides, zero left out.
    pub reasons: BTreeMap<Reason, u64>,
}

/// Books and where flows came in.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub books: Books,
    arrivals: BTreeMap<(u8, SocketAddrV4, SocketAddrV4), Port>,
    /// For whom a flow counts, by protocol, client and what that asked for.
    paths: BTreeMap<(u8, SocketAddrV4, SocketAddrV4, SocketAddrV4), Path>,
}

/// Which way a forwarded packet goes, and how it is addressed then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    /// The neighbour it is handed to.
    pub neighbour: Ipv4Addr,
    /// Where the flow's first packet came in.
    pub arrival: Port,
    /// The flow's server.
    pub server: Ipv4Addr,
    /// Whether the client has sent it.
    pub from_client: bool,
}

impl Model {
    /// The flow of a packet, and whether it comes from the client.
    fn find(&self, packet: &Packet) -> Option<(usize, bool)> {
        let protocol = packet.protocol();
        let place = |from_client: bool| {
            self.books.flows.iter().position(|flow| {
                let ends = if from_client {
                    (flow.client, flow.virtual_)
                } else {
                    (flow.server, flow.local)
                };
                let is_found = !from_client || flow.state != state::ONE_PACKET;
                let same = ends == (packet.source, packet.destination);
                flow.protocol == protocol && is_found && same
            })
        };
        place(true)
            .map(|at| (at, true))
            .or_else(|| place(false).map(|at| (at, false)))
    }

    /// Takes note of a packet. `drawn` tells what the server of a new flow sees in place of its client. The way that a
    /// forwarded packet takes.
    pub(crate) fn take(
        &mut self,
        packet: &Packet,
        port: Port,
        expect: &Expect,
        drawn: impl FnOnce() -> SocketAddrV4,
    ) -> Option<Way> {
        for client in &expect.ends {
            self.end(*client);
        }
        let path = |server| {
            let (service, server) = expect.counts_for.unwrap_or((packet.destination, server));
            (packet.protocol(), service, server)
        };
        if let Some(server) = expect.keeps {
            let path = path(server);
            *self.books.templates.entry(path).or_default() += 1;
        }
        self.books.call_ids.extend(expect.call_id.clone());
        self.books.call_ids.sort_unstable();
        if let Some((service, state)) = expect.calls_out {
            let mut request = packet.clone();
            (request.source, request.destination) = (packet.destination, service);
            self.open(
                &request,
                port,
                packet.source,
                state,
                path(packet.source),
                None,
            );
            self.count_conn(path(packet.source));
        } else if let Some((server, state)) = expect.opens {
            let old = self.find(packet);
            assert_eq!(old, None, "the case opens a flow that it has not ended");
            let drawn = (expect.draws_port || expect.leases).then(drawn);
            self.open(packet, port, server, state, path(server), drawn);
            self.count_conn(path(server));
        } else if let Some(server) = expect.alone {
            if self.alone(packet, server).is_none() {
                let drawn = (expect.draws_port || expect.leases).then(drawn);
                self.open(packet, port, server, state::ONE_PACKET, path(server), drawn);
            }
            self.count_conn(path(server));
        }
        for &reason in &expect.reasons {
            *self.books.reasons.entry(reason).or_default() += 1;
        }
        // What does not fit into a tunnel is found out behind the books, as in IPVS.
        let goes = match expect.fate {
            Fate::Forward | Fate::Up => true,
            Fate::Drop => matches!(expect.forwarding, Forwarding::Tunnel(_)),
            Fate::Pass => false,
        };
        let way = goes.then(|| self.forward(packet, expect));
        self.settle();
        way
    }

    /// The place where is known where answers of this server to a datagram go.
    fn alone(&self, packet: &Packet, server: SocketAddrV4) -> Option<usize> {
        self.books.flows.iter().position(|flow| {
            let ends = (flow.client, flow.virtual_, flow.server);
            flow.state == state::ONE_PACKET && ends == (packet.source, packet.destination, server)
        })
    }

    fn open(
        &mut self,
        packet: &Packet,
        port: Port,
        server: SocketAddrV4,
        state: u8,
        path: Path,
        drawn: Option<SocketAddrV4>,
    ) {
        let protocol = packet.protocol();
        let (client, virtual_) = (packet.source, packet.destination);
        let local = drawn.unwrap_or(client);
        assert_eq!(local != client, drawn.is_some());
        self.books.flows.push(Flow {
            protocol,
            client,
            virtual_,
            server,
            local,
            state,
            protected: false,
        });
        self.arrivals.insert((protocol, client, virtual_), port);
        self.paths
            .insert((protocol, client, virtual_, server), path);
    }

    fn count_conn(&mut self, path: Path) {
        self.books.figures.entry(path).or_default().conns += 1;
    }

    fn forward(&mut self, packet: &Packet, expect: &Expect) -> Way {
        let found = match expect.alone {
            Some(server) => self.alone(packet, server).map(|at| (at, true)),
            None => self.find(packet),
        };
        let (at, from_client) = found.expect("the case forwards a packet without a flow");
        let flow = &mut self.books.flows[at];
        flow.state = expect.state.unwrap_or(flow.state);
        flow.protected |= expect.protects;
        let flow = *flow;
        let path = self.paths[&(flow.protocol, flow.client, flow.virtual_, flow.server)];
        let figures = self.books.figures.entry(path).or_default();
        // Of all fragments of a packet one counts, and one header.
        let (packets, length) = if packet.is_later() {
            (0, packet.ip_length() - packet.header_length())
        } else {
            (1, packet.ip_length())
        };
        let length = u64::from(length);
        let (source, destination) = if from_client {
            figures.in_packets += packets;
            figures.in_bytes += length;
            match expect.forwarding {
                Forwarding::Masq | Forwarding::FullNat | Forwarding::Auto => {
                    (flow.local, flow.server)
                }
                _ => (flow.client, flow.virtual_),
            }
        } else {
            figures.out_packets += packets;
            figures.out_bytes += length;
            (flow.virtual_, flow.client)
        };
        Way {
            source,
            destination,
            neighbour: match expect.forwarding {
                Forwarding::Route | Forwarding::Tunnel(_) => neighbour_of(*flow.server.ip()),
                _ => neighbour_of(*destination.ip()),
            },
            server: *flow.server.ip(),
            from_client,
            arrival: self.arrivals[&(flow.protocol, flow.client, flow.virtual_)],
        }
    }

    /// Takes note of what XDP counts when it leaves a packet to tc.
    pub(crate) fn deferred(&mut self) {
        *self.books.reasons.entry(Reason::Deferred).or_default() += 1;
    }

    /// Forgets the flows of a client.
    pub(crate) fn end(&mut self, client: SocketAddrV4) {
        let before = self.books.flows.len();
        self.books.flows.retain(|flow| flow.client != client);
        assert!(
            self.books.flows.len() < before,
            "{client} has no flow to end"
        );
        self.settle();
    }

    /// Brings order and the numbers of flows up to date.
    fn settle(&mut self) {
        self.books.flows.sort_unstable();
        self.books.counts.clear();
        let flows = self.books.flows.iter();
        for flow in flows.filter(|flow| flow.state != state::ONE_PACKET) {
            let path = self.paths[&(flow.protocol, flow.client, flow.virtual_, flow.server)];
            let (active, inactive) = self.books.counts.entry(path).or_default();
            *if state::is_active(flow.state) {
                active
            } else {
                inactive
            } += 1;
        }
    }
}

/// The neighbour that packets to an address are handed to.
fn neighbour_of(address: Ipv4Addr) -> Ipv4Addr {
    match address {
        REMOTE_CLIENT => FRONT_ROUTER,
        ASYMMETRIC_CLIENT => BACK_ROUTER,
        neighbour => neighbour,
    }
}
