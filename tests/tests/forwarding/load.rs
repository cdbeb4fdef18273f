//! Load that notices every failure, seen from three sides: by those who ask, on the client's wire, and in
//! the director's list of connections.

use std::{collections::BTreeSet, net::SocketAddrV4, time::Duration};

use ferrovs_lab::{
    Capture, Held, Storm,
    load::{HeldReport, StormReport},
};

use crate::stage::{Stage, now, sized};

/// The longest time that may pass without a packet from the virtual address. The full form holds the
/// figure that is promised. The short one, which also runs on machines that are busy with something else
/// for a moment, only catches a data plane that stands still until somebody mends it.
fn longest_gap() -> Duration {
    sized(Duration::from_secs(1), Duration::from_millis(200))
}

/// How much load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    /// New connections a second.
    pub(crate) rate: u32,
    /// Connections that are held; each sends once a second.
    pub(crate) held: usize,
}

/// Load under way.
pub(crate) struct Load {
    storm: Storm,
    held: Held,
    capture: Capture,
    begin: Duration,
    repeated: u64,
}

/// What became of it.
pub(crate) struct Outcome {
    pub(crate) storm: StormReport,
    pub(crate) held: HeldReport,
    /// The longest time without a packet from the virtual address.
    pub(crate) gap: Duration,
    /// Held connections that the director did not list as ESTABLISHED at the end.
    pub(crate) unlisted: Vec<SocketAddrV4>,
}

impl Load {
    pub(crate) fn start(stage: &Stage, amount: Amount) -> Self {
        let (client, service) = (&stage.topology.client, stage.topology.service());
        let held = Held::open(client, service, amount.held, Duration::from_secs(1)).unwrap();
        let capture = stage.capture();
        let storm = Storm::start(client, service, amount.rate).unwrap();
        Self {
            storm,
            held,
            capture,
            begin: now(),
            repeated: repeated(stage),
        }
    }

    /// Ends it while a daemon is there to be asked for its connections.
    pub(crate) fn finish(self, stage: &Stage) -> Outcome {
        let end = now();
        let storm = self.storm.stop().unwrap();
        let listed = established(&stage.ipvsadm("-L -n -c"));
        let sources = self.held.sources().iter().copied();
        let unlisted = sources.filter(|source| !listed.contains(source)).collect();
        let held = self.held.close().unwrap();
        let seen = self.capture.stop().unwrap();
        assert_eq!(seen.dropped, 0, "the capture missed packets");
        let service = stage.topology.service();
        let gap = seen.longest_gap(|packet| {
            packet.direction.source == service && (self.begin..end).contains(&packet.time)
        });
        let outcome = Outcome {
            storm,
            held,
            gap: gap.unwrap(),
            unlisted,
        };
        println!(
            "{}: {} s, {} pages, {} failed, slowest {:?}; {} held, {} cut, {} of {} messages came back, \
             slowest {:?}; {} segments sent again; longest gap {:?}",
            stage.hook,
            (end - self.begin).as_secs(),
            outcome.storm.loaded(),
            outcome.storm.failures.len(),
            outcome.storm.slowest,
            outcome.held.opened,
            outcome.held.cut.len(),
            outcome.held.echoed,
            outcome.held.sent,
            outcome.held.slowest,
            repeated(stage) - self.repeated,
            outcome.gap,
        );
        outcome
    }
}

impl Outcome {
    /// Ends the test unless every page came, every connection lived, every message came back, and the
    /// director knows it.
    pub(crate) fn assert_whole(&self, stage: &Stage) {
        assert!(self.storm.loaded() > 0, "there was no load");
        assert_eq!(self.storm.failures, [], "pages failed");
        for server in &stage.topology.servers {
            let pages = self.storm.pages.get(&server.address);
            assert!(
                pages.is_some_and(|&pages| pages > 0),
                "no page of {}",
                server.address
            );
        }
        assert!(
            self.held.cut.is_empty(),
            "connections were cut: {:?}",
            self.held.cut
        );
        assert_eq!(self.held.echoed, self.held.sent, "messages were lost");
        assert_eq!(self.unlisted, [], "not listed as ESTABLISHED");
        assert_eq!(stage.forwarded_by_kernel(), 0);
    }

    /// Ends the test if the stream of answers stood still.
    pub(crate) fn assert_steady(&self) {
        assert!(
            self.gap <= longest_gap(),
            "no answer passed for {:?}",
            self.gap
        );
    }
}

/// How many segments the client and the servers have sent again: because one was lost, or because this
/// machine was busy and its acknowledgement late.
fn repeated(stage: &Stage) -> u64 {
    let servers = stage.topology.servers.iter();
    let ends = servers.map(|server| &server.namespace);
    ends.chain([&stage.topology.client])
        .map(|end| end.counter("Tcp", "RetransSegs").unwrap())
        .sum()
}

/// The clients of the connections that a listing with `-c` shows as ESTABLISHED.
fn established(listed: &str) -> BTreeSet<SocketAddrV4> {
    // pro expire state source virtual destination
    let words = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words.get(2) == Some(&"ESTABLISHED"))
        .map(|words| words[3].parse().unwrap())
        .collect()
}
