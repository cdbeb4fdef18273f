//! The ledger: which numbers of the tables are whose.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, SocketAddrV4},
};

use ferrovs_core::abi::endpoint::Endpoint;
use serde::{Deserialize, Serialize};

use super::{Figures, Plane, rotation::Rotation};
use crate::ServiceKey;

/// Everything the tables hold that the wanted state does not say. It is stored beside it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ledger {
    /// Present and removed services, the oldest first.
    pub(super) services: Vec<ServiceRecord>,
    /// Present and removed destinations of all services, the oldest first; one that comes back is as
    /// old as it was.
    pub(super) dests: Vec<DestRecord>,
    /// Filter keys of real servers' endpoints that have served more than one service. A flow made at
    /// that time may need its pointer until it ends, so an endpoint stays here until no service
    /// remembers it.
    pub(super) shared: BTreeSet<u64>,
}

/// A service of the tables.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceRecord {
    /// Its number in the tables, from 1.
    pub number: u16,
    /// Which service it is.
    pub key: ServiceKey,
    /// Whether it is wanted now; a removed one is kept while it has servers with flows.
    pub present: bool,
    /// Numbers of its present destinations, in list order.
    pub(super) order: Vec<u32>,
    /// Where its scheduler is.
    pub(super) rotation: Rotation,
    /// Figures of destinations that are remembered no longer.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) departed: Figures,
}

/// A destination of the tables.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DestRecord {
    /// Its number in the tables, from 1.
    pub number: u32,
    /// Number of its service.
    pub service: u16,
    /// Its address as the administrator gave it; port 0 means the service's.
    pub address: SocketAddr,
    /// Where its packets go.
    pub endpoint: SocketAddr,
    /// Whether it is wanted now; a removed one is kept while it has flows.
    pub present: bool,
    /// Tick since which a removed one has been without flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idle_since: Option<u32>,
    /// What its counters said when it was last set to zero.
    #[serde(default, skip_serializing_if = "Figures::is_zero")]
    pub(super) zero: Figures,
}

impl Ledger {
    /// All services, removed ones too.
    #[must_use]
    pub fn services(&self) -> &[ServiceRecord] {
        &self.services
    }

    /// All destinations, removed ones too.
    #[must_use]
    pub fn dests(&self) -> &[DestRecord] {
        &self.dests
    }

    pub(super) fn zero<P: Plane>(&mut self, plane: &P, key: Option<&ServiceKey>) {
        for service in &mut self.services {
            if key.is_none_or(|key| service.key == *key) {
                service.departed = Figures::default();
                for dest in &mut self.dests {
                    if dest.service == service.number {
                        dest.zero = plane.figures(dest.number);
                    }
                }
            }
        }
    }
}

/// An IPv4 address as the tables hold it; `None` for IPv6, which the wanted state refuses so far.
pub(super) fn endpoint(address: SocketAddr) -> Option<Endpoint> {
    match address {
        SocketAddr::V4(v4) => Some(endpoint_v4(v4)),
        SocketAddr::V6(_) => None,
    }
}

fn endpoint_v4(address: SocketAddrV4) -> Endpoint {
    Endpoint::new(address.ip().octets(), address.port())
}
