//! Which server gets a new connection: one file for each scheduler, as in the kernel.

mod dh;
mod fo;
mod hash;
mod lblc;
mod lblcr;
mod lc;
mod mh;
mod nq;
mod ovf;
mod rr;
mod sed;
mod sh;
pub mod twos;
mod wlc;
mod wrr;

use std::{collections::VecDeque, fmt::Debug};

use super::{Dest, Packet};

/// The schedulers' names.
pub const SCHEDULERS: [&str; 14] = [
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos",
];

/// A scheduler's flags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flags {
    /// `sh-fallback`, `mh-fallback`: try others when the server that was found takes nobody.
    pub fallback: bool,
    /// `sh-port`, `mh-port`: the client's port counts too.
    pub port: bool,
}

impl Flags {
    /// No flags.
    pub const NONE: Self = Self {
        fallback: false,
        port: false,
    };
}

/// What a scheduler decides by.
pub(super) struct Sight<'a> {
    /// All servers there ever were, by number.
    pub(super) dests: &'a [Dest],
    /// Numbers of the service's servers, the newest first.
    pub(super) list: &'a [usize],
    /// The client's packet.
    pub(super) packet: &'a Packet,
    /// The scheduler's flags.
    pub(super) flags: Flags,
    /// Milliseconds.
    pub(super) now: u64,
}

impl<'a> Sight<'a> {
    /// The service's servers, the newest first.
    fn servers(&self) -> Vec<&'a Dest> {
        self.list.iter().map(|&dest| &self.dests[dest]).collect()
    }

    /// The client's port, if it counts.
    fn client_port(&self) -> u16 {
        if self.flags.port {
            self.packet.source.port()
        } else {
            0
        }
    }
}

/// A scheduler and what it remembers (`struct ip_vs_scheduler`, `svc->sched_data`).
pub(super) trait Schedule: Debug {
    /// The number of the server that gets the connection.
    fn pick(&mut self, sight: &Sight<'_>, dice: &mut VecDeque<u64>) -> Option<usize>;

    /// A server was added, edited or taken away; these are there now.
    fn changed(&mut self, _servers: &[&Dest]) {}

    /// A server was taken away that stood behind `before`, or at the head of the list.
    fn removed(&mut self, _dest: usize, _before: Option<usize>) {}

    /// Whether it remembers a server, also one that is taken away.
    fn remembers(&self, _dest: usize) -> bool {
        false
    }

    /// When it wants to be called again.
    fn next_tick(&self) -> Option<u64> {
        None
    }

    /// Time has gone on.
    fn tick(&mut self, _now: u64) {}
}

/// A scheduler by its name, for these servers.
///
/// # Panics
/// When there is no such scheduler.
pub(super) fn new(name: &str, servers: &[&Dest], now: u64) -> Box<dyn Schedule> {
    let mut schedule: Box<dyn Schedule> = match name {
        "none" => Box::new(Nobody),
        "rr" => Box::new(rr::RoundRobin::default()),
        "wrr" => Box::new(wrr::WeightedRoundRobin::new(servers)),
        "lc" => Box::new(lc::LeastConnections),
        "wlc" => Box::new(wlc::WeightedLeastConnections),
        "lblc" => Box::new(lblc::LocalityBased::new(now)),
        "lblcr" => Box::new(lblcr::LocalityBasedReplicated::new(now)),
        "dh" => Box::new(dh::DestinationHashing::default()),
        "sh" => Box::new(sh::SourceHashing::default()),
        "sed" => Box::new(sed::ShortestExpectedDelay),
        "nq" => Box::new(nq::NeverQueue),
        "fo" => Box::new(fo::Failover),
        "ovf" => Box::new(ovf::Overflow),
        "mh" => Box::new(mh::Maglev::default()),
        "twos" => Box::new(twos::PowerOfTwoChoices),
        other => panic!("there is no scheduler {other}"),
    };
    schedule.changed(servers);
    schedule
}

/// No scheduler: nobody gets anything.
#[derive(Debug)]
struct Nobody;

impl Schedule for Nobody {
    fn pick(&mut self, _: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        None
    }
}
