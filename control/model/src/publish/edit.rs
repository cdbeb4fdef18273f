//! What differs from a state that the tables certainly have, and plans for the changes of every day: other
//! weights and settings of services that keep their servers and their methods. What is not edited is not
//! looked at.

use std::collections::{BTreeSet, HashMap};

use super::{Plan, Plane, filter, ledger::Ledger, lists::new_lists, numbers::Retired};
use crate::{Destination, Refusal, Service, ServiceKey, Wanted};

/// The services that are in only one of two states, or otherwise in the other.
pub(super) fn changed(old: &Wanted, new: &Wanted) -> BTreeSet<ServiceKey> {
    let services = old.services().iter();
    let mut before: HashMap<_, _> = services.map(|service| (service.key, service)).collect();
    let services = new.services().iter();
    let mut found: BTreeSet<_> = services
        .filter(|service| before.remove(&service.key) != Some(*service))
        .map(|service| service.key)
        .collect();
    found.extend(before.into_keys());
    found
}

/// The services that are otherwise in `new`, if they have the servers they had, reached as they were, in the
/// order they had, and the persistence engine that they had, and all others are the same.
pub(super) fn edited(old: &Wanted, new: &Wanted) -> Option<BTreeSet<ServiceKey>> {
    if old.services().len() != new.services().len() || old.snat() != new.snat() {
        return None;
    }
    let mut found = BTreeSet::new();
    for (before, after) in old.services().iter().zip(new.services()) {
        if before == after {
            continue;
        }
        let servers = |service: &Service| {
            let dests = service.destinations.iter();
            let server = |dest: &Destination| (dest.address, dest.forwarding);
            dests.map(server).collect::<Vec<_>>()
        };
        let alike = before.key == after.key
            && before.added == after.added
            // What servers may do beside answering is in the map of endpoints.
            && before.settings.persistence_engine == after.settings.persistence_engine
            && servers(before) == servers(after);
        if !alike {
            return None;
        }
        found.insert(after.key);
    }
    Some(found)
}

/// As [`super::plan::plan`], where only services are `edited` that have the servers they had: numbers and filter stay.
pub(super) fn plan<P: Plane>(
    old: &Ledger,
    retired: &Retired,
    plane: &P,
    wanted: &Wanted,
    edited: &BTreeSet<ServiceKey>,
) -> Result<Plan, Refusal> {
    let mut ledger = old.clone();
    let mut freed = Retired::default();
    let is_edited = |key: &ServiceKey| edited.contains(key);
    ledger.take_settings(wanted, is_edited);
    let lists = new_lists(&mut ledger, plane, retired, &mut freed, wanted, is_edited)?;
    Ok(Plan {
        ledger,
        wanted: None,
        lists,
        filter: filter::Change::None,
        endpoints: None,
        timeouts: wanted.timeouts(),
        sysctls: wanted.sysctls(),
        snat: wanted.snat().cloned(),
        freed,
    })
}
