//! A history, event by event, through the model and through the core.

use std::{
    fmt::{self, Arguments, Debug, Display},
    net::SocketAddr,
};

use ferrovs_model::{SYSCTLS, ServiceKey};
use ferrovs_tests::ipvs::{
    Conn, Dest, Forwarding, Ipvs, Key, Packet, Protocol, SECOND, Settings, Verdict, twos,
};

use crate::{
    departures,
    event::{Command, Event, set_sysctl},
    met::Met,
    plane::{Core, Listed, message},
    translate::{figures, key, listed, refusal},
    universe::{Client, Host, Slot, keepers, service_key},
};

/// Bytes of the IP header of either family.
const IP_HEADER: [u64; 2] = [20, 40];

/// Milliseconds after which the daemon looks after flows that have ended. A real one does so more often.
const PAUSE: u64 = 20 * SECOND;
/// Milliseconds by which the clocks of the two may differ.
const CLOSE: u64 = 2 * SECOND / 5;

/// Milliseconds for which the core knows at least where answers to a datagram go.
const SHORTEST_UDP: u64 = 9 * SECOND;

pub(crate) struct Pair {
    ipvs: Ipvs,
    core: Core,
    met: Met,
    /// Whether the counters may differ: see [`departures::counts_what_ipvs_does_not`].
    may_miscount: bool,
    /// Whether there may be other templates: see [`departures::keeps_for_others`].
    may_keep: bool,
    /// Datagrams that were each scheduled for itself.
    alone: Vec<Alone>,
}

/// A datagram that was scheduled for itself, its server, and when it was.
struct Alone {
    packet: Packet,
    server: SocketAddr,
    at: u64,
}

/// What the two did not agree on.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How many events had gone well.
    pub(crate) at: usize,
    pub(crate) text: String,
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn same<T: PartialEq + Debug>(what: Arguments<'_>, ipvs: &T, core: &T) -> Result<(), String> {
    if ipvs == core {
        return Ok(());
    }
    Err(format!(
        "{what}:\nthe model says {ipvs:?}\nthe core says  {core:?}"
    ))
}

impl Pair {
    /// What was met, or what the two did not agree on.
    pub(crate) fn run(events: &[Event]) -> Result<Met, Failure> {
        let mut pair = Self::new();
        for (at, event) in events.iter().enumerate() {
            if matches!(event, Event::Wait(_)) && departures::may_tie(&pair.ipvs) {
                pair.met.note("given up");
                return Ok(pair.met);
            }
            let result = pair.apply(event);
            result.map_err(|text| Failure { at, text })?;
        }
        let end = pair.compare_all().and_then(|()| pair.answer_all());
        end.map_err(|text| Failure {
            at: events.len(),
            text,
        })?;
        Ok(pair.met)
    }

    fn new() -> Self {
        let mut pair = Self {
            ipvs: Ipvs::new(),
            core: Core::new(),
            met: Met::default(),
            may_miscount: false,
            may_keep: false,
            alone: Vec::new(),
        };
        for (protocol, address) in keepers() {
            let key = Key::Address(protocol, address);
            pair.ipvs.add_service(key, Settings::new("rr")).unwrap();
            pair.core.keep(service_key(key));
        }
        for about in &SYSCTLS {
            set_sysctl(&mut pair.ipvs, about.sysctl, about.default);
        }
        pair
    }

    fn apply(&mut self, event: &Event) -> Result<(), String> {
        match *event {
            Event::Request(slot, client, flags, data) => {
                self.request(slot, &request(slot, client, flags, data))?;
                self.compare_counts(&slot.service_key())
            }
            Event::Reply(slot, client, flags, data) => {
                self.reply(slot, client, flags, data)?;
                self.compare_counts(&slot.service_key())
            }
            Event::Wait(seconds) => self.wait(seconds),
            Event::Command(command) => self.command(&command),
        }
    }

    fn request(&mut self, slot: Slot, packet: &Packet) -> Result<(), String> {
        if departures::reopens_under_count(&self.ipvs, packet)
            || departures::finds_all_full(&self.ipvs, packet)
            || departures::is_anothers_by_now(&self.ipvs, packet)
        {
            self.met.note("kept away");
            return Ok(());
        }
        let verdict = self.core.packet(packet)?;
        self.draw(packet, verdict);
        let before = self.ipvs.connection(packet).is_some();
        let made = self.ipvs.ever_made();
        self.ipvs_agrees(packet, verdict)?;
        if let Verdict::ToServer(server) = verdict {
            // A connection of the same two ends takes the place of what was remembered of datagrams.
            self.alone
                .retain(|one| (one.server, one.packet.source) != (server, packet.source));
            let method = self.method(packet, server);
            if method != Forwarding::Masq {
                self.met.note("past the director");
            }
            // Who gets packets as they are answers past the director.
            if self.ipvs.connection(packet).is_none() && method == Forwarding::Masq {
                self.met.note("alone");
                self.alone.push(Alone {
                    packet: *packet,
                    server,
                    at: self.ipvs.now(),
                });
            }
        }
        if self.ipvs.ever_made() > made {
            let service = self.ipvs.service(&slot.key());
            self.met
                .note(service.map_or("", |service| service.settings.scheduler));
            if before {
                self.met.note("opened anew");
            }
            if service.is_some_and(|service| service.settings.sip) {
                self.met.note("of a call");
            }
            if packet.destination.is_ipv6() {
                self.met.note("on IPv6");
            }
            if packet.protocol == Protocol::Sctp {
                self.met.note("by SCTP");
            }
            let is_kept = self.ipvs.connection(packet);
            let is_kept = is_kept.is_some_and(Conn::has_template);
            if is_kept && self.ipvs.ever_made() == made + 1 {
                self.met.note("kept with its server");
            }
            let servers = self.ipvs.servers(&slot.key());
            if servers.iter().any(|dest| dest.overloaded) {
                self.met.note("beside a full server");
            }
        }
        Ok(())
    }

