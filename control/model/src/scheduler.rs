//! The schedulers and persistence engines that a service may name, and the flags of schedulers.

use std::{fmt, ops::BitOr};

use ferrovs_core::abi::service::Scheduler;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The schedulers of IPVS by the names that LVS administrators know, each a file `ip_vs_NAME.c` of the
/// kernel.
pub const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos",
];

/// Those that IPVS does not have. They are there under `compat=ipvs` too: who names one wants it.
const MORE_SCHEDULERS: &[&str] = &["ewma", "mhb"];

/// What a service names that shall not schedule (`ip_vs_add_service`): it takes no new connections.
pub const NO_SCHEDULER: &str = "none";

/// The persistence engines (`ip_vs_pe_NAME.c`).
pub const PERSISTENCE_ENGINES: &[&str] = &["sip"];

/// The data plane's scheduler of this name; without one ([`NO_SCHEDULER`]), nothing is scheduled.
pub(crate) fn built(name: &str) -> Scheduler {
    match name {
        "rr" => Scheduler::RoundRobin,
        "lc" => Scheduler::LeastConnections,
        "wlc" => Scheduler::WeightedLeastConnections,
        "sed" => Scheduler::ShortestExpectedDelay,
        "nq" => Scheduler::NeverQueue,
        "fo" => Scheduler::Failover,
        "ovf" => Scheduler::Overflow,
        "wrr" => Scheduler::WeightedRoundRobin,
        "sh" => Scheduler::SourceHash,
        "dh" => Scheduler::DestinationHash,
        "mh" => Scheduler::Maglev,
        "twos" => Scheduler::TwoChoices,
        "lblc" => Scheduler::Locality,
        "lblcr" => Scheduler::ReplicatedLocality,
        "ewma" => Scheduler::Latency,
        "mhb" => Scheduler::BoundedMaglev,
        _ => Scheduler::None,
    }
}

/// Whether a service may name this scheduler.
pub(crate) fn exists(name: &str) -> bool {
    name == NO_SCHEDULER || SCHEDULERS.contains(&name) || MORE_SCHEDULERS.contains(&name)
}

/// Flags of a scheduler. What they mean is the scheduler's business; those that have a meaning have
/// names. In JSON and TOML a list of names: `fallback`, `port`, `flag-3`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SchedulerFlags(u8);

/// Names of the flags, in the order of their bits.
const NAMES: [&str; 3] = ["fallback", "port", "flag-3"];

impl SchedulerFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// `flag-1`, of `sh` and `mh`: take another server where the chosen one gets nothing
    /// (`IP_VS_SVC_F_SCHED_SH_FALLBACK`, `IP_VS_SVC_F_SCHED_MH_FALLBACK`).
    pub const FALLBACK: Self = Self(1);
    /// `flag-2`, of `sh` and `mh`: the client's port counts too (`IP_VS_SVC_F_SCHED_SH_PORT`,
    /// `IP_VS_SVC_F_SCHED_MH_PORT`).
    pub const PORT: Self = Self(2);
    /// `flag-3`, of no scheduler (`IP_VS_SVC_F_SCHED3`).
    pub const THIRD: Self = Self(4);

    /// Whether none is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl SchedulerFlags {
    /// Names of those that are set.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let set = NAMES.into_iter().enumerate();
        set.filter_map(move |(bit, name)| (self.0 >> bit & 1 != 0).then_some(name))
    }
}

impl fmt::Display for SchedulerFlags {
    /// The names, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, name) in self.names().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

impl BitOr for SchedulerFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Serialize for SchedulerFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for SchedulerFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flags = Self::default();
        for name in Vec::<String>::deserialize(deserializer)? {
            let Some(bit) = NAMES.iter().position(|known| *known == name) else {
                return Err(D::Error::unknown_variant(&name, &NAMES));
            };
            flags.0 |= 1 << bit;
        }
        Ok(flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_ipvs_and_a_few_more() {
        let more = MORE_SCHEDULERS.iter().chain(&[NO_SCHEDULER]);
        for name in SCHEDULERS.iter().chain(more) {
            assert!(exists(name), "{name}");
        }
        for name in ["", "RR", "rr ", "nosuch"] {
            assert!(!exists(name), "{name:?}");
        }
    }

    #[test]
    fn the_data_plane_has_them_all() {
        for name in SCHEDULERS.iter().chain(MORE_SCHEDULERS) {
            assert_ne!(built(name), Scheduler::None, "{name}");
        }
        assert_eq!(built(NO_SCHEDULER), Scheduler::None);
    }

    #[test]
    fn flags_are_a_list_of_names() {
        let all = SchedulerFlags::FALLBACK | SchedulerFlags::PORT | SchedulerFlags::THIRD;
        for (flags, json) in [
            (SchedulerFlags::default(), "[]"),
            (SchedulerFlags::PORT, r#"["port"]"#),
            (all, r#"["fallback","port","flag-3"]"#),
        ] {
            assert_eq!(serde_json::to_string(&flags).unwrap(), json);
            assert_eq!(serde_json::from_str::<SchedulerFlags>(json).unwrap(), flags);
        }
        assert!(serde_json::from_str::<SchedulerFlags>(r#"["flag-4"]"#).is_err());
        assert!(all.has(SchedulerFlags::PORT) && !SchedulerFlags::PORT.has(all));
    }
}
