//! What histories met, so that they cannot pass by meeting nothing.

use std::collections::BTreeMap;

/// How often each thing was met.
#[derive(Debug, Default)]
pub(crate) struct Met(BTreeMap<&'static str, u64>);

impl Met {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// All of these must have been met often enough.
    pub(crate) fn check(&self, whats: &[&str], least: u64) {
        let times = |what: &str| self.0.get(what).copied().unwrap_or(0);
        let seldom = |what: &&&str| times(what) < least;
        let seldom: Vec<_> = whats.iter().filter(seldom).collect();
        assert!(
            seldom.is_empty(),
            "too seldom {seldom:?} among {:#?}",
            self.0
        );
    }
}
