//! Histories from seeds.

use ferrovs_model::{Sysctl, Wanted};
use ferrovs_sim::Random;
use ferrovs_tests::ipvs::{
    ACK, FIN, Flags, Forwarding, Persistence, RST, SCHEDULERS, SYN, Settings, sctp::chunk,
};

use crate::{
    event::{Command, Event, Terms},
    universe::{Client, Host, Slot},
};

const PUSH: u8 = 8;

/// What a history is made of.
struct Generator {
    random: Random,
    /// The services that it is about.
    slots: Vec<Slot>,
    /// Servers that may be there.
    servers: Vec<(Slot, Host)>,
    /// Bits by which servers are told that are reached by another method than masquerading.
    methods: u64,
    events: Vec<Event>,
}

/// The history of this seed.
pub(crate) fn history(seed: u64) -> Vec<Event> {
    let mut generator = Generator {
        random: Random::new(seed),
        slots: Vec::new(),
        servers: Vec::new(),
        methods: 0,
        events: Vec::new(),
    };
    generator.begin();
    for _ in 0..generator.below(80) {
        generator.go_on();
    }
    generator.events
}

/// Whether the data plane forwards a service with these settings and such a server.
fn is_forwarded(slot: Slot, settings: Settings, weight: Terms) -> bool {
    let mut wanted = Wanted::default();
    let commands = [
        Command::AddService(slot, settings),
        Command::AddServer(slot, Host(0), weight),
    ];
    let changes = commands.map(|command| command.change());
    wanted.apply_all(&changes).is_ok() && wanted.unforwarded().is_empty()
}

/// The sysctls that the model knows, and the largest value of each.
const SYSCTLS: [(Sysctl, u64); 5] = [
    (Sysctl::ConnReuseMode, 3),
    (Sysctl::ExpireNodestConn, 1),
    (Sysctl::ExpireQuiescentTemplate, 1),
    (Sysctl::SloppyTcp, 1),
    (Sysctl::SloppySctp, 1),
];

/// Types of chunks, those that open associations and keep them going more than once.
const CHUNKS: [u8; 15] = [
    chunk::INIT,
    chunk::INIT,
    chunk::INIT_ACK,
    chunk::INIT_ACK,
    chunk::COOKIE_ECHO,
    chunk::COOKIE_ECHO,
    chunk::COOKIE_ACK,
    chunk::COOKIE_ACK,
    chunk::DATA,
    chunk::SACK,
    chunk::SHUTDOWN,
    chunk::SHUTDOWN_ACK,
    chunk::SHUTDOWN_COMPLETE,
    chunk::ERROR,
    chunk::ABORT,
];

/// A server of which nothing is special.
const PLAIN: Terms = Terms {
    forwarding: Forwarding::Masq,
    weight: 1,
    upper: 0,
    lower: 0,
};

impl Generator {
    fn below(&self, bound: u64) -> u64 {
        self.random.draw() % bound
    }

