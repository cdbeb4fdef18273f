//! Scenarios from seeds.

use ferrovs_model::{Change, Protocol, ServiceKey, ServiceSettings, Wanted};
use ferrovs_sim::Random;

use crate::ipvs::SCHEDULERS;

/// The real servers.
const HOSTS: [u8; 4] = [141, 143, 145, 147];
/// The port of the first section's service; each has the next.
const FIRST_PORT: u16 = 1000;
/// More clients of IPv6 than the network has.
const CLIENTS: &str =
    "for i in $(seq 61 83); do ip -n cl addr add fd00:a::$i/64 dev c0 nodad; done\n";

/// A script of so many sections, each about a service of its own, which the scheduler, weights, options, visits and
/// changes of that seed make.
///
/// It has only what is forwarded, and nothing that is drawn by lot (`twos`). Of what ferrovs does otherwise than IPVS on
/// purpose (`docs/differences.md`) it leaves out what would show: one-packet services, whose answers IPVS does not
/// translate; and edits of `rr` and `wrr` whose servers may all be full, after which the round goes on elsewhere.
pub fn script(seed: u64, sections: u16) -> String {
    let mut text = format!(". ./topo.sh\n{CLIENTS}");
    let random = Random::new(seed);
    let schedulers: Vec<&str> = SCHEDULERS
        .into_iter()
        .filter(|&name| name != "twos" && is_forwarded(name))
        .collect();
    let kinds = [Kind::Ipv4, Kind::Ipv4, Kind::Ipv6, Kind::Mark];
    let mut marked = Vec::new();
    for number in 0..sections {
        let is_udp = random.draw().is_multiple_of(4);
        let mut kind = kinds[(random.draw() % 4) as usize];
        if kind == Kind::Mark && marked.contains(&is_udp) {
            // Connections that are left of the other one would be listed.
            kind = Kind::Ipv4;
        }
        if kind == Kind::Mark {
            marked.push(is_udp);
        }
        let mut section = Section {
            random: &random,
            schedulers: &schedulers,
            scheduler: "",
            is_udp,
            kind,
            service: String::new(),
            port: FIRST_PORT + number,
            servers: Vec::new(),
            has_thresholds: false,
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

/// By what a service is found.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// The virtual address, or its IPv6 one, and the section's port.
    Ipv4,
    Ipv6,
    /// A mark, which nftables gives to packets for the servers' own port of the virtual address. The section's port is
    /// its number.
    Mark,
}

struct Section<'a> {
    random: &'a Random,
    schedulers: &'a [&'a str],
    scheduler: &'a str,
    is_udp: bool,
    kind: Kind,
    /// `-t VIP:PORT`, `-u VIP:PORT` or `-f MARK`.
    service: String,
    port: u16,
    servers: Vec<u8>,
    /// Whether a server has, or had, one.
    has_thresholds: bool,
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
        let option = if self.is_udp { "-u" } else { "-t" };
        let (vip, port) = (self.vip(), self.visited());
        self.service = match self.kind {
            Kind::Ipv4 => format!("{option} {vip}:{port}"),
            Kind::Ipv6 => format!("{option} [{vip}]:{port}"),
            Kind::Mark => format!("-f {}", self.port),
        };
        let settings = self.settings();
        let add = format!("ipvsadm -A {} {settings}", self.service);
        let protocol = if self.is_udp { "UDP" } else { "TCP" };
        self.line(&format!("T '{protocol} {add}'\nL {add}"));
        if self.kind == Kind::Mark {
            let (protocol, mark) = (protocol.to_lowercase(), self.port);
            self.line(&format!(
                "L nft 'add table ip m; add chain ip m p {{ type filter hook prerouting priority mangle; }}; \
                 add rule ip m p iifname eth0 {protocol} dport {port} meta mark set {mark}'"
            ));
        }
        for host in HOSTS.into_iter().take(1 + self.below(4) as usize) {
            let add = self.server("-a", host);
            self.line(&format!("L {add}"));
            self.servers.push(host);
        }
        // What is not refused but lost is waited for.
        self.line(&format!("P <<'END'\ntmo 3000\ngap 5\ntarget {vip} {port}"));
        for _ in 0..3 + self.below(8) {
            self.step();
        }
        self.list();
        self.line("rstall\nEND");
        self.line(&format!("L ipvsadm -Ln --stats {}", self.service));
        self.line("L sysctl -qw net.ipv4.vs.expire_quiescent_template=0");
        if self.kind == Kind::Mark {
            self.line(&format!(
                "L ipvsadm -D {}\nL nft delete table ip m",
                self.service
            ));
        }
    }

    fn vip(&self) -> &'static str {
        match self.kind {
            Kind::Ipv4 | Kind::Mark => "169.254.179.1",
            Kind::Ipv6 => "fd00:a::1",
        }
    }

    /// The servers' port.
    fn server_port(&self) -> u16 {
        if self.is_udp { 53 } else { 80 }
    }

    /// The port that clients visit. A persistent service by mark does not change it, so it is the servers'.
    fn visited(&self) -> u16 {
        match self.kind {
            Kind::Ipv4 | Kind::Ipv6 => self.port,
            Kind::Mark => self.server_port(),
        }
    }

    fn settings(&mut self) -> String {
        self.scheduler = self.pick(self.schedulers);
        let mut settings = format!("-s {}", self.scheduler);
        let flags = ["fallback", "port", "fallback,port"];
        if matches!(self.scheduler, "sh" | "mh") && self.one_in(2) {
            let name = self.scheduler;
            let flags = self.pick(&flags).split(',');
            let flags: Vec<_> = flags.map(|flag| format!("{name}-{flag}")).collect();
            settings += &format!(" -b {}", flags.join(","));
        }
        if self.one_in(4) {
            settings += self.pick(&[" -p 60", " -p 300", " -p 60 -M "]);
            if settings.ends_with("-M ") {
                settings += match self.kind {
                    Kind::Ipv4 | Kind::Mark => "255.255.255.0",
                    Kind::Ipv6 => "124",
                };
            }
        }
        settings
    }

    /// A command that adds or edits a server.
    fn server(&mut self, option: &str, host: u8) -> String {
        let weight = if self.one_in(8) { 0 } else { 1 + self.below(6) };
        let thresholds = if self.one_in(8) {
            self.has_thresholds = true;
            self.pick(&[" -x 2", " -x 3 -y 1", " -x 4 -y 2"])
        } else {
            ""
        };
        let (service, server) = (&self.service, self.address(host));
        format!("ipvsadm {option} {service} -r {server} -m -w {weight}{thresholds}")
    }

    fn address(&self, host: u8) -> String {
        let port = self.server_port();
        match self.kind {
            Kind::Ipv4 | Kind::Mark => format!("192.168.2.{host}:{port}"),
            Kind::Ipv6 => format!("[fd00:b::{host}]:{port}"),
        }
    }

    fn step(&mut self) {
        match self.below(16) {
            0..5 => self.visits(),
            5..8 => self.connections(),
            8..14 if self.is_rigid() => self.visits(),
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

    /// Whether an edit would have the round go on elsewhere.
    fn is_rigid(&self) -> bool {
        self.has_thresholds && matches!(self.scheduler, "rr" | "wrr")
    }

    fn visits(&mut self) {
        let count = 2 + self.below(10);
        let first = 60 + self.below(12);
        let last = first + count;
        let network = match self.kind {
            Kind::Ipv4 | Kind::Mark => "169.254.179.",
            Kind::Ipv6 => "fd00:a::",
        };
        let line = match (self.is_udp, self.one_in(3)) {
            (true, true) => format!("udpsame {count}"),
            (true, false) => format!("udp {count}"),
            (false, true) => format!("seqaddr {network} {first} {last}"),
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
                // It is listed for ten seconds: afterwards in no listing.
                self.line(&format!("rstone {one}\nsleep 12000"));
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
            let (service, server) = (&self.service, self.address(host));
            self.line(&format!("sh L ipvsadm -d {service} -r {server}"));
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
        let (service, vip, port) = (&self.service, self.vip(), self.visited());
        let connections = match self.kind {
            Kind::Ipv4 | Kind::Mark => format!("{vip}:{port} "),
            Kind::Ipv6 => format!("\\[{vip}\\]:{port} "),
        };
        let list = format!(
            "sh L ipvsadm -Ln {service}\nsh L ipvsadm -Ln --persistent-conn {service}\nsh L ipvsadm -Lnc | grep '{connections}'"
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
            "-b mh-fallback,mh-port",
            "fd00:a::1",
            "-M 124",
            " -f 10",
            "meta mark set",
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
