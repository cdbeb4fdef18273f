//! The ways to the servers, as the kernel's routing table answered.
//!
//! An answer is kept until a notification says that it may be another one by now, so that a change of
//! one server among thousands asks one question. In case a notification was missed, [`Ways::doubt`]
//! asks again, a part at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Bound,
};

use netlink_packet_route::{
    AddressFamily,
    route::{RouteAddress, RouteAttribute, RouteMessage},
};

use crate::{
    Targets,
    net::{Place, Query},
};

/// So many answers at most are doubted at once.
const DOUBTED: usize = 1000;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Ways {
    answers: BTreeMap<IpAddr, Place>,
    /// Whose answer was doubted last.
    doubted: Option<IpAddr>,
}

impl Ways {
    /// Where all servers of `targets` are.
    pub(super) fn find(
        &mut self,
        query: &mut Query,
        targets: &Targets,
    ) -> io::Result<BTreeMap<IpAddr, Place>> {
        let addresses: BTreeSet<_> = targets.dests.iter().map(|&(_, address)| address).collect();
        let mut places = Vec::with_capacity(addresses.len());
        for address in addresses {
            let place = match self.answers.get(&address) {
                Some(place) => *place,
                None => *self
                    .answers
                    .entry(address)
                    .or_insert(query.locate(address)?),
            };
            places.push((address, place));
        }
        Ok(places.into_iter().collect())
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
        let range = match network_of(route) {
            Some((first, last)) => (Bound::Included(first), Bound::Included(last)),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
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
        for (&address, place) in next.by_ref().take(DOUBTED) {
            let now = query.locate(address)?;
            changed |= std::mem::replace(place, now) != now;
            self.doubted = Some(address);
        }
        if next.next().is_none() {
            self.doubted = None;
        }
        Ok(changed)
    }
}

/// The first and the last address that a route is for; `None` if it is not known of which family it is.
fn network_of(route: &RouteMessage) -> Option<(IpAddr, IpAddr)> {
    let length = u32::from(route.header.destination_prefix_length);
    let destination = route
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            RouteAttribute::Destination(destination) => Some(destination),
            _ => None,
        });
    match (route.header.address_family, destination) {
        (AddressFamily::Inet, destination) => {
            let first = match destination {
                Some(RouteAddress::Inet(network)) => network.to_bits(),
                _ => 0,
            };
            let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
            let last = Ipv4Addr::from_bits(first | hosts);
            Some((Ipv4Addr::from_bits(first).into(), last.into()))
        }
        (AddressFamily::Inet6, destination) => {
            let first = match destination {
                Some(RouteAddress::Inet6(network)) => network.to_bits(),
                _ => 0,
            };
            let hosts = u128::MAX.checked_shr(length).unwrap_or(0);
            let last = Ipv6Addr::from_bits(first | hosts);
            Some((Ipv6Addr::from_bits(first).into(), last.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 7] = [
        "9.255.0.1",
        "10.0.0.1",
        "10.0.0.255",
        "10.0.1.0",
        "2001:db8::1",
        "2001:db8::ffff",
        "2001:db8::1:0",
    ];

    fn known() -> Ways {
        let addresses = ALL.iter().map(|one| one.parse().unwrap());
        Ways {
            answers: addresses.map(|one| (one, Place::Nowhere)).collect(),
            doubted: None,
        }
    }

    fn route(family: AddressFamily, network: Option<&str>, length: u8) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.address_family = family;
        route.header.destination_prefix_length = length;
        let network = network.map(|network| match network.parse().unwrap() {
            IpAddr::V4(network) => RouteAddress::Inet(network),
            IpAddr::V6(network) => RouteAddress::Inet6(network),
        });
        route
            .attributes
            .extend(network.map(RouteAttribute::Destination));
        route
    }

    #[test]
    fn a_route_casts_doubt_on_those_behind_it_alone() {
        let left = |family, network, length| {
            let mut ways = known();
            ways.forget_by(&route(family, network, length));
            let left = ways.answers.into_keys();
            left.map(|one| one.to_string()).collect::<Vec<_>>()
        };
        let (v4, v6) = (AddressFamily::Inet, AddressFamily::Inet6);
        let (of_v4, of_v6) = (&ALL[..4], &ALL[4..]);
        assert_eq!(
            left(v4, Some("10.0.0.0"), 24),
            [&["9.255.0.1", "10.0.1.0"], of_v6].concat()
        );
        assert_eq!(left(v4, Some("10.0.1.0"), 32).len(), ALL.len() - 1);
        assert_eq!(
            left(v4, Some("10.0.0.0"), 8),
            [&["9.255.0.1"], of_v6].concat()
        );
        assert_eq!(left(v4, None, 0), of_v6);
        assert_eq!(
            left(v6, Some("2001:db8::"), 112),
            [of_v4, &["2001:db8::1:0"]].concat()
        );
        assert_eq!(left(v6, Some("2001:db8::1"), 128).len(), ALL.len() - 1);
        assert_eq!(left(v6, None, 0), of_v4);
        assert_eq!(left(AddressFamily::Unspec, None, 0).len(), 0);
    }
}
