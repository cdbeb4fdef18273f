//! What can be asked of the wanted state.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{Destination, PoolAddress, ServiceKey, ServiceSettings, Snat, Sysctl, Wanted};

/// One change. A list of them, in JSON, is what the API accepts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A new service without destinations (`ipvsadm -A`).
    AddService {
        /// Its key, not in use yet.
        service: ServiceKey,
        /// How it behaves.
        settings: ServiceSettings,
    },
    /// Other settings for a service (`-E`); its destinations stay.
    EditService {
        /// Which service.
        service: ServiceKey,
        /// All its settings, not only the changed ones.
        settings: ServiceSettings,
    },
    /// A service and its destinations go (`-D`).
    DeleteService {
        /// Which service.
        service: ServiceKey,
    },
    /// A destination enters at the head of a service's list (`-a`).
    AddDestination {
        /// The service it joins.
        service: ServiceKey,
        /// The destination, with an address that is not in the list yet.
        destination: Destination,
    },
    /// Other settings for a destination, which keeps its place (`-e`).
    EditDestination {
        /// The service it belongs to.
        service: ServiceKey,
        /// The destination with all its settings; found by its address.
        destination: Destination,
    },
    /// A destination leaves (`-d`).
    DeleteDestination {
        /// The service it belongs to.
        service: ServiceKey,
        /// Its address.
        address: SocketAddr,
    },
    /// Every service goes (`-C`). Timeouts and sysctls stay, as in IPVS.
    Clear,
    /// Other timeouts (`--set`), each in seconds, 1 to [`crate::MAX_TIMEOUT`]; what is left out
    /// stays.
    SetTimeouts {
        /// For an established TCP flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tcp: Option<u32>,
        /// For a TCP flow after a FIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tcp_fin: Option<u32>,
        /// For a UDP flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        udp: Option<u32>,
    },
    /// Another value for a sysctl (`ferrovs sysctl`).
    SetSysctl {
        /// Which one.
        name: Sysctl,
        /// The value, one that it can have.
        value: u32,
    },
    /// Other addresses of the pool in place of all that were there (`ferrovs pool`). None: servers know clients by the
    /// address that the director itself would have towards them.
    SetPool {
        /// The addresses.
        addresses: Vec<PoolAddress>,
    },
    /// Another way out for connections that servers make themselves, or none (`ferrovs snat`).
    SetSnat {
        /// For whom, and by which addresses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snat: Option<Snat>,
    },
    /// Everything becomes as in another state (`ferrovs restore`). A service that is in both stays the
    /// same service: its flows, its counters and its age are kept.
    Replace {
        /// The state to come.
        state: Wanted,
    },
    /// Counters start again at zero (`-Z`). The wanted state holds no counters, so that applying
    /// this only checks that the service exists; setting them is up to who keeps them.
    Zero {
        /// Which service, with its destinations; none means all of them and the totals.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<ServiceKey>,
    },
}

impl Change {
    /// Whether it asks for room for a service or a server more.
    #[must_use]
    pub const fn adds(&self) -> bool {
        matches!(self, Self::AddService { .. } | Self::AddDestination { .. })
    }

    /// The service that it is about, if it is about one.
    #[must_use]
    pub const fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::AddService { service, .. }
            | Self::EditService { service, .. }
            | Self::DeleteService { service }
            | Self::AddDestination { service, .. }
            | Self::EditDestination { service, .. }
            | Self::DeleteDestination { service, .. } => Some(service),
            Self::Zero { service } => service.as_ref(),
            Self::Clear
            | Self::SetTimeouts { .. }
            | Self::SetSysctl { .. }
            | Self::SetPool { .. }
            | Self::SetSnat { .. }
            | Self::Replace { .. } => None,
        }
    }

    /// Whether it may make room for others.
    #[must_use]
    pub const fn takes_away(&self) -> bool {
        matches!(
            self,
            Self::DeleteService { .. }
                | Self::DeleteDestination { .. }
                | Self::Clear
                | Self::Replace { .. }
        )
    }
}
