//! The pool's table: numbers for the director's addresses that servers know clients by, and which of them a server is
//! offered.
//!
//! What the administrator names is offered to all servers of its family; where nothing is named, a server is offered
//! the address that the kernel would have the director's own connections to it come from. Ports that such connections
//! may have (`net.ipv4.ip_local_port_range`) are then left to them, for their answers look like those of flows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ferrovs_core::{
    abi::{
        WORDS, dest,
        ipv6::Address,
        pool::{ADDRESS, EXHAUSTED, LINES, Offer, PORTS, PROBES, Ports, Reach, number, place},
    },
    flow::{lease::pooled_address, place::digest},
    outward::DEST,
    tables::{Line, Tables},
};
use tracing::warn;

use crate::{
    Maps, Snapshot,
    net::{Place, Way},
};

/// The ports that are taken of an address without its own.
const PORTS_OF_ALL: (u16, u16) = (1024, u16::MAX);
/// None.
const NOTHING: (u16, u16) = (0, 0);
/// Where the kernel says which ports the director's own connections have, and what it says by default.
const OWN_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const OWN_PORTS_BY_DEFAULT: (u16, u16) = (32_768, 60_999);

/// An address that the administrator has named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PoolAddress {
    /// The address.
    pub address: IpAddr,
    /// The first and the last port that flows may have, host order; none: which ones is up to the data plane.
    pub ports: Option<(u16, u16)>,
}

/// The way out of connections that servers make themselves.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outward {
    /// Their networks: address, and how many leading bits name them.
    pub from: Vec<(Ipv4Addr, u8)>,
    /// What the world sees in place of them.
    pub to: Vec<PoolAddress>,
}

impl Outward {
    /// Whether this address of the director leads to such servers, or stands for them.
    pub(crate) fn concerns(&self, address: IpAddr) -> bool {
        let mut networks = self.from.iter();
        self.to.iter().any(|one| one.address == address)
            || networks.any(|&(network, prefix)| is_in(network.into(), prefix, address))
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Numbers of those that are offered.
    numbers: BTreeMap<IpAddr, u8>,
    /// Those that were named, in their order.
    named: Vec<IpAddr>,
    /// Named ones that are not the director's.
    foreign: BTreeSet<IpAddr>,
}

impl Pool {
    /// Makes the table's lines what is `named`, and where that is nothing, the sources of the ways to the servers at
    /// `places`.
    pub(crate) fn update<'a>(
        &mut self,
        maps: &Maps,
        network: &Snapshot,
        named: &[PoolAddress],
        outward: &Outward,
        places: impl Iterator<Item = (&'a IpAddr, &'a Place)>,
    ) {
        let own: BTreeSet<IpAddr> = network.addresses.iter().map(|one| one.address).collect();
        let sources: BTreeSet<IpAddr> = places
            .filter_map(|(&address, &place)| source(address, place))
            .collect();
        let foreign: BTreeSet<IpAddr> = named
            .iter()
            .chain(&outward.to)
            .map(|one| one.address)
            .filter(|address| !own.contains(address))
            .collect();
        for address in foreign.difference(&self.foreign) {
            warn!(
                "no interface carries the pool's address {address}, so that no answer would come back to it: it is \
                 not used until one does"
            );
        }
        self.foreign = foreign;
        self.named = named.iter().map(|one| one.address).collect();
        let is_named = |ipv6: bool| self.named.iter().any(|one| one.is_ipv6() == ipv6);
        let barred = own_ports();
        let mut wanted: BTreeMap<IpAddr, Ports> = BTreeMap::new();
        // Connections of the director to anywhere may be from those of the way out.
        let out: Vec<IpAddr> = outward.to.iter().map(|one| one.address).collect();
        let all = outward.to.iter().chain(named);
        for one in all.filter(|one| own.contains(&one.address)) {
            let ports = match one.ports {
                Some((first, last)) => Ports::without(first, last, NOTHING),
                None if out.contains(&one.address) => shared_ports(barred),
                None if sources.contains(&one.address) => shared_ports(barred),
                None => Ports::without(PORTS_OF_ALL.0, PORTS_OF_ALL.1, NOTHING),
            };
            wanted.insert(one.address, ports);
        }
        for &source in sources.iter().filter(|one| !is_named(one.is_ipv6())) {
            wanted.insert(source, shared_ports(barred));
        }
        for number in 1..LINES {
            if let Some(line) = maps.pool(number)
                && !address_in(line).is_some_and(|address| wanted.contains_key(&address))
            {
                store_if_other(line, PORTS, Ports::NONE.0);
            }
        }
        self.numbers.clear();
        for (&address, &ports) in &wanted {
            let Some(number) = assign(maps, address) else {
                warn!("there is no room for the address {address} in the pool: it is not used");
                continue;
            };
            self.numbers.insert(address, number);
            write_set(maps);
            if let Some(line) = maps.pool(u32::from(number)) {
                store_if_other(line, PORTS, ports.0);
            }
        }
        write_set(maps);
    }

