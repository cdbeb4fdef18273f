//! Running a case in a home, by one of two ways, and comparing everything after each step.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use ferrovs_core::{
    abi::{
        answer::{Allowance, Request},
        config::{self, HEARTBEAT_LIMIT, ticks},
        ipv6::Address,
    },
    flow::sweep::sweep,
    tables::{Line, Tables},
    verdict::{Hook, Verdict},
};
use ferrovs_model::Forwarding;

use crate::{
    case::{Case, Expect, Fate, Step},
    hexdump,
    home::{Action, Answer, Home, Outcome},
    model::{Books, Model, Way},
    observe,
    packet::{Family, Link, Packet},
    tunnel, verify,
    world::{DIP, Daemon, Hop, Port},
};

/// By which hooks packets come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hooks {
    /// Only tc is hooked.
    Tc,
    /// XDP, and then tc, if XDP passes the packet on.
    XdpThenTc,
}

impl Hooks {
    pub(crate) const BOTH: [Self; 2] = [Self::Tc, Self::XdpThenTc];
}

/// What was seen at a step: the last hook, what it did, the packet as it was left, and the tables.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub step: usize,
    /// `None` for a step without a packet, or a packet that the home cannot make.
    pub packet: Option<(Hook, Action, Vec<u8>)>,
    /// Whether the flows' source ports are random, so that they differ between runs.
    pub random: bool,
    pub books: Books,
}

struct Run<'a, H: Home> {
    case: &'a Case,
    home: &'a H,
    hooks: Hooks,
    daemon: Daemon,
    model: Model,
    beats: bool,
    random: bool,
}

/// Runs a case in a home whose tables are empty. What was seen; or what was wrong, for the person who
/// reads the test's output.
pub(crate) fn run<H: Home>(case: &Case, home: &H, hooks: Hooks) -> Result<Vec<Seen>, String> {
    let mut run = Run {
        case,
        home,
        hooks,
        daemon: Daemon::start(home, &case.world),
        model: Model::default(),
        beats: true,
        random: false,
    };
    let mut all = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        let packet = run.step(step).map_err(|problem| {
            let name = home.name();
            let at = number + 1;
            format!(
                "case {:?}, step {at}, {hooks:?}, {name}:\n{problem}",
                case.name
            )
        })?;
        all.push(Seen {
            step: number + 1,
            packet,
            random: run.random,
            books: run.model.books.clone(),
        });
    }
    Ok(all)
}

