//! How a service behaves.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{MAX_TIMEOUT, Refusal, SchedulerFlags, ServiceKey, scheduler, service::is_false};

/// How a service behaves: all that `ipvsadm -A` and `-E` set besides the key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServiceSettings {
    /// The scheduler's name, one of [`crate::SCHEDULERS`] or `none` (`-s`).
    pub scheduler: String,
    /// The scheduler's flags (`-b`).
    #[serde(default, skip_serializing_if = "SchedulerFlags::is_empty")]
    pub scheduler_flags: SchedulerFlags,
    /// Whether and how clients stay with their server (`-p`, `-M`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// What tells clients apart instead of their address (`--pe`): one of
    /// [`crate::PERSISTENCE_ENGINES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence_engine: Option<String>,
    /// Whether every packet is scheduled for itself (`-o`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub one_packet: bool,
}

/// How long and how finely a client stays with its server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Persistence {
    /// Seconds after its last connection, 1 to [`MAX_TIMEOUT`].
    pub timeout: u32,
    /// Which clients stay together.
    pub netmask: Netmask,
}

/// Clients whose addresses are alike under this mask count as one. In JSON and TOML an IPv4 mask is
/// text and an IPv6 prefix length a number, as after `ipvsadm -M`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Netmask {
    /// Of IPv4 addresses; any bits, as in IPVS.
    V4(Ipv4Addr),
    /// Of IPv6 addresses: the length of the prefix, 1 to 128.
    V6(u8),
}

impl Netmask {
    /// Each address for itself.
    #[must_use]
    pub const fn single(ipv6: bool) -> Self {
        if ipv6 {
            Self::V6(128)
        } else {
            Self::V4(Ipv4Addr::BROADCAST)
        }
    }

    const fn suits(self, ipv6: bool) -> bool {
        match self {
            Self::V4(_) => !ipv6,
            Self::V6(prefix) => ipv6 && prefix >= 1 && prefix <= 128,
        }
    }
}

impl ServiceSettings {
    /// Plain scheduling by `scheduler`.
    #[must_use]
    pub fn new(scheduler: &str) -> Self {
        Self {
            scheduler: scheduler.to_owned(),
            scheduler_flags: SchedulerFlags::default(),
            persistence: None,
            persistence_engine: None,
            one_packet: false,
        }
    }

    /// Whether the service `key` can behave so.
    ///
    /// # Errors
    /// [`Refusal::SchedulerNotFound`] for an unknown scheduler or persistence engine, as
    /// `ip_vs_add_service` answers, and [`Refusal::Invalid`] for what `ipvsadm` would not let through.
    pub(crate) fn check(&self, key: &ServiceKey) -> Result<(), Refusal> {
        let engine_exists = |name: &String| scheduler::PERSISTENCE_ENGINES.contains(&name.as_str());
        if !scheduler::exists(&self.scheduler)
            || !self.persistence_engine.as_ref().is_none_or(engine_exists)
        {
            return Err(Refusal::SchedulerNotFound);
        }
        if let Some(persistence) = self.persistence
            && !((1..=MAX_TIMEOUT).contains(&persistence.timeout)
                && persistence.netmask.suits(key.is_ipv6()))
        {
            return Err(Refusal::Invalid);
        }
        let Some((protocol, address)) = key.endpoint() else {
            return Ok(());
        };
        let all_ports_of_nobody = address.port() == 0 && self.persistence.is_none();
        if all_ports_of_nobody || self.one_packet && protocol != crate::Protocol::Udp {
            return Err(Refusal::Invalid);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn vip(protocol: Protocol, address: &str) -> ServiceKey {
        ServiceKey::address(protocol, address.parse().unwrap())
    }

    fn persistent(timeout: u32, netmask: Netmask) -> ServiceSettings {
        ServiceSettings {
            persistence: Some(Persistence { timeout, netmask }),
            ..ServiceSettings::new("rr")
        }
    }

    #[test]
    fn settings_must_suit_the_service() {
        let tcp = vip(Protocol::Tcp, "10.0.0.1:80");
        let tcp6 = vip(Protocol::Tcp, "[2001:db8::1]:80");
        let udp = vip(Protocol::Udp, "10.0.0.1:53");
        let all_ports = vip(Protocol::Tcp, "10.0.0.1:0");
        let mark6 = ServiceKey::Mark {
            mark: 1,
            ipv6: true,
        };
        let single = Netmask::single(false);
        let ops = ServiceSettings {
            one_packet: true,
            ..ServiceSettings::new("rr")
        };
        let engine = |name: &str| ServiceSettings {
            persistence_engine: Some(name.to_owned()),
            ..ServiceSettings::new("rr")
        };
        for (settings, key, expected) in [
            (ServiceSettings::new("wlc"), tcp, Ok(())),
            (ServiceSettings::new("none"), tcp, Ok(())),
            (
                ServiceSettings::new("nosuch"),
                tcp,
                Err(Refusal::SchedulerNotFound),
            ),
            (engine("sip"), udp, Ok(())),
            (engine("nosuch"), udp, Err(Refusal::SchedulerNotFound)),
            (persistent(1, single), tcp, Ok(())),
            (persistent(MAX_TIMEOUT, single), all_ports, Ok(())),
            (persistent(0, single), tcp, Err(Refusal::Invalid)),
            (
                persistent(MAX_TIMEOUT + 1, single),
                tcp,
                Err(Refusal::Invalid),
            ),
            (persistent(1, single), tcp6, Err(Refusal::Invalid)),
            (persistent(1, Netmask::V6(1)), tcp6, Ok(())),
            (persistent(1, Netmask::V6(64)), mark6, Ok(())),
            (persistent(1, Netmask::V6(0)), tcp6, Err(Refusal::Invalid)),
            (persistent(1, Netmask::V6(129)), tcp6, Err(Refusal::Invalid)),
            (persistent(1, Netmask::V6(64)), tcp, Err(Refusal::Invalid)),
            (ServiceSettings::new("rr"), all_ports, Err(Refusal::Invalid)),
            (ops.clone(), udp, Ok(())),
            (ops.clone(), mark6, Ok(())),
            (ops, tcp, Err(Refusal::Invalid)),
        ] {
            assert_eq!(settings.check(&key), expected, "{settings:?} of {key}");
        }
    }

    #[test]
    fn the_json_says_only_what_is_set() {
        let plain = r#"{"scheduler":"rr"}"#;
        let full = r#"{"scheduler":"sh","scheduler_flags":["port"],"persistence":{"timeout":60,"netmask":"255.255.255.0"},"persistence_engine":"sip","one_packet":true}"#;
        for (json, settings) in [
            (plain, ServiceSettings::new("rr")),
            (
                full,
                ServiceSettings {
                    scheduler: "sh".to_owned(),
                    scheduler_flags: SchedulerFlags::PORT,
                    persistence: Some(Persistence {
                        timeout: 60,
                        netmask: Netmask::V4([255, 255, 255, 0].into()),
                    }),
                    persistence_engine: Some("sip".to_owned()),
                    one_packet: true,
                },
            ),
        ] {
            assert_eq!(serde_json::to_string(&settings).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<ServiceSettings>(json).unwrap(),
                settings
            );
        }
        let v6 = serde_json::to_string(&Netmask::V6(64)).unwrap();
        assert_eq!(v6, "64");
    }
}
