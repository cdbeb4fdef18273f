//! The ways to the servers, as the kernel's routing table answered.
//!
//! An answer is kept until a notification says that it may be another one by now, so that a change of
//! one server among thousands asks one question. In case a notification was missed, [`Ways::doubt`]
//! asks again, a part at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    ops::Bound,
};

use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};

use crate::{
    Targets,
    net::{Query, Way},
};

/// So many answers at most are doubted at once.
const DOUBTED: usize = 1000;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// `None`: there is no way.
    answers: BTreeMap<Ipv4Addr, Option<Way>>,
    /// Whose answer was doubted last.
    doubted: Option<Ipv4Addr>,
}

impl Ways {
    /// The ways to all servers of `targets` that can be reached.
    pub(super) fn find(
        &mut self,
        query: &mut Query,
        targets: &Targets,
    ) -> io::Result<BTreeMap<Ipv4Addr, Way>> {
        let addresses: BTreeSet<_> = targets.dests.iter().map(|&(_, address)| address).collect();
        let mut ways = Vec::with_capacity(addresses.len());
        for address in addresses {
            let way = match self.answers.get(&address) {
                Some(way) => *way,
                None => *self
                    .answers
                    .entry(address)
                    .or_insert(query.way_to(address)?),
            };
            ways.extend(way.map(|way| (address, way)));
        }
        Ok(ways.into_iter().collect())
    }

    /// Forgets what nobody needs any more.
    pub(super) fn keep(&mut self, targets: &Targets) {
        if self.answers.len() > targets.dests.len() {
            let needed: BTreeSet<_> = targets.dests.iter().map(|&(_, address)| address).collect();
            self.answers.retain(|address, _| needed.contains(address));
        }
    }

    /// Forgets what may be otherwise since this route came or went.
    pub(super) fn forget_by(&mut self, route: &RouteMessage) {
        let length = u32::from(route.header.destination_prefix_length);
        let network = route
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                RouteAttribute::Destination(RouteAddress::Inet(network)) => Some(*network),
                _ => None,
            });
        let first = network.map_or(0, u32::from);
        let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
        let range = Ipv4Addr::from(first)..=Ipv4Addr::from(first | hosts);
        let affected: Vec<_> = self.answers.range(range).map(|(&one, _)| one).collect();
        for address in affected {
            self.answers.remove(&address);
        }
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.answers.clear();
    }

    /// Asks again, for the next few servers. Whether something is otherwise than it was known.
    pub(super) fn doubt(&mut self, query: &mut Query) -> io::Result<bool> {
        let mut changed = false;
        let behind = self.doubted.map_or(Bound::Unbounded, Bound::Excluded);
        let mut next = self.answers.range_mut((behind, Bound::Unbounded));
        for (&address, way) in next.by_ref().take(DOUBTED) {
            let now = query.way_to(address)?;
            changed |= std::mem::replace(way, now) != now;
            self.doubted = Some(address);
        }
        if next.next().is_none() {
            self.doubted = None;
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(addresses: &[[u8; 4]]) -> Ways {
        Ways {
            answers: addresses.iter().map(|&one| (one.into(), None)).collect(),
            doubted: None,
        }
    }

    fn route(network: Option<[u8; 4]>, length: u8) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.destination_prefix_length = length;
        let network = network.map(|network| RouteAddress::Inet(network.into()));
        route
            .attributes
            .extend(network.map(RouteAttribute::Destination));
        route
    }

    #[test]
    fn a_route_casts_doubt_on_those_behind_it_alone() {
        let left = |network, length| {
            let mut ways = known(&[
                [9, 255, 0, 1],
                [10, 0, 0, 1],
                [10, 0, 0, 255],
                [10, 0, 1, 0],
            ]);
            ways.forget_by(&route(network, length));
            ways.answers
                .into_keys()
                .map(|one| one.octets())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            left(Some([10, 0, 0, 0]), 24),
            [[9, 255, 0, 1], [10, 0, 1, 0]]
        );
        assert_eq!(left(Some([10, 0, 1, 0]), 32).len(), 3);
        assert_eq!(left(Some([10, 0, 0, 0]), 8), [[9, 255, 0, 1]]);
        assert_eq!(left(None, 0).len(), 0);
    }
}
