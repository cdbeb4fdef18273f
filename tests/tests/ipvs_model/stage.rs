//! A recording and the rig that plays it: each method does what a line of the client's script did, and takes
//! what it printed.

use std::net::{Ipv4Addr, SocketAddr};

use ferrovs_tests::ipvs::{Ipvs, Key, Protocol, Server, Settings, twos};

use crate::{
    rig::{CHOSEN_PORTS, Rig, VIP},
    show::{self, Row, VERSION, View},
    tape::Tape,
};

/// Milliseconds that the commands take with which a scenario begins.
const BEGINNING: u64 = 2000;
/// Milliseconds that a program takes to start.
const START: u64 = 500;
/// Seconds by which a timeout may be further gone in the recording than in the model: the machine is slow, and
/// most commands take no time here.
const SLACK: u64 = 4;

pub(crate) struct Stage {
    pub(crate) rig: Rig,
    pub(crate) tape: Tape,
}

/// A real server's address.
pub(crate) fn real(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(192, 168, 2, host).into(), port)
}

pub(crate) fn vip(port: u16) -> SocketAddr {
    SocketAddr::new(VIP.into(), port)
}

pub(crate) fn tcp(port: u16) -> Key {
    Key::Address(Protocol::Tcp, vip(port))
}

pub(crate) fn udp(port: u16) -> Key {
    Key::Address(Protocol::Udp, vip(port))
}

/// The real servers in the order in which they are added.
pub(crate) const HOSTS: [u8; 4] = [141, 143, 145, 147];

/// A service and its servers at one port, with these weights in the order of [`HOSTS`].
pub(crate) fn serve(ipvs: &mut Ipvs, key: Key, settings: Settings, port: u16, weights: &[u32]) {
    ipvs.add_service(key, settings).unwrap();
    for (&host, &weight) in HOSTS.iter().zip(weights) {
        let server = Server::masq(real(host, port), weight);
        ipvs.add_server(&key, server).unwrap();
    }
}

impl Stage {
    pub(crate) fn new(recording: &'static str) -> Self {
        Self {
            rig: Rig::new(),
            tape: Tape::open(recording),
        }
    }

    /// A scenario begins.
    pub(crate) fn title(&mut self, text: &str) {
        self.tape.title(text);
        self.rig.ipvs.advance(BEGINNING);
    }

    /// Another program of the client begins, which speaks to this port.
    pub(crate) fn client(&mut self, port: u16) {
        self.rig.ipvs.advance(START);
        self.rig.restart();
        self.rig.target = vip(port);
    }

    /// A service of these servers, see [`serve`].
    pub(crate) fn service(&mut self, key: Key, settings: Settings, port: u16, weights: &[u32]) {
        serve(&mut self.rig.ipvs, key, settings, port, weights);
    }

    /// As often as the recording has words, does something that says a word; all must be the recorded ones.
    fn words(
        &mut self,
        prefix: &str,
        count: usize,
        mut each: impl FnMut(&mut Rig, usize, &str) -> String,
    ) {
        let recorded = self.tape.take();
        let rest = recorded.strip_prefix(prefix);
        let rest = rest.unwrap_or_else(|| panic!("{}: {recorded}", self.tape.place()));
        let mut said = prefix.to_owned();
        let mut words = rest.split(' ');
        for place in 0..count {
            let word = words.next().unwrap_or_default();
            said += &each(&mut self.rig, place, word);
            said.push(' ');
        }
        let place = self.tape.place();
        assert_eq!(said, recorded, "the model, and {place}");
    }

    /// Draws the random numbers by which `twos` comes to the recorded server, if it can.
    fn draw(rig: &mut Rig, recorded: &str) {
        let key = Key::Address(Protocol::Tcp, rig.target);
        let servers = rig.ipvs.servers(&key);
        let place = servers.iter().position(|dest| {
            let host = dest.server.address.ip().to_string();
            host.ends_with(&format!(".{recorded}"))
        });
        let numbers = place.and_then(|place| twos::numbers_for(&servers, place));
        rig.ipvs.dice = numbers.into_iter().flatten().collect();
    }

    pub(crate) fn seq(&mut self, prefix: &str, count: usize) {
        self.words(prefix, count, |rig, _, word| {
            Self::draw(rig, word);
            rig.short(word)
        });
    }

    /// From each of the client's addresses 169.254.179.60 to 83.
    pub(crate) fn seq_addresses(&mut self, prefix: &str) {
        let before = self.rig.bind;
        self.words(prefix, 24, |rig, place, word| {
            rig.bind = Ipv4Addr::new(169, 254, 179, 60 + place as u8).into();
            rig.short(word)
        });
        self.rig.bind = before;
    }

