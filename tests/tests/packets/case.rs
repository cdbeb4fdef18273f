//! What a case consists of: how it begins, and steps, each packet with what is to become of it.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{answer::Request, reason::Reason};
use ferrovs_model::{Change, Forwarding};

use crate::{
    packet::{Family, Packet},
    world::{Fitness, Port, World},
};

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub name: String,
    pub world: World,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A packet arrives.
    Packet {
        port: Port,
        packet: Box<Packet>,
        expect: Expect,
    },
    /// So many seconds go by.
    Seconds(u32),
    /// The administrator changes something.
    Change(Change),
    /// Something happens to a neighbour.
    Neighbour(Ipv4Addr, Fitness),
    /// A neighbour can be learnt from now on.
    Introduce(Ipv4Addr),
    /// The daemon stops telling that it lives, or goes on.
    Heart { beats: bool },
    /// A host has just got as many answers as it may.
    Answered(Ipv4Addr),
    /// The sweeper makes a round and ends the flows of these clients.
    Sweep(Vec<SocketAddrV4>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// Untouched, to the stack.
    Pass,
    Drop,
    /// Rewritten and sent on; to whom, the flow says.
    Forward,
    /// Untouched, to the stack, for the server that is the director itself.
    Up,
}

/// What is to become of a packet, and of the flows by it. What is not said must not happen.
#[derive(Clone, Debug)]
pub(crate) struct Expect {
    pub fate: Fate,
    /// By which method it is sent on.
    pub forwarding: Forwarding,
    /// XDP leaves it to tc.
    pub deferred: bool,
    /// XDP leaves it to tc as if it were none of ours.
    pub unfinished: bool,
    /// At tc the kernel is asked for the neighbour, because there is no trusted next hop.
    pub resolved: bool,
    /// It opens a flow with this server, in this state.
    pub opens: Option<(SocketAddrV4, u8)>,
    /// It is scheduled for itself, to this server.
    pub alone: Option<SocketAddrV4>,
    /// It is a server's, and opens a flow in this state as if its addressee had asked this virtual service.
    pub calls_out: Option<(SocketAddrV4, u8)>,
    /// It makes a template for this server.
    pub keeps: Option<SocketAddrV4>,
    /// The Call-ID of the template that it makes.
    pub call_id: Option<Vec<u8>>,
    /// The service and the server, as they are listed, for which the new flow counts, if these are not the endpoints that
    /// its packets have.
    pub counts_for: Option<(SocketAddrV4, SocketAddrV4)>,
    /// The flow takes another source port than the client's.
    pub draws_port: bool,
    /// The flow takes an endpoint of the pool.
    pub leases: bool,
    /// The state of its flow afterwards, if another.
    pub state: Option<u8>,
    /// Its flow is protected from now on.
    pub protects: bool,
    /// Clients whose flow it ends.
    pub ends: Vec<SocketAddrV4>,
    /// Its sender is to be told so.
    pub answer: Option<Request>,
    /// What is counted besides packets and flows.
    pub reasons: Vec<Reason>,
}

impl Expect {
    const fn new(fate: Fate) -> Self {
        Self {
            fate,
            forwarding: Forwarding::Masq,
            deferred: false,
            unfinished: false,
            resolved: false,
            opens: None,
            alone: None,
            calls_out: None,
            keeps: None,
            call_id: None,
            counts_for: None,
            draws_port: false,
            leases: false,
            state: None,
            protects: false,
            ends: Vec::new(),
            answer: None,
            reasons: Vec::new(),
        }
    }

