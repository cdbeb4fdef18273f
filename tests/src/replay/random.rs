//! Scenarios from seeds.

use std::fmt::Write as _;

use ferrovs_model::{Change, Protocol, ServiceKey, ServiceSettings, Wanted};
use ferrovs_sim::Random;

use crate::ipvs::SCHEDULERS;

/// The real servers.
const HOSTS: [u8; 4] = [141, 143, 145, 147];
/// The port of the first section's service; each has the next.
const FIRST_PORT: u16 = 1000;

/// A script of so many sections, each about a service of its own, which the scheduler, weights, options, visits and
/// changes of that seed make.
///
/// It has only what is forwarded, and nothing that is drawn by lot. Where ferrovs departs from IPVS on purpose it may differ.
pub fn script(seed: u64, sections: u16) -> String {
    let mut text = ". ./topo.sh\n".to_owned();
    let random = Random::new(seed);
    let schedulers: Vec<&str> = SCHEDULERS
        .into_iter()
        .filter(|&name| name != "twos" && is_forwarded(name))
        .collect();
    for number in 0..sections {
        let mut section = Section {
            random: &random,
            schedulers: &schedulers,
            is_udp: false,
            service: String::new(),
            port: FIRST_PORT + number,
            servers: Vec::new(),
            held: 0,
            text: String::new(),
        };
        section.write();
        text += &section.text;
    }
    text
}

/// Whether the data plane schedules by it.
fn is_forwarded(scheduler: &str) -> bool {
    let mut wanted = Wanted::default();
    let address = ([10, 0, 0, 1], 80).into();
    let add = Change::AddService {
        service: ServiceKey::address(Protocol::Tcp, address),
        settings: ServiceSettings::new(scheduler),
    };
    wanted.apply(&add).is_ok() && wanted.unforwarded().is_empty()
}

struct Section<'a> {
    random: &'a Random,
    schedulers: &'a [&'a str],
    is_udp: bool,
    /// `-t VIP:PORT` or `-u VIP:PORT`.
    service: String,
    port: u16,
    servers: Vec<u8>,
    /// Connections that were opened to stay.
    held: u64,
    text: String,
}

