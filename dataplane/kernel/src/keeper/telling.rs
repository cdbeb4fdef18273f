//! What the keeper says in the log about the network, each thing once.

use std::{collections::BTreeSet, net::IpAddr};

use ferrovs_core::{
    abi::dest::{self, Method},
    tables::{Line, Tables},
};
use tracing::warn;

use super::Keeper;
use crate::{Targets, choice::homeless, net::Place};

/// Of many addresses so many are told.
const TOLD: usize = 10;

impl Keeper {
    /// Those of the names that no interface has.
    pub(super) fn missing<'a>(&self, names: &'a [String]) -> impl Iterator<Item = &'a String> {
        let names = names.iter();
        names.filter(|name| self.network.link_named(name).is_none())
    }

    pub(super) fn tell_missing(&mut self, targets: &Targets) {
        let missing: Vec<_> = self.missing(&targets.named).cloned().collect();
        for name in missing.iter().filter(|one| !self.missing.contains(one)) {
            warn!(
                "the interface \"{name}\", named with --interface, has gone: it is hooked when it is back"
            );
        }
        self.missing = missing;
    }

    pub(super) fn tell_homeless(&mut self, targets: &Targets) {
        let homeless = homeless(&self.network, targets);
        let known: BTreeSet<_> = self.homeless.drain(..).collect();
        let new: Vec<_> = homeless.iter().filter(|one| !known.contains(one)).collect();
        for address in new.iter().take(TOLD) {
            let length = if address.is_ipv6() { 128 } else { 32 };
            warn!(
                "no interface carries the virtual address {address}: give it to one (ip address add \
                 {address}/{length} dev ...) or name the interface its clients come by with --interface"
            );
        }
        if let Some(more @ 1..) = new.len().checked_sub(TOLD) {
            warn!("{more} more virtual addresses are so");
        }
        self.homeless = homeless;
    }

    pub(super) fn tell_pathless(&mut self, targets: &Targets) {
        let unreached = |(number, address): &(u32, IpAddr)| match self.places.get(address) {
            Some(Place::Away { .. }) => false,
            Some(Place::Here) => self.is_masqueraded(*number),
            Some(Place::Nowhere) | None => true,
        };
        let pathless = targets.dests.iter().filter(|dest| unreached(dest));
        let pathless: BTreeSet<_> = pathless.map(|&(_, address)| address).collect();
        let pathless: Vec<_> = pathless.into_iter().collect();
        let known: BTreeSet<_> = self.pathless.drain(..).collect();
        let new: Vec<_> = pathless.iter().filter(|one| !known.contains(one)).collect();
        for address in new.iter().take(TOLD) {
            if self.places.get(address) == Some(&Place::Here) {
                warn!(
                    "the real server {address} is the director itself, which masquerading (-m) does not reach: give it \
                     --auto or -g"
                );
            } else {
                warn!("there is no route to the real server {address}: its packets are dropped");
            }
        }
        if let Some(more @ 1..) = new.len().checked_sub(TOLD) {
            warn!("{more} more real servers are so");
        }
        self.pathless = pathless;
    }

    /// Whether the tables say of a destination that its packets are rewritten, but not to be from the director.
    fn is_masqueraded(&self, number: u32) -> bool {
        let line = (&self.plane.maps).dest(number);
        let mode = line.map_or(0, |line| line.load(dest::MODE));
        line.is_some() && Method::of(mode) == Method::Masq && mode & dest::FULL == 0
    }
}