    /// How packets for this service reach this server.
    fn method(&self, packet: &Packet, server: SocketAddr) -> Forwarding {
        let servers = self
            .ipvs
            .service_for(packet)
            .map(|service| self.ipvs.servers(&service.key));
        let mut servers = servers.into_iter().flatten();
        let server = servers.find(|dest| dest.server.address.ip() == server.ip());
        server.map_or(Forwarding::Masq, |dest| dest.server.forwarding)
    }

    /// Lets the model draw the random numbers by which `twos` picks the core's server.
    fn draw(&mut self, packet: &Packet, verdict: Verdict) {
        let (Verdict::ToServer(picked), Some(service)) = (verdict, self.ipvs.service_for(packet))
        else {
            return;
        };
        let servers = self.ipvs.servers(&service.key);
        let place = servers.iter().position(|dest| {
            // Of no service two servers have one address.
            dest.server.address.ip() == picked.ip()
        });
        let numbers = place.and_then(|place| twos::numbers_for(&servers, place));
        self.ipvs.dice = numbers.into_iter().flatten().collect();
    }

    fn reply(&mut self, slot: Slot, client: Client, flags: u8, data: u8) -> Result<(), String> {
        let request = request(slot, client, flags, data);
        let conn = self.ipvs.connection(&request);
        self.may_miscount |= departures::counts_what_ipvs_does_not(&self.ipvs, conn);
        // Without a connection, whatever some server sends is its own business.
        let source = conn.map_or(slot.server(Host(1)), |conn| conn.server);
        let packet = Packet {
            source,
            destination: request.source,
            // Who marks replies too must not lose them. One that should not come by here is not marked: it would be
            // a client's.
            mark: match conn.map(|conn| self.ipvs.server_of(conn).server.forwarding) {
                Some(Forwarding::Masq) => request.mark,
                _ => 0,
            },
            // Servers make no calls themselves.
            call: 0,
            ..request
        };
        if departures::answers_alone(conn, self.served_alone(&packet)) {
            self.met.note("kept away");
            return Ok(());
        }
        let verdict = self.core.packet(&packet)?;
        self.ipvs_agrees(&packet, verdict)
    }

    /// Whether the sender of this packet has ever got a datagram of the receiver that was scheduled for itself.
    fn served_alone(&self, packet: &Packet) -> bool {
        let mut alone = self.alone.iter();
        alone.any(|one| (one.server, one.packet.source) == (packet.source, packet.destination))
    }

    /// Has the servers of the last datagrams that were scheduled for themselves answer, which only the core
    /// translates.
    fn answer_all(&mut self) -> Result<(), String> {
        let now = self.ipvs.now();
        for one in std::mem::take(&mut self.alone) {
            if now - one.at > SHORTEST_UDP {
                continue;
            }
            self.met.note("answered alone");
            let answer = Packet {
                source: one.server,
                destination: one.packet.source,
                ..one.packet
            };
            let verdict = self.core.packet(&answer)?;
            let expected = Verdict::ToClient(one.packet.destination);
            same(format_args!("the answer {answer:?}"), &expected, &verdict)?;
        }
        Ok(())
    }

    fn ipvs_agrees(&mut self, packet: &Packet, core: Verdict) -> Result<(), String> {
        let mut ipvs = self.ipvs.packet(packet);
        if let Verdict::ToServer(server) = &mut ipvs
            && self.method(packet, *server) != Forwarding::Masq
        {
            // It goes as it is, whatever port the server has.
            server.set_port(packet.destination.port());
        }
        self.met.note(match ipvs {
            Verdict::Pass => "left alone",
            Verdict::Drop => "dropped",
            Verdict::Unreachable => "unreachable",
            Verdict::ToServer(_) => "to a server",
            Verdict::ToClient(_) => "to a client",
        });
        self.ipvs.advance(1);
        self.core.advance(1);
        self.may_keep |= departures::keeps_for_others(&self.ipvs);
        same(format_args!("{packet:?}"), &ipvs, &core)
    }