impl Section<'_> {
    fn below(&self, bound: u64) -> u64 {
        self.random.draw() % bound
    }

    fn one_in(&self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn pick<T: Copy>(&self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn write(&mut self) {
        self.is_udp = self.one_in(4);
        let option = if self.is_udp { "-u" } else { "-t" };
        self.service = format!("{option} 169.254.179.1:{}", self.port);
        let settings = self.settings();
        let add = format!("ipvsadm -A {} {settings}", self.service);
        let _ = writeln!(self.text, "T '{add}'\nL {add}");
        for host in HOSTS.into_iter().take(1 + self.below(4) as usize) {
            let add = self.server("-a", host);
            self.line(&format!("L {add}"));
            self.servers.push(host);
        }
        let _ = writeln!(
            self.text,
            "P <<'END'\ntmo 1000\ngap 5\ntarget 169.254.179.1 {}",
            self.port
        );
        for _ in 0..3 + self.below(8) {
            self.step();
        }
        self.list();
        self.line("rstall\nEND");
        self.line(&format!("L ipvsadm -Ln --stats {}", self.service));
        self.line("L sysctl -qw net.ipv4.vs.expire_quiescent_template=0");
    }

    fn settings(&self) -> String {
        let scheduler = self.pick(self.schedulers);
        let mut settings = format!("-s {scheduler}");
        match scheduler {
            "sh" if self.one_in(2) => settings += self.pick(&[" -b sh-port", " -b sh-fallback"]),
            "mh" if self.one_in(2) => settings += self.pick(&[" -b mh-port", " -b mh-fallback"]),
            _ => {}
        }
        if self.one_in(4) {
            settings += self.pick(&[" -p 60", " -p 300", " -p 60 -M 255.255.255.0"]);
        }
        settings
    }

    /// A command that adds or edits a server.
    fn server(&self, option: &str, host: u8) -> String {
        let port = if self.is_udp { 53 } else { 80 };
        let weight = if self.one_in(8) { 0 } else { 1 + self.below(6) };
        let thresholds = if self.one_in(8) {
            self.pick(&[" -x 2", " -x 3 -y 1", " -x 4 -y 2"])
        } else {
            ""
        };
        let Self { service, .. } = self;
        format!("ipvsadm {option} {service} -r 192.168.2.{host}:{port} -m -w {weight}{thresholds}")
    }

    fn step(&mut self) {
        match self.below(16) {
            0..5 => self.visits(),
            5..8 => self.connections(),
            8..11 => self.edit(),
            11 => self.leave(),
            12 => self.join(),
            13 => {
                let settings = self.settings();
                self.line(&format!("sh L ipvsadm -E {} {settings}", self.service));
            }
            14 => self.list(),
            _ => {
                let value = self.below(2);
                self.line(&format!(
                    "sh L sysctl -qw net.ipv4.vs.expire_quiescent_template={value}"
                ));
            }
        }
    }

    fn visits(&mut self) {
        let count = 2 + self.below(10);
        let first = 60 + self.below(12);
        let last = first + count;
        let line = match (self.is_udp, self.one_in(3)) {
            (true, true) => format!("udpsame {count}"),
            (true, false) => format!("udp {count}"),
            (false, true) => format!("seqaddr 169.254.179. {first} {last}"),
            (false, false) => format!("seq {count}"),
        };
        self.line(&line);
    }

    fn connections(&mut self) {
        if self.is_udp {
            return self.visits();
        }
        match self.below(4) {
            0 if self.held > 0 => {
                let one = self.below(self.held);
                self.line(&format!("rstone {one}"));
            }
            1 => self.line("ping"),
            _ => {
                let count = 1 + self.below(5);
                // Some may be refused, and then there are fewer.
                self.held += count;
                self.line(&format!("open {count}"));
            }
        }
    }

    fn edit(&mut self) {
        if let Some(host) = self.a_server() {
            let edit = self.server("-e", host);
            self.line(&format!("sh L {edit}"));
        }
    }

    fn leave(&mut self) {
        if let Some(host) = self.a_server() {
            let port = if self.is_udp { 53 } else { 80 };
            self.line(&format!(
                "sh L ipvsadm -d {} -r 192.168.2.{host}:{port}",
                self.service
            ));
            self.servers.retain(|&one| one != host);
        }
    }

    fn join(&mut self) {
        let host = self.pick(&HOSTS);
        if !self.servers.contains(&host) {
            let add = self.server("-a", host);
            self.line(&format!("sh L {add}"));
            self.servers.push(host);
        }
    }

    fn a_server(&self) -> Option<u8> {
        (!self.servers.is_empty()).then(|| self.pick(&self.servers))
    }

    fn list(&mut self) {
        let Self { service, port, .. } = self;
        let list = format!(
            "sh L ipvsadm -Ln {service}\nsh L ipvsadm -Ln --persistent-conn {service}\nsh L ipvsadm -Lnc | grep ':{port} '"
        );
        self.line(&list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_script_and_another_one_another() {
        assert_eq!(script(7, 20), script(7, 20));
        assert_ne!(script(7, 20), script(8, 20));
    }

    #[test]
    fn a_hundred_sections_have_a_bit_of_everything() {
        let text = script(1, 100);
        for word in [
            "-u ",
            "-t ",
            "-p 60",
            "-b sh-port",
            "-x 2",
            "-E ",
            "-d ",
            "seqaddr",
            "open",
            "rstone",
            "udpsame",
            "expire_quiescent_template=1",
            "-w 0",
        ] {
            assert!(text.contains(word), "{word}");
        }
        assert!(!text.contains("twos"));
    }
}
