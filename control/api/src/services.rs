//! Services as they are: wanted settings and observed figures.

use ferrovs_model::{
    Change, Destination, History, PoolAddress, Service, ServiceKey, ServiceSettings, Snat, Sysctls,
    Timeouts, Wanted,
};
use serde::{Deserialize, Serialize};

/// Everything that is balanced.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Services {
    /// The services, ordered by key.
    pub services: Vec<ServiceView>,
    /// The timeouts of all flows.
    pub timeouts: Timeouts,
    /// The sysctls; those with their default are left out.
    #[serde(default, skip_serializing_if = "Sysctls::is_default")]
    pub sysctls: Sysctls,
    /// The addresses of the pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<PoolAddress>,
    /// The servers' way out, if they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snat: Option<Snat>,
    /// What went through all services there ever were.
    #[serde(default)]
    pub total: Traffic,
}

impl Services {
    /// What is wanted, without the figures; `None` if it makes no sense, which no daemon says.
    #[must_use]
    pub fn wanted(&self) -> Option<Wanted> {
        let service = |view: &ServiceView| Service {
            key: view.key,
            settings: view.settings.clone(),
            added: view.added,
            history: History::default(),
            destinations: view
                .destinations
                .iter()
                .map(|one| one.destination)
                .collect(),
        };
        let services = self.services.iter().map(service).collect();
        let pool = self.pool.clone();
        let mut wanted = Wanted::of(services, self.timeouts, self.sysctls, pool)?;
        let snat = self.snat.clone();
        wanted.apply(&Change::SetSnat { snat }).ok()?;
        Some(wanted)
    }
}

/// One service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ServiceView {
    /// Which packets it is for.
    pub key: ServiceKey,
    /// How it behaves.
    pub settings: ServiceSettings,
    /// Its [`ferrovs_model::Service::added`].
    #[serde(default)]
    pub added: u64,
    /// What went through it, also through destinations that have been deleted since.
    pub traffic: Traffic,
    /// Its destinations, the one added last first.
    pub destinations: Vec<DestinationView>,
}

/// One destination of a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DestinationView {
    /// Its address and settings.
    pub destination: Destination,
    /// What went through it.
    pub traffic: Traffic,
    /// Flows in an active state (IPVS: ActiveConn; never a UDP flow).
    pub active: u32,
    /// All its other flows (IPVS: InActConn).
    pub inactive: u32,
    /// Persistence templates that lead to it (IPVS: PersistConn). None exist before the data plane has
    /// persistence.
    #[serde(default)]
    pub persistent: u32,
}

/// What went through something.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Traffic {
    /// Since the start or since the counters were last set to zero.
    pub counters: Counters,
    /// How fast, lately.
    #[serde(default, skip_serializing_if = "Rates::is_zero")]
    pub rates: Rates,
}

/// How much goes by in a second, as IPVS estimates it: every two seconds each figure moves a quarter
/// of the way towards what was counted in them (`ip_vs_est.c`).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Rates {
    /// Flows scheduled a second.
    pub conns: u64,
    /// Packets in a second.
    pub in_packets: u64,
    /// Packets out a second.
    pub out_packets: u64,
    /// Bytes in a second.
    pub in_bytes: u64,
    /// Bytes out a second.
    pub out_bytes: u64,
}

impl Rates {
    /// Whether nothing goes by; keeps zeroes out of the JSON.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
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