    /// Writes what connections are offered that servers make themselves.
    pub(crate) fn offer_way_out(&self, maps: &Maps, outward: &Outward) {
        let Some(line) = maps.tunnel(DEST) else {
            return;
        };
        let numbers = outward.to.iter();
        let numbers = numbers.filter_map(|one| self.numbers.get(&one.address).copied());
        let numbers: Vec<u8> = numbers.collect();
        let reach = Reach::new(None, numbers.len() as u8);
        store_if_other(line, dest::OFFER, Offer::of(numbers.into_iter()).0);
        store_if_other(line, dest::REACH, reach.0);
    }

    /// Writes what a server at a place is offered, and who is near it.
    pub(crate) fn offer(
        &self,
        maps: &Maps,
        network: &Snapshot,
        (dest, address): (u32, IpAddr),
        place: Place,
    ) {
        let Some(line) = maps.tunnel(dest) else {
            return;
        };
        let ipv6 = address.is_ipv6();
        let mut addresses: Vec<IpAddr> = self.named.clone();
        addresses.retain(|one| one.is_ipv6() == ipv6);
        if addresses.is_empty() {
            addresses.extend(source(address, place));
        }
        let numbers: Vec<u8> = addresses
            .iter()
            .filter_map(|address| self.numbers.get(address).copied())
            .collect();
        let near = match place {
            // Its answers would leave the director past the programs, whoever asks.
            Place::Here => Some(0),
            place => place.way().and_then(|way| near(network, way, address)),
        };
        let reach = Reach::new(near, numbers.len() as u8);
        store_if_other(line, dest::OFFER, Offer::of(numbers.into_iter()).0);
        store_if_other(line, dest::REACH, reach.0);
    }
}

/// The address that the director's own connections to a server come from.
const fn source(server: IpAddr, place: Place) -> Option<IpAddr> {
    match place {
        Place::Here => Some(server),
        place => place.source(),
    }
}

/// All ports but those of the director's own connections.
const fn shared_ports(barred: (u16, u16)) -> Ports {
    Ports::without(PORTS_OF_ALL.0, PORTS_OF_ALL.1, barred)
}

/// The length of the prefix that a server has in common with its neighbours on the director's link; none if it is
/// behind a router.
fn near(network: &Snapshot, way: Way, server: IpAddr) -> Option<u8> {
    if way.neighbour != server {
        return None;
    }
    let addresses = network.addresses.iter();
    let on_link = addresses.filter(|own| own.interface == way.interface);
    let with_server = on_link.filter(|own| is_in(own.address, own.prefix, server));
    with_server.map(|own| own.prefix).max()
}

/// Whether two addresses have a prefix of this length in common.
fn is_in(one: IpAddr, prefix: u8, other: IpAddr) -> bool {
    let (difference, length) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits() ^ other.to_bits()) << 96, 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        _ => return false,
    };
    difference.leading_zeros() >= u32::from(prefix.min(length))
}

