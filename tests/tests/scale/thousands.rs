//! A thousand services of sixteen servers each: restored, listed, forwarded, changed, taken up by another
//! daemon; and one service more than there may be.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    net::{Ipv4Addr, SocketAddrV4},
    ops::ControlFlow,
    process::{Output, Stdio},
};

use ferrovs_lab::{
    Daemon, Hook, Options, Topology, VIP, WebServers,
    http::{fetch, server_of},
};
use ferrovs_tests::ferrovs;

/// Services, at the ports from [`FIRST`].
const SERVICES: u16 = 1000;
const FIRST: u16 = 1000;
const LAST: u16 = FIRST + SERVICES - 1;
/// Servers of each.
const SERVERS: u16 = 16;
/// Services that there may be.
const MOST: u16 = 16_383;

/// The network, where the first of a service's servers can be reached in the first and the last service,
/// and all others are said to be behind a router that knows nothing of them.
pub(crate) struct Place {
    // Before the network, so that it is dropped first.
    daemon: Option<Daemon>,
    pub(crate) network: Topology,
}

impl Place {
    pub(crate) fn new() -> Self {
        assert!(
            ferrovs_lab::is_root(),
            "this test makes network namespaces and loads programs: run it as root"
        );
        let options = Options {
            hook: Hook::Tc,
            ..Options::default()
        };
        let mut network = Topology::build(options).unwrap();
        let mut go_on = |_| ControlFlow::Continue(());
        network
            .start_web_servers(&WebServers::Threads, &mut go_on)
            .unwrap();
        let router = network.servers[0].address;
        let behind = Ipv4Addr::new(10, 64, 0, 0);
        network.director.add_route(behind, 16, router).unwrap();
        let mut place = Self {
            daemon: None,
            network,
        };
        place.start();
        place
    }

    fn start(&mut self) {
        let log = self.network.directory().join("daemon.log");
        let director = &self.network.director;
        let daemon = Daemon::start(director, ferrovs(), Hook::Tc, &["--flows", "4096"], &log);
        self.daemon = Some(daemon.unwrap());
    }

    /// Another daemon takes up what this one leaves.
    pub(crate) fn restart(&mut self) {
        self.daemon.take().unwrap().kill().unwrap();
        self.start();
    }

    /// The daemon's process.
    pub(crate) fn daemon(&self) -> u32 {
        self.daemon.as_ref().unwrap().id().unwrap()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.network.director.command(ferrovs());
        command
            .args(arguments)
            .env("FERROVS_AUTOSTART", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let feeding = std::thread::spawn(move || {
            // A program that reads nothing has its reasons, which its status tells.
            let _ = stdin.write_all(input.as_bytes());
        });
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        output
    }

    /// What a command prints that must succeed and complain of nothing.
    pub(crate) fn succeed(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn server(&self, service: u16, number: u16) -> SocketAddrV4 {
        match (service, number) {
            (FIRST, 0) => self.network.servers[0].web_address(),
            (LAST, 0) => self.network.servers[1].web_address(),
            _ => nowhere((service - FIRST) * SERVERS + number),
        }
    }

    /// The commands that make all of it, in the order in which `ipvsadm -S` prints them.
    fn rules(&self) -> String {
        let mut rules = String::new();
        for service in FIRST..=LAST {
            writeln!(rules, "-A -t {VIP}:{service} -s rr").unwrap();
            for number in 0..SERVERS {
                let server = self.server(service, number);
                // Connections go where somebody answers.
                let nobody = matches!(service, FIRST | LAST) && number > 0;
                let weight = if nobody { 0 } else { 1 + number };
                writeln!(rules, "-a -t {VIP}:{service} -r {server} -m -w {weight}").unwrap();
            }
        }
        rules
    }

    /// A page of the first and of the last service, each from its one server that is there.
    fn load_pages(&self) {
        for (service, server) in [(FIRST, 0), (LAST, 1)] {
            let target = SocketAddrV4::new(VIP, service);
            let page = fetch(&self.network.client, target, "/").unwrap();
            let from = self.network.servers[server].address;
            assert_eq!(server_of(&page.text()), Some(from), "service {service}");
        }
    }
}

/// An address that nobody has.
fn nowhere(number: u16) -> SocketAddrV4 {
    let [high, low] = number.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, 64, high, low), 8080)
}