    fn wait(&mut self, seconds: u64) -> Result<(), String> {
        let end = self.ipvs.now() + seconds * SECOND;
        while self.ipvs.now() < end {
            let left = end - self.ipvs.now();
            let mut pause = left.min(PAUSE).min(self.next_template() + CLOSE);
            while self.is_near_an_end(self.ipvs.now() + pause) {
                pause += CLOSE;
            }
            let before = self.ipvs.conns().len();
            self.ipvs.advance(pause);
            self.core.advance(pause);
            self.core.tend();
            if self.ipvs.conns().len() < before {
                self.met.note("ended");
            }
        }
        self.compare_all()
    }

    /// Milliseconds until a template is due: whether it is kept on depends on who is there just then.
    fn next_template(&self) -> u64 {
        let templates = self.ipvs.conns().iter().filter(|conn| conn.is_template);
        let ends = templates.filter_map(|conn| conn.expires.checked_sub(self.ipvs.now()));
        ends.min().unwrap_or(PAUSE)
    }

    /// Whether a connection ends about then.
    fn is_near_an_end(&self, then: u64) -> bool {
        let mut conns = self.ipvs.conns().iter();
        conns.any(|conn| conn.expires.abs_diff(then) < CLOSE)
    }

    fn command(&mut self, command: &Command) -> Result<(), String> {
        if departures::remembers(&self.ipvs, command) {
            // What it would forget at this very command, it shall have forgotten before.
            self.core.tend();
        }
        if departures::of_command(&self.ipvs, &self.core, command) {
            self.met.note("kept away");
            return Ok(());
        }
        let Some(core) = self.core.change(&command.change()) else {
            self.met.note("not forwarded");
            return Ok(());
        };
        let comes_back = departures::remembers(&self.ipvs, command);
        let ipvs = command.ask(&mut self.ipvs);
        self.met.note(match ipvs {
            Ok(()) if comes_back => "comes back",
            Ok(()) => "granted",
            Err(_) => "refused",
        });
        same(format_args!("{command:?}"), &ipvs, &core.map_err(refusal))
    }

    /// Connections and templates of the servers of one service.
    fn compare_counts(&self, service: &ServiceKey) -> Result<(), String> {
        let servers = self.ipvs.servers(&key(service));
        let counts = |dest: &&Dest| (dest.active, dest.inactive, dest.persistent);
        let ipvs = servers
            .iter()
            .map(|dest| (dest.server.address, counts(dest)));
        let mut ipvs: Vec<_> = ipvs.collect();
        let mut core = self.core.counts(service);
        if self.may_keep {
            for (_, (_, _, templates)) in ipvs.iter_mut().chain(&mut core) {
                *templates = 0;
            }
        }
        same(format_args!("connections of {service}"), &ipvs, &core)
    }

    /// Everything.
    fn compare_all(&self) -> Result<(), String> {
        for service in self.core.wanted().services() {
            self.compare_counts(&service.key)?;
        }
        let listed = |conn| {
            let mut listed = listed(conn);
            if self.ipvs.server_of(conn).server.forwarding != Forwarding::Masq {
                listed.server.set_port(0);
            }
            listed
        };
        let mut ipvs: Vec<Listed> = self.ipvs.conns().iter().map(listed).collect();
        ipvs.sort();
        let mut core = self.core.flows();
        for list in [&mut ipvs, &mut core] {
            list.retain(|one| !(one.is_template && self.may_keep));
        }
        same(format_args!("flows"), &ipvs, &core)?;
        if self.may_miscount {
            return Ok(());
        }
        self.compare_counters()
    }

    /// What was counted besides connections.
    fn compare_counters(&self) -> Result<(), String> {
        let report = self.core.report();
        same(
            format_args!("total"),
            &figures(self.ipvs.total()),
            &report.total.shown,
        )?;
        for (service, reported) in self.core.wanted().services().iter().zip(report.services) {
            let key = key(&service.key);
            let stats = self.ipvs.service(&key).map(|service| service.stats);
            same(
                format_args!("counters of {}", service.key),
                &stats.map(figures),
                &Some(reported.traffic.shown),
            )?;
            let dests = reported.dests.iter().map(|dest| dest.traffic.shown);
            let servers = self.ipvs.servers(&key);
            let servers = servers.iter().map(|dest| figures(dest.stats));
            same(
                format_args!("counters of the servers of {}", service.key),
                &servers.collect::<Vec<_>>(),
                &dests.collect(),
            )?;
        }
        Ok(())
    }
}

fn request(slot: Slot, client: Client, flags: u8, data: u8) -> Packet {
    let (protocol, destination) = slot.target(client);
    let header = match protocol {
        Protocol::Udp => 8,
        Protocol::Sctp => 16,
        _ => 20,
    };
    let headers = header + IP_HEADER[usize::from(destination.is_ipv6())];
    let call = if protocol == Protocol::Udp {
        flags & 3
    } else {
        0
    };
    Packet {
        call,
        protocol,
        source: slot.client(client),
        destination,
        flags: if protocol == Protocol::Udp { 0 } else { flags },
        length: headers + message(call).len() as u64 + u64::from(data),
        mark: slot.mark(),
    }
}