impl<H: Home> Run<'_, H> {
    fn step(&mut self, step: &Step) -> Result<Option<(Hook, Action, Vec<u8>)>, String> {
        let mut seen = None;
        match step {
            Step::Packet {
                port,
                packet,
                expect,
            } => seen = self.packet(*port, packet, expect)?,
            Step::Seconds(seconds) => self.home.age(ticks(*seconds)),
            Step::Change(change) => self.daemon.change(self.home, std::slice::from_ref(change)),
            Step::Neighbour(address, fitness) => {
                self.daemon.set_hop(self.home, *address, *fitness);
            }
            Step::Introduce(address) => self.daemon.introduce(self.home, *address),
            Step::Answered(host) => {
                // Some ticks ahead, because in the kernel time goes on meanwhile.
                let now = self.home.tables().now() + ticks(1);
                let word = u64::from(now) | u64::from(Allowance::MOST) << 32;
                self.home
                    .set_answered(source(self.case.world.family, *host), word);
            }
            Step::Heart { beats } => self.beats = *beats,
            Step::Sweep(clients) => {
                let tables = self.home.tables();
                let swept = sweep(&tables, 0..self.home.flow_lines(), tables.now(), |_| {});
                for client in clients {
                    self.model.end(*client);
                }
                let live = self.model.books.flows.len() as u64;
                if (swept.ended, swept.live) != (clients.len() as u64, live) {
                    return Err(format!(
                        "{swept:?}, but {} to end, {live} to live",
                        clients.len()
                    ));
                }
            }
        }
        let books = observe::books(self.home, &self.daemon.publisher)?;
        if books != self.model.books {
            let expected = &self.model.books;
            return Err(format!(
                "the tables say\n{books:#?}\nbut should say\n{expected:#?}"
            ));
        }
        Ok(seen)
    }

    fn packet(
        &mut self,
        port: Port,
        packet: &Packet,
        expect: &Expect,
    ) -> Result<Option<(Hook, Action, Vec<u8>)>, String> {
        self.beat();
        let input = packet.bytes();
        let seen = self.by_hooks(port, packet, &input, expect)?;
        let asked = self.home.answers();
        let expected: Vec<_> = self
            .answer(port, packet, &input, expect)
            .into_iter()
            .collect();
        if asked != expected {
            return Err(format!(
                "asked to answer\n{asked:?}\nshould ask\n{expected:?}"
            ));
        }
        Ok(seen)
    }

    /// The answer that a packet is to have.
    fn answer(&self, port: Port, packet: &Packet, input: &[u8], expect: &Expect) -> Option<Answer> {
        /// The longest quotations: RFC 1812, section 4.3.2.3, and RFC 4443, section 2.4 c.
        const LONGEST: [usize; 2] = [576 - 20 - 8, 1280 - 40 - 8];
        let ipv6 = self.case.world.family == Family::V6;
        let header = link_length(packet.link);
        let length = (packet.ip_length() as usize).min(LONGEST[usize::from(ipv6)]);
        // An outer header of IPv6 is 20 bytes longer.
        let narrower = match expect.forwarding {
            Forwarding::Tunnel(_) if ipv6 => 20_u64 << 32,
            _ => 0,
        };
        expect.answer.map(|request| Answer {
            request: Request(request.0 - narrower)
                .of_family(ipv6)
                .quoting(length),
            interface: self.home.interfaces().index(port),
            packet: input[header..header + length].to_vec(),
        })
    }

    fn by_hooks(
        &mut self,
        port: Port,
        packet: &Packet,
        input: &[u8],
        expect: &Expect,
    ) -> Result<Option<(Hook, Action, Vec<u8>)>, String> {
        let interface = self.home.interfaces().index(port);
        let mut hook = Hook::Tc;
        if self.hooks == Hooks::XdpThenTc {
            let at_xdp = self.home.inject(Hook::Xdp, interface, input);
            let leaves = expect.deferred || expect.unfinished || expect.fate == Fate::Pass;
            if leaves {
                if let Some(outcome) = at_xdp {
                    let verdict = if expect.deferred {
                        Verdict::Defer
                    } else {
                        Verdict::Pass
                    };
                    untouched(Hook::Xdp, input, &outcome, Action::Pass, Some(verdict))?;
                }
                if expect.deferred {
                    self.model.deferred();
                }
                self.beat();
            } else {
                hook = Hook::Xdp;
                return self.judge(hook, port, packet, input, at_xdp, expect);
            }
        }
        let outcome = self.home.inject(hook, interface, input);
        self.judge(hook, port, packet, input, outcome, expect)
    }

    /// What the daemon writes once a second.
    fn beat(&self) {
        let tables = self.home.tables();
        let age = if self.beats { 0 } else { HEARTBEAT_LIMIT + 1 };
        if let Some(head) = tables.config(0) {
            head.store(config::HEARTBEAT, u64::from(tables.now().wrapping_sub(age)));
        }
    }

    /// Compares what became of a packet with what should have.
    fn judge(
        &mut self,
        hook: Hook,
        port: Port,
        packet: &Packet,
        input: &[u8],
        outcome: Option<Outcome>,
        expect: &Expect,
    ) -> Result<Option<(Hook, Action, Vec<u8>)>, String> {
        let home = self.home;
        let drawn = || drawn(home, packet);
        let way = self.model.take(&packet.as_answer(), port, expect, drawn);
        self.random |= expect.draws_port;
        let Some(outcome) = outcome else {
            return match expect.fate {
                Fate::Pass => Ok(None),
                _ => Err("this home cannot make the packet".to_owned()),
            };
        };
        match (expect.fate, way) {
            (Fate::Forward, Some(way)) => {
                self.forwarded(hook, packet, input, &outcome, expect, way)?;
            }
            (Fate::Up, Some(_)) => {
                untouched(hook, input, &outcome, Action::Pass, Some(Verdict::Pass))?;
            }
            (Fate::Drop, _) => {
                untouched(hook, input, &outcome, Action::Drop, Some(Verdict::Drop))?;
            }
            _ => untouched(hook, input, &outcome, Action::Pass, Some(Verdict::Pass))?,
        }
        Ok(Some((hook, outcome.action, outcome.bytes)))
    }

    fn forwarded(
        &self,
        hook: Hook,
        packet: &Packet,
        input: &[u8],
        outcome: &Outcome,
        expect: &Expect,
        way: Way,
    ) -> Result<(), String> {
        let hop = self.case.world.hop(way.neighbour);
        let mut output = packet.clone();
        output.ttl -= 1;
        match &mut output.quotation {
            // Outside it is for who has sent what is inside, and what goes to a client comes from the virtual address.
            Some(quotation) if expect.forwarding == Forwarding::Masq => {
                quotation.packet.source = way.destination;
                quotation.packet.destination = way.source;
                output.destination.set_ip(*way.destination.ip());
                if !way.from_client {
                    output.source.set_ip(*way.source.ip());
                }
            }
            Some(_) => {}
            None => (output.source, output.destination) = (way.source, way.destination),
        }
        if !expect.resolved {
            output.link = hop.ok_or("the case has no next hop for it")?.link();
        }
        let expected = match expect.forwarding {
            Forwarding::Tunnel(encapsulation) => {
                let server = [DIP, way.server];
                tunnel::wrapped(&output, encapsulation, server, &outcome.bytes)
            }
            _ => output.bytes(),
        };
        let verdict = self.verdict(hop, way, expect);
        let right = outcome.action == Action::Redirect
            && outcome.verdict.is_none_or(|found| is_alike(found, verdict))
            && outcome.bytes == expected;
        if !right {
            return Err(format!(
                "{hook:?} said {:?} {:?}, should say {verdict:?}; input, output, expected:\n{}",
                outcome.action,
                outcome.verdict,
                hexdump::compare(input, &outcome.bytes, &expected),
            ));
        }
        let is_whole = packet.cut.is_none() && packet.ip_error == 0 && packet.transport_error == 0;
        let outer = expected.len() - output.bytes().len();
        if packet.piece.is_some() {
            // Its checksum is that of the whole packet, summed up anew for what is expected.
            return Ok(());
        }
        let checked = verify::checksums(&outcome.bytes, link_length(output.link) + outer);
        if checked.is_ok() != is_whole {
            return Err(format!(
                "{hook:?}: {checked:?} in\n{}",
                hexdump::of(&outcome.bytes)
            ));
        }
        Ok(())
    }

    fn verdict(&self, hop: Option<&Hop>, way: Way, expect: &Expect) -> Verdict {
        let port = hop.map_or(way.arrival, |hop| hop.port);
        let interface = self.home.interfaces().index(port);
        if expect.resolved {
            Verdict::Resolve { interface }
        } else {
            Verdict::Transmit { interface }
        }
    }
}

