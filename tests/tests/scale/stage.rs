//! The demonstration's network, with a director that is asked for more than in the demonstration.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use ferrovs_api::{Status, client::Client};
use ferrovs_lab::{CLIENT, Daemon, Hook, Options, Topology, VIP, ipvsadm};
use ferrovs_model::{Change, Destination, Protocol, ServiceKey, ServiceSettings};
use ferrovs_tests::ferrovs;

use crate::packets::{Cannon, Counter};

/// Reasons for which a new flow is refused, or another one gives way to it.
const REFUSALS: &[&str] = &[
    "no-destination",
    "table-full",
    "contended",
    "ports-exhausted",
    "no-route",
];

/// Whether the tests are to run in their whole length.
pub(crate) fn is_full() -> bool {
    env::var_os("FERROVS_FULL").is_some_and(|value| value == "1")
}

/// The network, and the daemon when it runs.
pub(crate) struct Stage {
    // Before the network, so that it is dropped first.
    daemon: Option<Daemon>,
    pub(crate) network: Topology,
    flows: String,
}

impl Stage {
    /// With tables for so many flows.
    pub(crate) fn new(hook: Hook, flows: u32) -> Self {
        assert!(
            ferrovs_lab::is_root(),
            "this test makes network namespaces and loads programs: run it as root"
        );
        // Cables that suit XDP suit tc too.
        let network = Topology::build(Options {
            hook: Hook::Xdp,
            ..Options::default()
        });
        let mut stage = Self {
            daemon: None,
            network: network.unwrap(),
            flows: flows.to_string(),
        };
        stage.start(hook);
        stage
    }

    fn start(&mut self, hook: Hook) {
        let log = self.network.directory().join("daemon.log");
        let arguments = ["--flows", &self.flows];
        let daemon = Daemon::start(&self.network.director, ferrovs(), hook, &arguments, &log);
        self.daemon = Some(daemon.unwrap());
    }

    /// Another daemon with another hook takes up the same tables.
    pub(crate) fn change_hook(&mut self, hook: Hook) {
        self.daemon.take().unwrap().stop().unwrap();
        self.start(hook);
    }

    /// The daemon's process.
    pub(crate) fn daemon(&self) -> u32 {
        self.daemon.as_ref().and_then(Daemon::id).unwrap()
    }

    /// Runs `ipvsadm` in the director; what it prints.
    pub(crate) fn ipvsadm(&self, arguments: &str) -> String {
        let words: Vec<_> = arguments.split(' ').collect();
        let output = ipvsadm(&self.network.director, ferrovs(), &words).unwrap();
        assert!(output.status.success(), "ipvsadm {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Adds UDP services at these ports of the VIP. Each has all real servers, whose port is given.
    pub(crate) fn add_services(&self, ports: &[u16], server_port: impl Fn(u16) -> u16) {
        let mut changes = Vec::new();
        for &port in ports {
            let service = ServiceKey::address(Protocol::Udp, (VIP, port).into());
            changes.push(Change::AddService {
                service,
                settings: ServiceSettings::new("rr"),
            });
            let servers = self.network.servers.iter();
            changes.extend(servers.map(|server| Change::AddDestination {
                service,
                destination: Destination::masq(SocketAddr::from((
                    server.address,
                    server_port(port),
                ))),
            }));
        }
        let director = &self.network.director;
        let applied = director.run(|| Client::connect()?.apply(&changes));
        applied.unwrap().unwrap();
    }

    pub(crate) fn status(&self) -> Status {
        let director = &self.network.director;
        let asked = director.run(|| Client::connect()?.status());
        asked.unwrap().unwrap()
    }

    /// How often something happened beside plain forwarding.
    pub(crate) fn events(&self, reason: &str) -> u64 {
        let events = self.status().events;
        let found = events.iter().find(|event| event.reason == reason);
        found.map_or(0, |event| event.count)
    }

    /// What was refused, and why.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let events = self.status().events.into_iter();
        events
            .filter(|event| REFUSALS.contains(&event.reason.as_str()))
            .map(|event| format!("{} {}", event.count, event.reason))
            .collect()
    }

    /// Has the real servers swallow what comes to these ports, so that they do not complain.
    pub(crate) fn swallow(&self, ports: &[u16]) -> Vec<UdpSocket> {
        let mut sockets = Vec::new();
        for server in &self.network.servers {
            let bind = || {
                let bind = |&port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port));
                ports.iter().map(bind).collect::<Result<Vec<_>, _>>()
            };
            sockets.extend(server.namespace.run(bind).unwrap().unwrap());
        }
        sockets
    }

    /// Sends from the client's cable to the director.
    pub(crate) fn cannon(&self) -> Cannon {
        let director = self.network.director.link("outer").unwrap().mac().unwrap();
        Cannon::new(&self.network.client.link("eth0").unwrap(), director)
    }

    /// Counts what arrives at the real servers.
    pub(crate) fn counter(&self) -> Counter {
        let servers = self.network.servers.iter();
        Counter::new(servers.map(|server| server.namespace.link("eth0").unwrap()))
    }

    /// Returns when packets of the client are no longer left to the slow way, for which the daemon
    /// first has to meet the real servers. Makes a flow to `target` with each.
    pub(crate) fn await_fast_way(&self, target: SocketAddrV4, counter: &mut Counter) {
        let mut cannon = self.cannon();
        let slow = || self.events("deferred") + self.events("resolved");
        let begin = Instant::now();
        loop {
            let before = slow();
            // As many clients as servers, so that each server is tried.
            let probes = (0..self.network.servers.len() as u16)
                .map(|number| cannon.udp(SocketAddrV4::new(CLIENT, 2 + number), target));
            let probes: Vec<_> = probes.collect();
            let lost = cannon.deliver(probes, counter);
            if lost == 0 && slow() == before {
                return;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "packets still take the slow way: {:?}",
                self.status()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}