    /// From each of the ports 40000 to 40023.
    pub(crate) fn seq_ports(&mut self, prefix: &str) {
        self.words(prefix, 24, |rig, place, word| {
            rig.port = 40_000 + place as u16;
            rig.short(word)
        });
        self.rig.port = 0;
    }

    /// To each of these addresses.
    pub(crate) fn seq_targets(
        &mut self,
        prefix: &str,
        count: usize,
        target: impl Fn(usize) -> SocketAddr,
    ) {
        self.words(prefix, count, |rig, place, word| {
            rig.target = target(place);
            rig.short(word)
        });
    }

    pub(crate) fn open(&mut self, prefix: &str, count: usize) {
        self.words(prefix, count, |rig, _, word| {
            Self::draw(rig, word);
            rig.open(word)
        });
    }

    /// From each of so many of the client's addresses.
    pub(crate) fn open_addresses(&mut self, count: usize) {
        let before = self.rig.bind;
        self.words("", count, |rig, place, word| {
            rig.bind = Ipv4Addr::new(169, 254, 179, 60 + place as u8).into();
            rig.open(word)
        });
        self.rig.bind = before;
    }

    pub(crate) fn ping(&mut self) {
        let held = self.rig.held.len();
        self.words("", held, |rig, place, _| rig.ping(place).unwrap());
    }

    pub(crate) fn reset(&mut self, place: usize) {
        self.rig.reset(place);
        self.rig.ipvs.advance(self.rig.gap);
    }

    pub(crate) fn reset_all(&mut self) {
        for place in 0..self.rig.held.len() {
            self.rig.reset(place);
        }
        self.rig.held.clear();
    }

    pub(crate) fn datagrams(&mut self, count: usize, data: u64) {
        self.words("", count, |rig, _, _| rig.datagram(data));
    }

    /// All from one socket.
    pub(crate) fn datagrams_of_one(&mut self, count: usize) {
        let client = self.rig.client();
        self.words("", count, |rig, _, _| rig.datagram_from(client, 6));
    }

    /// `ipvsadm -Ln` of one service.
    pub(crate) fn list(&mut self, key: &Key, view: View) {
        for title in view.titles() {
            self.tape.expect(title);
        }
        self.rows(key, view);
    }

    /// The same without titles.
    pub(crate) fn rows(&mut self, key: &Key, view: View) {
        for line in show::service(&self.rig.ipvs, key, view) {
            self.tape.expect(&line);
        }
    }

    /// `ipvsadm -Ln` of all services, of which there is this one.
    pub(crate) fn list_all(&mut self, key: &Key, view: View) {
        self.tape.expect(VERSION);
        self.list(key, view);
    }

    /// Titles of `ipvsadm -Lnc`.
    pub(crate) fn titles_of_connections(&mut self) {
        self.tape.expect("IPVS connection entries");
        self.tape
            .expect("pro expire state       source             virtual            destination");
    }

    /// Lines of `ipvsadm -Lnc`, in any order: all connections of which this holds.
    pub(crate) fn connections(&mut self, shown: impl Fn(&Row) -> bool) {
        let now = self.rig.ipvs.now();
        let conns = self.rig.ipvs.conns().iter();
        let rows = conns.map(|conn| Row::of(conn, now));
        let mut rows: Vec<Row> = rows.filter(|row| shown(row)).collect();
        let lines = rows.iter().map(|_| self.tape.take());
        let mut recorded: Vec<Row> = lines.map(|line| Row::parse(&line)).collect();
        hide_chosen_ports(&mut rows, &mut recorded);
        rows.sort();
        recorded.sort();
        let place = self.tape.place();
        for (row, recorded) in rows.iter().zip(recorded) {
            let later = row.expires.saturating_sub(recorded.expires);
            let alike = Row {
                expires: recorded.expires + later,
                ..recorded
            };
            assert_eq!(*row, alike, "the model, and what ends at {place}");
            assert!(later <= SLACK, "{later} s less than {row:?} at {place}");
        }
    }
}

/// Ports that the client chose by itself become all the same one.
fn hide_chosen_ports(rows: &mut [Row], recorded: &mut [Row]) {
    const HIDDEN: u16 = 1;
    /// Where the recorded kernel's own choice begins.
    const RECORDED: u16 = 32_768;
    let ports = rows.iter().map(|row| row.client.port());
    let told: Vec<u16> = ports.filter(|port| !CHOSEN_PORTS.contains(port)).collect();
    for row in rows {
        if CHOSEN_PORTS.contains(&row.client.port()) {
            row.client.set_port(HIDDEN);
        }
    }
    for row in recorded {
        let port = row.client.port();
        if port >= RECORDED && !told.contains(&port) {
            row.client.set_port(HIDDEN);
        }
    }
}