/// How the table of those who were answered knows a host.
fn source(family: Family, host: Ipv4Addr) -> Address {
    Address::new(match family.address(host) {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    })
}

/// Whether a verdict is the expected one. The kernel is asked for the neighbour of a server by its number, which
/// no case knows.
fn is_alike(found: Verdict, expected: Verdict) -> bool {
    match found {
        Verdict::Hand { interface, .. } => expected == Verdict::Resolve { interface },
        found => found == expected,
    }
}

fn untouched(
    hook: Hook,
    input: &[u8],
    outcome: &Outcome,
    action: Action,
    verdict: Option<Verdict>,
) -> Result<(), String> {
    let right = outcome.action == action
        && (outcome.verdict.is_none() || outcome.verdict == verdict)
        && outcome.bytes == input;
    if right {
        return Ok(());
    }
    Err(format!(
        "{hook:?} said {:?} {:?}, should say {action:?} {verdict:?}; input, output, expected:\n{}",
        outcome.action,
        outcome.verdict,
        hexdump::compare(input, &outcome.bytes, input),
    ))
}

/// What the server of this client's packet sees in place of the client.
fn drawn<H: Home>(home: &H, packet: &Packet) -> SocketAddrV4 {
    let flows = observe::flows(home).unwrap_or_default();
    let flow = flows.iter().find(|flow| {
        let ends = (flow.client, flow.virtual_);
        ends == (packet.source, packet.destination) && flow.local != flow.client
    });
    flow.map_or(packet.source, |flow| flow.local)
}

const fn link_length(link: Link) -> usize {
    match link {
        Link::Bare => 0,
        Link::Ethernet { .. } => 14,
        Link::Tagged { .. } => 18,
    }
}
