//! Endpoints as the tables have them: of IPv4 in a word, of IPv6 as key of a map.

use std::{collections::BTreeMap, net::SocketAddr};

use ferrovs_core::abi::{
    endpoint::{Endpoint, with_port},
    filter,
    ipv6::{Address, EndpointKey},
};
use serde::{Deserialize, Serialize};

use super::Plane;
use crate::ServiceKey;

/// What the filter knows an endpoint by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub(super) enum Key {
    /// Key of the filter's table.
    V4(u64),
    /// Key of the map of IPv6 endpoints.
    V6([u64; 3]),
}

impl Key {
    /// Of what a service is for.
    pub(super) fn service(key: &ServiceKey) -> Self {
        match *key {
            ServiceKey::Address { protocol, address } => Self::virtual_(address, protocol.number()),
            ServiceKey::Mark { mark, ipv6 } => Self::V6(EndpointKey::mark(mark, ipv6).0),
        }
    }

    /// Of a virtual endpoint.
    fn virtual_(address: SocketAddr, protocol: u8) -> Self {
        match Place::of(address) {
            Place::V4(endpoint) => Self::V4(filter::virtual_key(endpoint, protocol)),
            Place::V6(address, port) => Self::V6(EndpointKey::virtual_(address, port, protocol).0),
        }
    }

    /// Of a real server's endpoint.
    pub(super) fn real(address: SocketAddr, protocol: u8) -> Self {
        match Place::of(address) {
            Place::V4(endpoint) => Self::V4(filter::real_key(endpoint, protocol)),
            Place::V6(address, port) => Self::V6(EndpointKey::real(address, port, protocol).0),
        }
    }

    /// Of a server that makes calls from this endpoint.
    pub(super) fn caller(address: SocketAddr, protocol: u8) -> EndpointKey {
        let (address, port) = match Place::of(address) {
            Place::V4(endpoint) => (Address([endpoint.address.into(), 0]), endpoint.port),
            Place::V6(address, port) => (address, port),
        };
        EndpointKey::caller(address, port, protocol)
    }

    /// The same for all ports.
    pub(super) const fn for_all_ports(self) -> Self {
        match self {
            Self::V4(key) => Self::V4(with_port(key, 0)),
            Self::V6(key) => Self::V6(EndpointKey(key).for_all_ports().0),
        }
    }
}

/// A socket address as it stands on the wire.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Of IPv4.
    V4(Endpoint),
    /// Of IPv6, with the port in wire order.
    V6(Address, u16),
}

impl Place {
    /// The same address.
    pub(super) const fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(v4) => Self::V4(Endpoint::new(v4.ip().octets(), v4.port())),
            SocketAddr::V6(v6) => Self::V6(Address::new(v6.ip().octets()), v6.port().to_be()),
        }
    }
}

/// What is in the map of IPv6 endpoints, or is to be, and what it says about that.
pub(super) type Endpoints = BTreeMap<EndpointKey, u64>;

/// Makes the map of IPv6 endpoints, which holds `known`, hold `wanted`: real servers' endpoints first, so
/// that a service can be reached only when its servers' replies are recognised. Whether all went well.
pub(super) fn write<P: Plane>(plane: &P, known: &Endpoints, wanted: &Endpoints) -> bool {
    let mut well = true;
    for real in [true, false] {
        for (&key, value) in wanted.iter().filter(|(key, _)| key.is_real() == real) {
            if known.get(&key) != Some(value) {
                well &= plane.set_endpoint(key, Some(*value));
            }
        }
    }
    for &key in known.keys().filter(|key| !wanted.contains_key(key)) {
        well &= plane.set_endpoint(key, None);
    }
    well
}
