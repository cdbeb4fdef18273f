//! What a packet costs with two servers and with thousands: as much, by the kernel's own measure of runs of
//! the programs. Only ratios are judged, and generously, for the machine may have other things to do.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::{
    abi::config,
    tables::{Line, Tables},
    verdict::Hook,
};
use ferrovs_model::Protocol;

use crate::{
    home::{Action, Home},
    object::{Object, Stage},
    packet::{ACK, Link, Packet, SYN, Transport, at},
    world::{Daemon, FRONT_MAC, FRONT_ROUTER, HTTP, Port, RIP_143, World, mac_of, service},
};

/// Servers of the large service.
const MANY: u16 = 4096;
/// Buckets of the flow table.
const BUCKETS: u32 = 32_768;
/// Pairs of measurements, and runs of one.
const ROUNDS: usize = 9;
const RUNS: u32 = 200;
/// How much more packets may cost with many servers.
const ESTABLISHED: f64 = 1.3;
/// How much more new flows may: what they read of many servers is not always in the cache.
const PICKED: f64 = 2.0;

#[test]
fn packets_and_picks_cost_the_same_with_two_servers_and_with_thousands() {
    let stage = Stage::new("ferrovs-cost");
    stage.run(|| {
        let mut few = Costed::new(&stage);
        let mut many = Costed::new(&stage);
        for scheduler in ["rr", "wrr", "sh", "dh", "mh"] {
            few.begin(scheduler, 2);
            many.begin(scheduler, MANY);
            for hook in [Hook::Xdp, Hook::Tc] {
                compare(scheduler, hook, [&mut few, &mut many]);
            }
        }
    });
}

fn compare(scheduler: &str, hook: Hook, both: [&mut Costed; 2]) {
    let [few, many] = both;
    let mut ratios = [Vec::new(), Vec::new()];
    let mut costs = Vec::new();
    for _ in 0..ROUNDS {
        let pairs = [
            [few.established(hook), many.established(hook)],
            [few.picked(hook), many.picked(hook)],
        ];
        for (ratios, [few, many]) in ratios.iter_mut().zip(pairs) {
            ratios.push(many / few);
        }
        costs.push(pairs);
    }
    let [established, picked] = ratios.map(median);
    let of = |kind: usize, size: usize| median(costs.iter().map(|all| all[kind][size]).collect());
    println!(
        "{scheduler} {hook:?}: established {:.0} ns with two servers, {:.0} with {MANY} ({established:.2}), \
         new {:.0} and {:.0} ({picked:.2})",
        of(0, 0),
        of(0, 1),
        of(1, 0),
        of(1, 1),
    );
    assert!(
        established < ESTABLISHED,
        "{scheduler} {hook:?}: {established}"
    );
    assert!(picked < PICKED, "{scheduler} {hook:?}: {picked}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The mean of the middle half: the clock is coarse, and some runs are interrupted.
fn middle(durations: impl Iterator<Item = u32>) -> f64 {
    let mut durations: Vec<u32> = durations.collect();
    durations.sort_unstable();
    let quarter = durations.len() / 4;
    let middle = &durations[quarter..durations.len() - quarter];
    f64::from(middle.iter().sum::<u32>()) / middle.len() as f64
}

/// Programs and tables with one service.
struct Costed {
    object: Object,
    /// Clients that have come.
    clients: u32,
}

impl Costed {
    fn new(stage: &Stage) -> Self {
        Self {
            object: stage.load(BUCKETS),
            clients: 0,
        }
    }

    /// Empties the tables, for a service with so many servers. They have four different weights, and are one
    /// machine with as many ports.
    fn begin(&mut self, scheduler: &'static str, servers: u16) {
        self.object.clear();
        self.clients = 0;
        let servers =
            (0..servers).map(|number| (at(RIP_143, 1000 + number), 1 + u32::from(number % 4)));
        let mut http = service(Protocol::Tcp, HTTP, &servers.collect::<Vec<_>>());
        http.scheduler = scheduler;
        let world = World {
            buckets: BUCKETS,
            services: vec![http],
            ..World::default()
        };
        Daemon::start(&self.object, &world);
        self.inject(Hook::Tc, &packet(client(0), SYN));
    }

    /// Nanoseconds for a packet of a flow that there is.
    fn established(&self, hook: Hook) -> f64 {
        let packet = packet(client(0), ACK);
        middle((0..RUNS).map(|_| self.inject(hook, &packet)))
    }

    /// Nanoseconds for the first packet of a flow.
    fn picked(&mut self, hook: Hook) -> f64 {
        let first = self.clients + 1;
        self.clients += RUNS;
        let clients = first..first + RUNS;
        middle(clients.map(|number| self.inject(hook, &packet(client(number), SYN))))
    }

    /// Has a packet forwarded; nanoseconds that it took.
    fn inject(&self, hook: Hook, packet: &[u8]) -> u32 {
        let tables = self.object.tables();
        let head = tables.config(0).unwrap();
        head.store(config::HEARTBEAT, u64::from(tables.now()));
        let front = self.object.interfaces().index(Port::Front);
        let outcome = self.object.inject(hook, front, packet).unwrap();
        assert_eq!(outcome.action, Action::Redirect);
        self.object.last_duration()
    }
}

/// All behind the router.
fn client(number: u32) -> SocketAddrV4 {
    let address = Ipv4Addr::new(203, 0, 113, (number % 250) as u8 + 1);
    at(address, 10_000 + (number / 250) as u16)
}

fn packet(client: SocketAddrV4, flags: u8) -> Vec<u8> {
    let link = Link::Ethernet {
        destination: FRONT_MAC,
        source: mac_of(FRONT_ROUTER),
    };
    let segment = Transport::Tcp {
        flags,
        sequence: 1000,
        acknowledgement: 0,
    };
    Packet::new(link, client, HTTP, segment).bytes()
}