    fn one_in(&self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn pick<T: Copy>(&self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// One of the services that the history is about; rarely another.
    fn slot(&self) -> Slot {
        if self.slots.is_empty() || self.one_in(50) {
            return Slot(self.below(Slot::COUNT as u64) as usize);
        }
        self.pick(&self.slots)
    }

    fn host(&self) -> Host {
        Host(self.below(Host::COUNT.into()) as u8)
    }

    /// A server that may be there; rarely another.
    fn server(&self) -> (Slot, Host) {
        if self.servers.is_empty() || self.one_in(20) {
            return (self.slot(), self.host());
        }
        self.pick(&self.servers)
    }

    /// Few, so that the same one comes again.
    fn client(&self) -> Client {
        Client(self.below(3) as u8, self.below(4) as u16)
    }

    fn data(&self) -> u8 {
        self.pick(&[0, 0, 1, 100])
    }

    fn command(&mut self, command: Command) {
        self.events.push(Event::Command(command));
    }

    /// Timeouts and sysctls, and some services with some servers.
    fn begin(&mut self) {
        // As in IPVS, unless somebody chose otherwise.
        if self.one_in(2) {
            self.command(Command::SetSysctl(Sysctl::ExpireNodestConn, 0));
        }
        if self.one_in(4) {
            let [tcp, tcp_fin, udp] = [(); 3].map(|()| 10 + self.below(90) as u32);
            self.command(Command::SetTimeouts(tcp, tcp_fin, udp));
        }
        if self.one_in(3) {
            self.methods = self.random.draw();
        }
        for _ in 0..1 + self.below(3) {
            let slot = Slot(self.below(Slot::COUNT as u64) as usize);
            let Some(settings) = self.settings(slot) else {
                continue;
            };
            self.slots.push(slot);
            self.command(Command::AddService(slot, settings));
            for _ in 0..self.below(5) {
                self.add_server(slot, self.host());
            }
        }
    }

    fn add_server(&mut self, slot: Slot, host: Host) {
        self.servers.push((slot, host));
        self.command(Command::AddServer(slot, host, self.terms(slot, host)));
    }

    /// Settings with which the data plane forwards a service, if it ever does.
    fn settings(&self, slot: Slot) -> Option<Settings> {
        let mut drawn = (0..20).map(|_| self.any_settings(slot));
        drawn.find(|settings| is_forwarded(slot, *settings, PLAIN))
    }

    fn any_settings(&self, slot: Slot) -> Settings {
        let masks = if slot.is_ipv6() {
            [128, 64, 112, 120]
        } else {
            [u32::MAX, 0xffff_ff00, 0xffff_0000, 0xffff_fffe]
        };
        let persistence = || Persistence {
            timeout: self.pick(&[10, 50, 100, 1_000_000]),
            netmask: self.pick(&masks),
        };
        // ipvsadm does not let such a service be without persistence.
        let for_all_ports = slot.is_for_all_ports();
        let persists = for_all_ports || self.one_in(5);
        Settings {
            flags: Flags {
                fallback: self.one_in(2),
                port: self.one_in(2),
            },
            persistence: persists.then(persistence),
            // Other services have it for nothing but calls that servers make, of which the model knows nothing.
            sip: persists && self.one_in(if slot.is_udp() { 2 } else { 10 }),
            one_packet: slot.is_udp() && self.one_in(5),
            ..Settings::new(match self.below(30) {
                0 => "none",
                _ => self.pick(&SCHEDULERS),
            })
        }
    }

    /// How a server is reached: the same from first to last, because what an edit of that does to connections that are
    /// open is done otherwise than by IPVS (see `docs/differences.md`).
    fn forwarding(&self, slot: Slot, host: Host) -> Forwarding {
        match self.methods >> (slot.0 * 3 + usize::from(host.0) * 2) & 3 {
            1 => Forwarding::Route,
            2 => Forwarding::Tunnel,
            _ => Forwarding::Masq,
        }
    }

    /// Weight and thresholds of a server.
    fn terms(&self, slot: Slot, host: Host) -> Terms {
        let weight = match self.below(20) {
            0..3 => 0,
            3..15 => 1 + self.below(4),
            15..19 => 1 + self.below(20),
            _ => self.pick(&[1000, 65_535, i32::MAX as u64]),
        };
        let upper = if self.one_in(6) { self.below(6) } else { 0 };
        Terms {
            forwarding: self.forwarding(slot, host),
            weight: weight as u32,
            upper: upper as u32,
            lower: if self.one_in(2) {
                0
            } else {
                self.below(4) as u32
            },
        }
    }

    /// Something that happens, one event or a few that belong together.
    fn go_on(&mut self) {
        match self.below(20) {
            0 => self.events.push(self.request(self.slot(), self.client())),
            1 => self.events.push(self.reply(self.slot(), self.client())),
            2..5 => self.visit(),
            5..11 => {
                let (slot, client) = (self.slot(), self.client());
                self.converse(slot, client);
                if self.one_in(4) {
                    self.converse(slot, client);
                }
            }
            11..13 => self.events.push(Event::Wait(self.seconds())),
            13 => self.leave_and_come_back(),
            14..17 => self.ask_for_a_server(),
            17 => self.ask_for_a_service(),
            18 if self.one_in(2) => {
                let (sysctl, most) = self.pick(&SYSCTLS);
                let value = self.below(most + 1) as u32;
                self.command(Command::SetSysctl(sysctl, value));
            }
            18 => {
                let slot = self.slot();
                self.add_server(slot, self.host());
            }
            _ => {
                let slot = self.one_in(2).then_some(self.slot());
                self.command(Command::Zero(slot));
            }
        }
    }

    /// Often just before or behind the end of something.
    fn seconds(&self) -> u64 {
        match self.below(4) {
            0 => self.below(12),
            1 => self.below(130),
            2 => self.pick(&[9, 12, 29, 32, 59, 62, 119, 122, 299, 302, 899, 902]),
            _ => self.pick(&[1, 5, 20]),
        }
    }

    fn request(&self, slot: Slot, client: Client) -> Event {
        let flags = [
            SYN,
            ACK,
            ACK | PUSH,
            FIN | ACK,
            FIN,
            RST,
            RST | ACK,
            SYN | FIN,
        ];
        let said = if slot.is_sctp() {
            self.pick(&CHUNKS)
        } else {
            self.pick(&flags)
        };
        Event::Request(slot, client, said, self.data())
    }

    fn reply(&self, slot: Slot, client: Client) -> Event {
        let flags = [
            SYN | ACK,
            SYN,
            ACK,
            ACK | PUSH,
            FIN | ACK,
            FIN,
            RST,
            RST | ACK,
        ];
        let said = if slot.is_sctp() {
            self.pick(&CHUNKS)
        } else {
            self.pick(&flags)
        };
        Event::Reply(slot, client, said, self.data())
    }

    /// Any packets between a client and its server.
    fn visit(&mut self) {
        let (slot, client) = (self.slot(), self.client());
        let opens = if slot.is_sctp() { chunk::INIT } else { SYN };
        self.events.push(Event::Request(slot, client, opens, 0));
        for _ in 0..self.below(6) {
            let event = if self.one_in(2) {
                self.request(slot, client)
            } else {
                self.reply(slot, client)
            };
            self.events.push(event);
        }
    }

    /// A connection as it should be, as far as it gets.
    fn converse(&mut self, slot: Slot, client: Client) {
        let data = self.data();
        if slot.is_sctp() {
            return self.associate(slot, client, data);
        }
        let whole = [
            Event::Request(slot, client, SYN, 0),
            Event::Reply(slot, client, SYN | ACK, 0),
            Event::Request(slot, client, ACK, 0),
            Event::Request(slot, client, ACK | PUSH, data),
            Event::Reply(slot, client, ACK | PUSH, data),
            Event::Reply(slot, client, FIN | ACK, 0),
            Event::Request(slot, client, FIN | ACK, 0),
            Event::Reply(slot, client, ACK, 0),
        ];
        let parts = self.pick(&[1, 3, 3, 4, 6, 8, 8]);
        self.events.extend(&whole[..parts]);
        if self.one_in(6) {
            self.events.push(Event::Request(slot, client, RST | ACK, 0));
        }
    }

    /// The same by SCTP.
    fn associate(&mut self, slot: Slot, client: Client, data: u8) {
        let request = |chunk, data| Event::Request(slot, client, chunk, data);
        let reply = |chunk, data| Event::Reply(slot, client, chunk, data);
        let mut whole = vec![
            request(chunk::INIT, 16),
            reply(chunk::INIT_ACK, 200),
            request(chunk::COOKIE_ECHO, 184),
            reply(chunk::COOKIE_ACK, 0),
            request(chunk::DATA, data),
            reply(chunk::SACK, 12),
        ];
        whole.extend(if self.one_in(2) {
            [
                request(chunk::SHUTDOWN, 4),
                reply(chunk::SHUTDOWN_ACK, 0),
                request(chunk::SHUTDOWN_COMPLETE, 0),
            ]
        } else {
            [
                reply(chunk::SHUTDOWN, 4),
                request(chunk::SHUTDOWN_ACK, 0),
                reply(chunk::SHUTDOWN_COMPLETE, 0),
            ]
        });
        let parts = self.pick(&[1, 2, 3, 4, 5, 7, 9, 9]);
        self.events.extend(&whole[..parts]);
        match self.below(8) {
            0 => self.events.push(request(chunk::ABORT, 0)),
            1 => self.events.push(reply(chunk::ABORT, 0)),
            _ => {}
        }
    }

    /// A server goes while there are connections, and may come back.
    fn leave_and_come_back(&mut self) {
        let (slot, host) = self.server();
        let client = self.client();
        self.converse(slot, client);
        self.command(Command::DeleteServer(slot, host));
        self.events.push(self.request(slot, client));
        if self.one_in(2) {
            self.events.push(Event::Wait(self.seconds()));
        }
        self.converse(slot, self.client());
        if self.one_in(2) {
            self.add_server(slot, host);
            self.events.push(self.request(slot, client));
            self.events.push(self.reply(slot, client));
        }
    }

    fn ask_for_a_server(&mut self) {
        let (slot, host) = self.server();
        match self.below(6) {
            0 => self.command(Command::DeleteServer(slot, host)),
            1 => self.add_server(slot, host),
            _ => {
                let terms = self.terms(slot, host);
                self.command(Command::EditServer(slot, host, terms));
            }
        }
    }

    fn ask_for_a_service(&mut self) {
        let slot = self.slot();
        let Some(settings) = self.settings(slot) else {
            return;
        };
        match self.below(8) {
            0 => self.command(Command::DeleteService(slot)),
            1..3 => self.command(Command::AddService(slot, settings)),
            _ => self.command(Command::EditService(slot, settings)),
        }
    }
}