/// By service: its own line, and the lines of its servers in no order. `ipvsadm -S` prints the newest
/// server first.
fn by_service(rules: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut services: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in rules.lines() {
        let service = line.split(' ').nth(2).unwrap();
        services.entry(service).or_default().push(line);
    }
    services
        .values_mut()
        .for_each(|lines| lines.sort_unstable());
    services
}

#[test]
fn a_thousand_services_are_restored_listed_changed_and_found_again() {
    let mut place = Place::new();
    let rules = place.rules();
    place.succeed(&["ipvsadm", "-R"], &rules);
    let saved = place.succeed(&["ipvsadm", "-Sn"], "");
    assert_eq!(by_service(&saved), by_service(&rules));
    let listed = place.succeed(&["ipvsadm", "-Ln"], "");
    let lines = 3 + usize::from(SERVICES) * (1 + usize::from(SERVERS));
    assert_eq!(listed.lines().count(), lines);
    place.load_pages();

    // The same state with another weight: one line of the difference, and of the listing.
    let state = place.succeed(&["save"], "");
    let changed = state.replacen("weight = 16", "weight = 160", 1);
    let difference = place.succeed(&["restore", "--dry-run"], &changed);
    assert_eq!(difference.lines().count(), 2, "{difference}");
    place.succeed(&["restore"], &changed);
    assert_eq!(place.succeed(&["save"], ""), changed);
    let after = place.succeed(&["ipvsadm", "-Sn"], "");
    let other = saved
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new);
    let other: Vec<_> = other.collect();
    assert!(
        matches!(other[..], [(old, new)] if old.replace("-w 16", "-w 160") == new),
        "{other:?}"
    );
    place.load_pages();

    place.daemon.take().unwrap().kill().unwrap();
    place.load_pages();
    place.start();
    assert_eq!(place.succeed(&["ipvsadm", "-Sn"], ""), after);
    let figures = place.succeed(&["ipvsadm", "-Ln", "--stats", "--exact"], "");
    let conns = |service: u16| {
        let start = format!("TCP  {VIP}:{service} ");
        let line = figures.lines().find(|line| line.starts_with(&start));
        line.unwrap().split_whitespace().nth(2).unwrap()
    };
    assert_eq!([FIRST, LAST].map(conns), ["3", "3"]);
    place.load_pages();
}

#[test]
fn one_service_too_many_is_refused_by_its_limit() {
    let place = Place::new();
    // Services at these ports.
    let rules = |kind: &str, ports: std::ops::RangeInclusive<u16>| {
        let mut rules = String::new();
        for port in ports {
            writeln!(rules, "-A {kind} {VIP}:{port} -s rr").unwrap();
        }
        rules
    };
    let refusal = "No room for more: there may be 16383 services and 131071 real servers, 16384 in one service, \
                   and removed ones count while they have connections\n";
    // What fits is made, and each of the others is told.
    let output = place.run(&["ipvsadm", "-R"], &rules("-t", 1..=MOST + 500));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        refusal.repeat(500)
    );
    assert_eq!(output.status.code(), Some(255));
    let saved = place.succeed(&["ipvsadm", "-Sn"], "");
    assert_eq!(saved, rules("-t", 1..=MOST));

    // A file is made whole or not at all.
    let state = place.succeed(&["save"], "");
    let last = state.rfind("[[").unwrap();
    let (service, other) = (format!("{VIP}:{MOST}"), format!("{VIP}:{}", MOST + 1));
    assert!(state[last..].contains(&service), "{}", &state[last..]);
    let more = format!("{state}\n{}", state[last..].replace(&service, &other));
    let output = place.run(&["restore"], &more);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(refusal.trim_end()), "{said}");
    assert_eq!(place.succeed(&["ipvsadm", "-Sn"], ""), saved);

    // All of them may give way to others at once.
    place.succeed(&["ipvsadm", "-C"], "");
    let others = rules("-u", 1..=MOST);
    place.succeed(&["ipvsadm", "-R"], &others);
    assert_eq!(place.succeed(&["ipvsadm", "-Sn"], ""), others);
}
