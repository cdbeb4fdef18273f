//! Virtual services.

use std::{cmp::Ordering, fmt, net::SocketAddr};

use ferrovs_core::abi::endpoint::FTP;
use serde::{Deserialize, Serialize};

use crate::{Destination, ServiceSettings, history::History};

/// A transport protocol that can be balanced.
///
/// The order is the one in which `ipvsadm` lists services (libipvs, `ipvs_cmp_services`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP, IP protocol 6.
    Tcp,
    /// UDP, IP protocol 17.
    Udp,
    /// SCTP, IP protocol 132.
    Sctp,
}

impl Protocol {
    /// The IP protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// It alone, as a list.
    const fn as_slice(self) -> &'static [Self] {
        match self {
            Self::Tcp => &[Self::Tcp],
            Self::Udp => &[Self::Udp],
            Self::Sctp => &[Self::Sctp],
        }
    }

    /// The name in listings: `TCP`, `UDP` or `SCTP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What tells one virtual service from another: the packets it is for.
///
/// Keys have an order that people find their way in: IPv4 before IPv6, then by protocol, address and
/// port; firewall marks last.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ServiceKey {
    /// Packets to one address and port of one protocol; port 0 stands for all ports that no other
    /// service has.
    Address {
        /// The protocol.
        protocol: Protocol,
        /// The virtual address (VIP) and port.
        address: SocketAddr,
    },
    /// Packets of one family that carry a firewall mark, whatever their protocol and port.
    Mark {
        /// The mark, never 0.
        mark: u32,
        /// Whether it is for IPv6.
        #[serde(default, skip_serializing_if = "is_false")]
        ipv6: bool,
    },
}

impl ServiceKey {
    /// The service for `protocol` at `address`.
    #[must_use]
    pub const fn address(protocol: Protocol, address: SocketAddr) -> Self {
        Self::Address { protocol, address }
    }

    /// Protocol and virtual endpoint, where it has them.
    #[must_use]
    pub const fn endpoint(&self) -> Option<(Protocol, SocketAddr)> {
        match *self {
            Self::Address { protocol, address } => Some((protocol, address)),
            Self::Mark { .. } => None,
        }
    }

    /// The protocols of its packets: of a mark, all that the data plane balances.
    #[must_use]
    pub fn protocols(&self) -> &'static [Protocol] {
        match self {
            Self::Address { protocol, .. } => protocol.as_slice(),
            Self::Mark { .. } => &[Protocol::Tcp, Protocol::Udp, Protocol::Sctp],
        }
    }

    /// Its port; 0 for a service for all ports, and for one by mark (`svc->port`).
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Address { address, .. } => address.port(),
            Self::Mark { .. } => 0,
        }
    }

    /// Whether packets to other ports than its own may be for it: it is for all ports, or FTP's, whose data connections
    /// go to other ports (`ip_vs_service_find`).
    #[must_use]
    pub const fn is_for_other_ports(&self) -> bool {
        match *self {
            Self::Address { protocol, address } => {
                address.port() == 0 || matches!(protocol, Protocol::Tcp) && address.port() == FTP
            }
            Self::Mark { .. } => true,
        }
    }

    /// Whether it is for IPv6.
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        match *self {
            Self::Address { address, .. } => address.is_ipv6(),
            Self::Mark { ipv6, .. } => ipv6,
        }
    }

    /// What it is sorted by: everything that one kind has and the other lacks comes as `None`.
    const fn rank(&self) -> (Option<u32>, bool, Option<(Protocol, SocketAddr)>) {
        let mark = match *self {
            Self::Address { .. } => None,
            Self::Mark { mark, .. } => Some(mark),
        };
        (mark, self.is_ipv6(), self.endpoint())
    }
}

impl Ord for ServiceKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for ServiceKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ServiceKey {
    /// `TCP 10.0.0.1:80`, `FWM 7` or `FWM 7 IPv6`, for messages and logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address } => write!(f, "{protocol} {address}"),
            Self::Mark { mark, ipv6: false } => write!(f, "FWM {mark}"),
            Self::Mark { mark, ipv6: true } => write!(f, "FWM {mark} IPv6"),
        }
    }
}

/// Keeps what is not so out of JSON.
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

/// One virtual service and its real servers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Service {
    /// Which packets it is for.
    pub key: ServiceKey,
    /// How it behaves.
    #[serde(flatten)]
    pub settings: ServiceSettings,
    /// How many services had been added before it, ever. Listings in the kernel's
    /// order need it, and it tells a service from one with the same key that was deleted.
    #[serde(default)]
    pub added: u64,
    /// What its scheduler remembers of edits.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub history: History,
    /// Its real servers, the one added last first. Schedulers visit them in this order, as in
    /// IPVS, where a new one enters at the head of the list (`__ip_vs_update_dest`).
    pub destinations: Vec<Destination>,
}

impl Service {
    /// Its servers have been edited.
    pub(crate) fn edited(&mut self) {
        let scheduler = &self.settings.scheduler;
        self.history.edit(scheduler, &self.destinations);
    }

    /// It is the service that `past` was, with other settings and servers perhaps.
    pub(crate) fn resume(&mut self, past: &Self) {
        self.history = past.history.clone();
        self.history.rounds.clear();
        for old in &past.destinations {
            let mut servers = self.destinations.iter();
            match servers.find(|new| new.address == old.address) {
                Some(new) => self.history.weigh(new.address, old.weight, new.weight),
                None => self.history.remove(old.address),
            }
        }
        if self.settings.scheduler != past.settings.scheduler {
            let scheduler = &self.settings.scheduler;
            self.history.bind(scheduler, &self.destinations);
        } else if self.destinations != past.destinations {
            self.edited();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(protocol: Protocol, address: &str) -> ServiceKey {
        ServiceKey::address(protocol, address.parse().unwrap())
    }

    const fn mark(mark: u32, ipv6: bool) -> ServiceKey {
        ServiceKey::Mark { mark, ipv6 }
    }

    #[test]
    fn keys_are_ordered_by_family_protocol_address_and_port() {
        let ordered = [
            key(Protocol::Tcp, "10.0.0.1:80"),
            key(Protocol::Tcp, "10.0.0.1:443"),
            key(Protocol::Tcp, "10.0.0.2:80"),
            key(Protocol::Udp, "9.0.0.1:53"),
            key(Protocol::Sctp, "9.0.0.1:53"),
            key(Protocol::Tcp, "[2001:db8::1]:80"),
            key(Protocol::Udp, "[::1]:53"),
            mark(1, false),
            mark(1, true),
            mark(u32::MAX, false),
        ];
        assert!(ordered.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn the_json_of_a_service_is_flat_and_readable() {
        let service = |key, json: &str| {
            let service = Service {
                key,
                settings: ServiceSettings::new("rr"),
                added: 3,
                history: History::default(),
                destinations: Vec::new(),
            };
            assert_eq!(serde_json::to_string(&service).unwrap(), json);
            assert_eq!(serde_json::from_str::<Service>(json).unwrap(), service);
        };
        service(
            key(Protocol::Tcp, "10.0.0.1:80"),
            r#"{"key":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"scheduler":"rr","added":3,"destinations":[]}"#,
        );
        service(
            mark(7, false),
            r#"{"key":{"kind":"mark","mark":7},"scheduler":"rr","added":3,"destinations":[]}"#,
        );
        service(
            mark(7, true),
            r#"{"key":{"kind":"mark","mark":7,"ipv6":true},"scheduler":"rr","added":3,"destinations":[]}"#,
        );
    }
}
