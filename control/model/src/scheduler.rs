//! The schedulers that exist: one table, extended as schedulers are built.

/// A way of choosing the destination of a new flow.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scheduler {
    /// `rr`: each destination in turn (`ip_vs_rr.c`).
    RoundRobin,
}

impl Scheduler {
    /// The scheduler an LVS administrator calls `name`, or none when it does not exist.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        schedulers()
            .iter()
            .copied()
            .find(|known| known.name() == name)
    }

    /// Its name in IPVS and on every command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "rr",
        }
    }
}

/// Every scheduler that a service may name.
#[must_use]
pub const fn schedulers() -> &'static [Scheduler] {
    &[Scheduler::RoundRobin]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheduler_is_found_by_its_name() {
        for &scheduler in schedulers() {
            assert_eq!(Scheduler::by_name(scheduler.name()), Some(scheduler));
        }
    }

    #[test]
    fn an_unknown_name_is_no_scheduler() {
        for name in ["", "RR", "rr ", "nosuch"] {
            assert_eq!(Scheduler::by_name(name), None, "{name:?}");
        }
    }
}