    pub(crate) fn by(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    pub(crate) fn deferred(mut self) -> Self {
        self.deferred = true;
        self
    }

    /// Its checksum is not there yet: XDP leaves the packet to tc.
    pub(crate) fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// The next hop cannot be trusted: XDP leaves the packet to tc, which asks the kernel.
    pub(crate) fn resolved(mut self) -> Self {
        self.resolved = true;
        self.because(Reason::Resolved).deferred()
    }

    pub(crate) fn opens(mut self, server: SocketAddrV4, state: u8) -> Self {
        self.opens = Some((server, state));
        self
    }

    /// A datagram that is scheduled for itself, which tc does.
    pub(crate) fn alone(mut self, server: SocketAddrV4) -> Self {
        self.alone = Some(server);
        self.deferred()
    }

    /// A datagram by which `server` begins a call of this service itself.
    pub(crate) fn calls_out(
        mut self,
        service: SocketAddrV4,
        server: SocketAddrV4,
        state: u8,
    ) -> Self {
        self.calls_out = Some((service, state));
        self.counts_for(service, server)
    }

    pub(crate) fn draws_port(mut self) -> Self {
        self.draws_port = true;
        self.because(Reason::PortChanged)
    }

    pub(crate) fn leases(mut self) -> Self {
        self.leases = true;
        self.because(Reason::PoolUsed)
    }

    pub(crate) fn state(mut self, state: u8) -> Self {
        self.state = Some(state);
        self
    }

    pub(crate) fn protects(mut self) -> Self {
        self.protects = true;
        self
    }

    /// Opens a flow and makes a template.
    pub(crate) fn keeps(mut self, server: SocketAddrV4) -> Self {
        self.keeps = Some(server);
        self
    }

    /// Opens a flow and makes a template for calls with this Call-ID.
    pub(crate) fn keeps_call(mut self, server: SocketAddrV4, call_id: &str) -> Self {
        self.call_id = Some(call_id.as_bytes().to_vec());
        self.keeps(server)
    }

    /// The new flow counts for this service and this server of it, as they are listed.
    pub(crate) fn counts_for(mut self, service: SocketAddrV4, server: SocketAddrV4) -> Self {
        self.counts_for = Some((service, server));
        self
    }

    pub(crate) fn ends(mut self, client: SocketAddrV4) -> Self {
        self.ends.push(client);
        self
    }

    /// The same of a server's packet: the director tells it.
    pub(crate) fn by_director(mut self) -> Self {
        self.answer = self.answer.map(Request::by_director);
        self
    }

    /// The sender is told this; the family and how much is quoted follow from the packet.
    pub(crate) fn answered(mut self, request: Request) -> Self {
        self.answer = Some(request);
        self
    }

    pub(crate) fn because(mut self, reason: Reason) -> Self {
        self.reasons.push(reason);
        self
    }
}

pub(crate) const fn passed() -> Expect {
    Expect::new(Fate::Pass)
}

pub(crate) fn dropped(reason: Reason) -> Expect {
    Expect::new(Fate::Drop).because(reason)
}

/// Nobody serves where the packet went, and its sender is told so.
pub(crate) fn refused() -> Expect {
    dropped(Reason::NoDestination).answered(Request::port_unreachable(false))
}

/// A client's packet whose TTL ends here; its sender is told so by whom it asked.
pub(crate) fn expired() -> Expect {
    dropped(Reason::TtlExceeded).answered(Request::time_exceeded(false))
}

/// A client's packet for which a link with this MTU is too narrow, likewise.
pub(crate) fn too_big(mtu: u32) -> Expect {
    dropped(Reason::TooBig).answered(Request::too_big(false, mtu))
}

pub(crate) const fn forwarded() -> Expect {
    Expect::new(Fate::Forward)
}

/// For a server on the director: XDP leaves it to tc, behind which the stack is.
pub(crate) fn up() -> Expect {
    Expect::new(Fate::Up).deferred()
}

/// A case in the default world.
pub(crate) fn case(name: &'static str) -> Case {
    Case {
        name: name.to_owned(),
        world: World::default(),
        steps: Vec::new(),
    }
}

impl Case {
    /// The same with IPv6, if none of its packets has something that only IPv4 has.
    pub(crate) fn in_ipv6(&self) -> Option<Self> {
        let step = |step: &Step| match step {
            Step::Packet {
                port,
                packet,
                expect,
            } => Some(Step::Packet {
                port: *port,
                packet: Box::new(packet.in_ipv6()?),
                expect: expect.clone(),
            }),
            other => Some(other.clone()),
        };
        let mut world = self.world.clone();
        world.family = Family::V6;
        Some(Self {
            name: format!("{}, with IPv6", self.name),
            world,
            steps: self.steps.iter().map(step).collect::<Option<_>>()?,
        })
    }

    pub(crate) fn world(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world);
        self
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// A packet arrives on a port.
    pub(crate) fn on(self, port: Port, packet: Packet, expect: Expect) -> Self {
        self.step(Step::Packet {
            port,
            packet: Box::new(packet),
            expect,
        })
    }

    /// A packet arrives from the clients' side.
    pub(crate) fn front(self, packet: Packet, expect: Expect) -> Self {
        self.on(Port::Front, packet, expect)
    }

    /// A packet arrives from the servers' side.
    pub(crate) fn back(self, packet: Packet, expect: Expect) -> Self {
        self.on(Port::Back, packet, expect)
    }

    pub(crate) fn seconds(self, seconds: u32) -> Self {
        self.step(Step::Seconds(seconds))
    }

    pub(crate) fn change(self, change: Change) -> Self {
        self.step(Step::Change(change))
    }
}
