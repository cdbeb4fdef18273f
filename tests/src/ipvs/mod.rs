//! The kernel's IPVS as plainly as it can be told: what the data plane is checked against.
//!
//! It decides by itself alone and shares nothing with the code that it checks: lists are scanned, numbers
//! are exact, every decision is where the kernel makes it. Each file names the file of
//! net/netfilter/ipvs (Linux 6.12) that it tells; where that and the recordings of `fixtures/behaviour`
//! differ, the recordings are right, and `tests/ipvs_model` replays them.
//!
//! A packet goes in, by [`Ipvs::packet`], and what becomes of it comes out. Commands are what `ipvsadm`
//! asks the kernel for ([`Ipvs::add_service`] and so on). Time is virtual, in milliseconds, and stands still
//! until [`Ipvs::advance`].
//!
//! Left out: ICMP, fragments, more than one chunk in a packet of SCTP, helpers for FTP and SIP, synchronisation, the defence against
//! floods, conntrack, `cache_bypass`, and servers on the director itself.

mod conn;
mod control;
mod dest;
mod expiry;
mod packet;
mod request;
mod sched;
mod schedule;
pub mod sctp;
mod service;
mod tcp;
mod template;

use std::collections::VecDeque;

pub use conn::Conn;
pub use control::Refusal;
pub use dest::{Dest, Forwarding, Server};
pub use packet::{ACK, FIN, Packet, Protocol, RST, SYN, Verdict};
pub use sched::{Flags, SCHEDULERS, twos};
pub use service::{Key, Persistence, Service, Settings, Stats};
pub use tcp::State;

/// Milliseconds in a second.
pub const SECOND: u64 = 1000;

/// The settings under `/proc/sys/net/ipv4/vs` that the model knows.
#[derive(Clone, Copy, Debug)]
pub struct Sysctls {
    /// Whether a packet ends its connection when the server is gone (`expire_nodest_conn`).
    pub expire_nodest_conn: bool,
    /// Whether clients leave a server of weight 0 in spite of persistence
    /// (`expire_quiescent_template`).
    pub expire_quiescent_template: bool,
    /// Whether a client may open a connection anew whose entry is at its end (`conn_reuse_mode`): bit 0
    /// where that is certain, bit 1 also where only one direction is seen.
    pub conn_reuse_mode: u32,
    /// Whether any segment of TCP may open a connection but one with RST (`sloppy_tcp`).
    pub sloppy_tcp: bool,
    /// Whether any packet of SCTP may open an association but one with ABORT (`sloppy_sctp`).
    pub sloppy_sctp: bool,
}

impl Default for Sysctls {
    fn default() -> Self {
        Self {
            expire_nodest_conn: false,
            expire_quiescent_template: false,
            conn_reuse_mode: 1,
            sloppy_tcp: false,
            sloppy_sctp: false,
        }
    }
}

/// One network namespace's IPVS.
#[derive(Debug)]
pub struct Ipvs {
    /// Settings, to be changed at any time.
    pub sysctls: Sysctls,
    /// Random numbers to come, for the one scheduler that draws some; 0 when there are none left.
    pub dice: VecDeque<u64>,
    timeouts: tcp::Timeouts,
    now: u64,
    services: Vec<Service>,
    /// All servers there ever were. The place in here is a server's number.
    dests: Vec<Dest>,
    /// The table of connections and templates, newest last: a look-up begins at the end, as the kernel
    /// puts new ones at the head of their row.
    conns: Vec<Conn>,
    total: Stats,
    /// When the trash is looked through next; none while it is empty.
    next_trash_round: Option<u64>,
    services_ever: u64,
    conns_ever: u64,
}

impl Default for Ipvs {
    fn default() -> Self {
        Self::new()
    }
}

impl Ipvs {
    /// An empty table, at time 0.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sysctls: Sysctls::default(),
            dice: VecDeque::new(),
            timeouts: tcp::Timeouts::default(),
            now: 0,
            services: Vec::new(),
            dests: Vec::new(),
            conns: Vec::new(),
            total: Stats::default(),
            next_trash_round: None,
            services_ever: 0,
            conns_ever: 0,
        }
    }

    /// Milliseconds since the beginning.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// All services, the oldest first.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service with this key.
    #[must_use]
    pub fn service(&self, key: &Key) -> Option<&Service> {
        self.services.iter().find(|service| service.key == *key)
    }

    /// The service that a client's packet is for.
    #[must_use]
    pub fn service_for(&self, packet: &Packet) -> Option<&Service> {
        self.service_of(packet).map(|at| &self.services[at])
    }

    /// The servers of a service, the newest first; none if there is no such service.
    #[must_use]
    pub fn servers(&self, key: &Key) -> Vec<&Dest> {
        let service = self.service(key);
        let list = service.map_or(&[][..], |service| &service.list);
        list.iter().map(|&dest| &self.dests[dest]).collect()
    }

    /// All connections and templates, the oldest first.
    #[must_use]
    pub fn conns(&self) -> &[Conn] {
        &self.conns
    }

    /// How many connections and templates there ever were.
    #[must_use]
    pub const fn ever_made(&self) -> u64 {
        self.conns_ever
    }

    /// The connection of a client's packet.
    #[must_use]
    pub fn connection(&self, packet: &Packet) -> Option<&Conn> {
        self.find_in(packet).map(|at| &self.conns[at])
    }

    /// The server of a connection, also one that was taken away.
    #[must_use]
    pub fn server_of(&self, conn: &Conn) -> &Dest {
        &self.dests[conn.dest]
    }

    /// Servers that were taken away from a service with this key, and are remembered.
    pub fn removed<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Dest> {
        let removed = self.dests.iter().filter(|dest| dest.is_in_trash());
        removed.filter(|dest| dest.key == *key)
    }

    /// What went through all services.
    #[must_use]
    pub const fn total(&self) -> Stats {
        self.total
    }
}
