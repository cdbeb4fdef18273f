//! Services as they are: wanted settings and observed figures.

use ferrovs_model::{Destination, ServiceKey, ServiceSettings, Timeouts};
use serde::{Deserialize, Serialize};

/// Everything that is balanced.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Services {
    /// The services, ordered by key.
    pub services: Vec<ServiceView>,
    /// The timeouts of all flows.
    pub timeouts: Timeouts,
}

/// One service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ServiceView {
    /// Which packets it is for.
    pub key: ServiceKey,
    /// How it behaves.
    #[serde(flatten)]
    pub settings: ServiceSettings,
    /// What went through it, also through destinations that have been deleted since.
    pub counters: Counters,
    /// Its destinations, the one added last first.
    pub destinations: Vec<DestinationView>,
}

/// One destination of a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DestinationView {
    /// Its address and settings.
    #[serde(flatten)]
    pub destination: Destination,
    /// What went through it.
    pub counters: Counters,
    /// Flows in an active state (IPVS: ActiveConn; never a UDP flow).
    pub active: u32,
    /// All its other flows (IPVS: InActConn).
    pub inactive: u32,
}

/// What has gone by since the start or since the counters were last set to zero. "In" is from
/// client to real server, "out" the other way; bytes are those of IP packets, headers included,
/// without the link layer's.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counters {
    /// Flows scheduled.
    pub conns: u64,
    /// Packets in.
    pub in_packets: u64,
    /// Packets out.
    pub out_packets: u64,
    /// Bytes in.
    pub in_bytes: u64,
    /// Bytes out.
    pub out_bytes: u64,
}
