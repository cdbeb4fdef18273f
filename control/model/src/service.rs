//! Virtual services.

use std::{cmp::Ordering, fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Destination;

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
}

impl Protocol {
    /// The IP protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// The name in listings: `TCP` or `UDP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
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
/// Keys are ordered as `ipvsadm` lists services: IPv4 before IPv6, then by protocol, address and
/// port.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ServiceKey {
    /// Packets to one address and port of one protocol.
    Address {
        /// The protocol.
        protocol: Protocol,
        /// The virtual address (VIP) and port.
        address: SocketAddr,
    },
}

impl ServiceKey {
    /// The service for `protocol` at `address`.
    #[must_use]
    pub const fn address(protocol: Protocol, address: SocketAddr) -> Self {
        Self::Address { protocol, address }
    }

    const fn rank(&self) -> (bool, Protocol, SocketAddr) {
        let Self::Address { protocol, address } = *self;
        (address.is_ipv6(), protocol, address)
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
    /// `TCP 10.0.0.1:80`, for messages and logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Address { protocol, address } = self;
        write!(f, "{protocol} {address}")
    }
}

/// How a service behaves: all that `ipvsadm -A` and `-E` set besides the key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceSettings {
    /// The scheduler's name. In a [`crate::Wanted`] that this version made it names one of
    /// [`crate::schedulers`]; one kept by a newer version may name another.
    pub scheduler: String,
}

/// One virtual service and its real servers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Service {
    /// Which packets it is for.
    pub key: ServiceKey,
    /// How it behaves.
    #[serde(flatten)]
    pub settings: ServiceSettings,
    /// Its real servers, the one added last first. Schedulers visit them in this order, as in
    /// IPVS, where a new one enters at the head of the list (`__ip_vs_update_dest`).
    pub destinations: Vec<Destination>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(protocol: Protocol, address: &str) -> ServiceKey {
        ServiceKey::address(protocol, address.parse().unwrap())
    }

    #[test]
    fn keys_are_ordered_by_family_protocol_address_and_port() {
        let ordered = [
            key(Protocol::Tcp, "10.0.0.1:80"),
            key(Protocol::Tcp, "10.0.0.1:443"),
            key(Protocol::Tcp, "10.0.0.2:80"),
            key(Protocol::Udp, "9.0.0.1:53"),
            key(Protocol::Tcp, "[2001:db8::1]:80"),
            key(Protocol::Udp, "[::1]:53"),
        ];
        assert!(ordered.is_sorted());
    }

    #[test]
    fn the_json_of_a_service_is_flat_and_readable() {
        let service = Service {
            key: key(Protocol::Tcp, "10.0.0.1:80"),
            settings: ServiceSettings {
                scheduler: "rr".to_owned(),
            },
            destinations: Vec::new(),
        };
        let json = r#"{"key":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"scheduler":"rr","destinations":[]}"#;
        assert_eq!(serde_json::to_string(&service).unwrap(), json);
        assert_eq!(serde_json::from_str::<Service>(json).unwrap(), service);
    }
}