/// The ports of the director's own connections.
fn own_ports() -> (u16, u16) {
    let range = fs::read_to_string(OWN_PORTS).unwrap_or_default();
    let mut ports = range.split_whitespace().map(str::parse);
    match (ports.next(), ports.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first, last),
        _ => OWN_PORTS_BY_DEFAULT,
    }
}

/// The number of an address, which it keeps as long as nobody else needs it.
fn assign(maps: &Maps, address: IpAddr) -> Option<u8> {
    let (words, digest) = match address {
        IpAddr::V4(address) => {
            let word = u32::from_ne_bytes(address.octets());
            ([u64::from(word), 0], word)
        }
        IpAddr::V6(address) => {
            let address = Address::new(address.octets());
            (address.0, digest(maps.config(0)?, address))
        }
    };
    let mut best: Option<u32> = None;
    let mut best_is_free = false;
    for number in (0..PROBES).map(|probe| number(digest, probe)) {
        let line = maps.pool(number)?;
        let there = pooled_address(line).0;
        if there == words {
            return u8::try_from(number).ok();
        }
        let is_free = there == [0, 0];
        // Flows may still have an address that is not offered any more: it is the last to go.
        if line.load(PORTS) == 0 && (best.is_none() || is_free && !best_is_free) {
            best = Some(number);
            best_is_free = is_free;
        }
    }
    let line = maps.pool(best?)?;
    line.store(EXHAUSTED, 0);
    line.store(ADDRESS, words[0]);
    line.store(ADDRESS + 1, words[1]);
    u8::try_from(best?).ok()
}

/// Writes line 0: the set of all addresses that flows may have.
fn write_set(maps: &Maps) {
    let mut words = [0; WORDS];
    let addresses = (1..LINES).filter_map(|number| address_in(maps.pool(number)?));
    for address in addresses {
        let digest = match address {
            IpAddr::V4(address) => u32::from_ne_bytes(address.octets()),
            IpAddr::V6(address) => maps
                .config(0)
                .map_or(0, |config| digest(config, Address::new(address.octets()))),
        };
        let (word, bit) = place(digest);
        words[word] |= bit;
    }
    if let Some(line) = maps.pool(0) {
        for (word, bits) in words.into_iter().enumerate() {
            store_if_other(line, word, bits);
        }
    }
}

/// The address in a line, if there is one. No IPv6 address of a machine is only its first four bytes.
fn address_in(line: impl Line) -> Option<IpAddr> {
    let address = pooled_address(line);
    match address.0 {
        [0, 0] => None,
        [word, 0] if word >> 32 == 0 => Some(Ipv4Addr::from((word as u32).to_ne_bytes()).into()),
        _ => Some(Ipv6Addr::from(address.octets()).into()),
    }
}

/// Programs on other CPUs read these lines: a store that changes nothing would still take them away.
fn store_if_other(line: impl Line, word: usize, value: u64) {
    if line.load(word) != value {
        line.store(word, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address as Own;

    fn own(interface: u32, address: &str, prefix: u8) -> Own {
        Own {
            interface,
            address: address.parse().unwrap(),
            prefix,
        }
    }

    #[test]
    fn near_is_the_longest_prefix_on_the_servers_link() {
        let network = Snapshot {
            addresses: vec![
                own(1, "10.0.0.1", 8),
                own(1, "10.0.1.1", 24),
                own(2, "10.0.1.2", 30),
                own(1, "2001:db8::1", 64),
            ],
            ..Snapshot::default()
        };
        let near = |server: &str, neighbour: &str| {
            let way = Way {
                interface: 1,
                neighbour: neighbour.parse().unwrap(),
            };
            near(&network, way, server.parse().unwrap())
        };
        assert_eq!(near("10.0.1.9", "10.0.1.9"), Some(24));
        assert_eq!(near("10.9.1.9", "10.9.1.9"), Some(8));
        assert_eq!(near("11.0.1.9", "11.0.1.9"), None);
        assert_eq!(near("10.0.1.9", "10.0.1.254"), None);
        assert_eq!(near("2001:db8::9", "2001:db8::9"), Some(64));
        assert_eq!(near("2001:db9::9", "2001:db9::9"), None);
    }
}
