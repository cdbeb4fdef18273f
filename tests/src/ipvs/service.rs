//! Virtual services (`struct ip_vs_service`).

use std::net::{IpAddr, SocketAddr};

use super::{
    Ipvs, Packet, Protocol,
    sched::{Flags, Schedule},
};

/// FTP's port: its data connections go to other ports.
pub(super) const FTP: u16 = 21;
/// Below this port FTP has no data connections (`ip_unprivileged_port_start`).
const UNPRIVILEGED: u16 = 1024;

/// What a service is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Key {
    /// A protocol's packets to an address; port 0 stands for all ports.
    Address(Protocol, SocketAddr),
    /// Packets that carry a firewall mark.
    Mark {
        /// The mark, not 0.
        mark: u32,
        /// Whether it is for IPv6.
        ipv6: bool,
    },
}

impl Key {
    /// Whether it is for IPv6.
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        match self {
            Self::Address(_, address) => address.is_ipv6(),
            Self::Mark { ipv6, .. } => *ipv6,
        }
    }

    /// The mark; 0 for a service by address (`svc->fwmark`).
    pub(super) const fn mark(&self) -> u32 {
        match self {
            Self::Address(..) => 0,
            Self::Mark { mark, .. } => *mark,
        }
    }

    /// The port; 0 for a service by mark (`svc->port`).
    pub(super) const fn port(&self) -> u16 {
        match self {
            Self::Address(_, address) => address.port(),
            Self::Mark { .. } => 0,
        }
    }
}

/// Counters of a server, of a service, or of all (`struct ip_vs_kstats`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets to servers.
    pub in_packets: u64,
    /// Packets to clients.
    pub out_packets: u64,
    /// Bytes to servers.
    pub in_bytes: u64,
    /// Bytes to clients.
    pub out_bytes: u64,
}

/// How clients stay with their server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Persistence {
    /// Seconds after the last connection.
    pub timeout: u64,
    /// What of a client's address counts: a mask of IPv4, a prefix length of IPv6.
    pub netmask: u32,
}

/// All that `-A` and `-E` set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The scheduler's name, one of [`super::SCHEDULERS`] or `none`.
    pub scheduler: &'static str,
    /// The scheduler's flags.
    pub flags: Flags,
    /// Whether clients stay with their server.
    pub persistence: Option<Persistence>,
    /// Whether not clients stay but each of their calls: the persistence engine is sip.
    pub sip: bool,
    /// Whether each datagram is scheduled for itself.
    pub one_packet: bool,
}

impl Settings {
    /// A scheduler and nothing else.
    #[must_use]
    pub const fn new(scheduler: &'static str) -> Self {
        Self {
            scheduler,
            flags: Flags::NONE,
            persistence: None,
            sip: false,
            one_packet: false,
        }
    }
}

/// A virtual service.
#[derive(Debug)]
pub struct Service {
    /// What it is for.
    pub key: Key,
    /// How it behaves.
    pub settings: Settings,
    /// What went through it.
    pub stats: Stats,
    /// How many services there had been before it: another one with the same key has another.
    pub(super) number: u64,
    /// Numbers of its servers, the newest first.
    pub(super) list: Vec<usize>,
    /// Where its scheduler is.
    pub(super) schedule: Box<dyn Schedule>,
}

impl Ipvs {
    /// The place of the service that a packet is for (`ip_vs_service_find`).
    pub(super) fn service_of(&self, packet: &Packet) -> Option<usize> {
        let place = |key: Key| self.services.iter().position(|one| one.key == key);
        let at = |port| {
            let address = SocketAddr::new(packet.destination.ip(), port);
            place(Key::Address(packet.protocol, address))
        };
        let marked = || {
            place(Key::Mark {
                mark: packet.mark,
                ipv6: packet.destination.is_ipv6(),
            })
        };
        let port = packet.destination.port();
        let may_be_ftp = packet.protocol == Protocol::Tcp && port >= UNPRIVILEGED;
        (packet.mark != 0)
            .then(marked)
            .flatten()
            .or_else(|| at(port))
            .or_else(|| may_be_ftp.then(|| at(FTP)).flatten())
            .or_else(|| at(0))
    }

    /// Whether there is a service of this family: without one, the kernel does not even look at packets
    /// (`ip_vs_register_hooks`).
    pub(super) fn is_hooked(&self, address: IpAddr) -> bool {
        let mut services = self.services.iter();
        services.any(|service| service.key.is_ipv6() == address.is_ipv6())
    }
}
