//! Services and servers as they stand in the file: flat, with keys like the options of ipvsadm.

use std::net::SocketAddr;

use ferrovs_model::{
    Destination, Encapsulation, Forwarding, Netmask, Persistence, Protocol, SchedulerFlags,
    Service, ServiceKey, ServiceSettings, TunnelChecksum,
};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// A service. It has either protocol and address, or a mark.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedService {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    ipv6: bool,
    scheduler: String,
    #[serde(default, skip_serializing_if = "SchedulerFlags::is_empty")]
    scheduler_flags: SchedulerFlags,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persistence: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    netmask: Option<Netmask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persistence_engine: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    one_packet: bool,
    #[serde(default, rename = "server", skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<Spanned<SavedServer>>,
}

/// A real server.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedServer {
    address: SocketAddr,
    forwarding: Method,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tunnel_port: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tunnel_checksum: Option<TunnelChecksum>,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    upper_threshold: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    lower_threshold: u32,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Masq,
    Fullnat,
    Auto,
    Route,
    Ipip,
    Gue,
    Gre,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn one() -> u32 {
    1
}

impl SavedService {
    pub(super) fn of(service: &Service) -> Self {
        let settings = &service.settings;
        let endpoint = service.key.endpoint();
        let (mark, ipv6) = match service.key {
            ServiceKey::Address { .. } => (None, false),
            ServiceKey::Mark { mark, ipv6 } => (Some(mark), ipv6),
        };
        let servers = service.destinations.iter();
        Self {
            protocol: endpoint.map(|(protocol, _)| protocol),
            address: endpoint.map(|(_, address)| address),
            mark,
            ipv6,
            scheduler: settings.scheduler.clone(),
            scheduler_flags: settings.scheduler_flags,
            persistence: settings.persistence.map(|persistence| persistence.timeout),
            netmask: settings.persistence.map(|persistence| persistence.netmask),
            persistence_engine: settings.persistence_engine.clone(),
            one_packet: settings.one_packet,
            servers: servers
                .map(|server| Spanned::new(0..0, SavedServer::of(server)))
                .collect(),
        }
    }

    pub(super) fn key(&self) -> Result<ServiceKey, String> {
        let Self {
            protocol,
            address,
            mark,
            ipv6,
            ..
        } = *self;
        match (protocol, address, mark) {
            (Some(protocol), Some(address), None) if !ipv6 => {
                Ok(ServiceKey::address(protocol, address))
            }
            (None, None, Some(mark)) => Ok(ServiceKey::Mark { mark, ipv6 }),
            _ => Err(
                "a service has either `protocol` and `address`, or `mark` and perhaps `ipv6`"
                    .to_owned(),
            ),
        }
    }

    /// The settings; a netmask that is left out keeps each client for itself.
    pub(super) fn settings(&self, key: &ServiceKey) -> Result<ServiceSettings, String> {
        if self.persistence.is_none() && self.netmask.is_some() {
            return Err(format!(
                "{key}: a netmask is for persistence, which is not asked for"
            ));
        }
        let netmask = self.netmask.unwrap_or(Netmask::single(key.is_ipv6()));
        Ok(ServiceSettings {
            scheduler: self.scheduler.clone(),
            scheduler_flags: self.scheduler_flags,
            persistence: self
                .persistence
                .map(|timeout| Persistence { timeout, netmask }),
            persistence_engine: self.persistence_engine.clone(),
            one_packet: self.one_packet,
        })
    }
}

impl SavedServer {
    fn of(server: &Destination) -> Self {
        let (forwarding, tunnel_port, tunnel_checksum) = match server.forwarding {
            Forwarding::Masq => (Method::Masq, None, None),
            Forwarding::FullNat => (Method::Fullnat, None, None),
            Forwarding::Auto => (Method::Auto, None, None),
            Forwarding::Route => (Method::Route, None, None),
            Forwarding::Tunnel(Encapsulation::Ipip) => (Method::Ipip, None, None),
            Forwarding::Tunnel(Encapsulation::Gue { port, checksum }) => {
                (Method::Gue, Some(port), Some(checksum))
            }
            Forwarding::Tunnel(Encapsulation::Gre { checksum }) => {
                (Method::Gre, None, Some(checksum))
            }
        };
        Self {
            address: server.address,
            forwarding,
            tunnel_port,
            tunnel_checksum,
            weight: server.weight,
            upper_threshold: server.upper_threshold,
            lower_threshold: server.lower_threshold,
        }
    }

    pub(super) fn destination(self) -> Result<Destination, String> {
        let checksum = self.tunnel_checksum.unwrap_or_default();
        let forwarding = match (self.forwarding, self.tunnel_port, self.tunnel_checksum) {
            (Method::Masq, None, None) => Forwarding::Masq,
            (Method::Fullnat, None, None) => Forwarding::FullNat,
            (Method::Auto, None, None) => Forwarding::Auto,
            (Method::Route, None, None) => Forwarding::Route,
            (Method::Ipip, None, None) => Forwarding::Tunnel(Encapsulation::Ipip),
            (Method::Gue, port, _) => Forwarding::Tunnel(Encapsulation::Gue {
                port: port.unwrap_or(0),
                checksum,
            }),
            (Method::Gre, None, _) => Forwarding::Tunnel(Encapsulation::Gre { checksum }),
            _ => {
                return Err(
                    "only gue has a tunnel_port, and only gue and gre have a tunnel_checksum"
                        .to_owned(),
                );
            }
        };
        Ok(Destination {
            address: self.address,
            forwarding,
            weight: self.weight,
            upper_threshold: self.upper_threshold,
            lower_threshold: self.lower_threshold,
        })
    }
}
