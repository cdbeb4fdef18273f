//! The table of next hops: numbers for neighbours, and lines that say how to reach them.
//!
//! Flows hold the numbers. A number therefore stays with its neighbour for as long as a flow may refer
//! to it: it is given to another only after a whole round of the sweeper, begun after programs could
//! last learn it, has met no such flow. A restarted daemon reads the numbers back from the lines.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ferrovs_core::{
    abi::{
        MAX_NEXT_HOPS, dest,
        ipv6::{Address, NeighbourKey},
        next_hop::{
            self, ETHERNET, LINK, MACS, NO_VLAN, OUT, STATUS, USABLE, neighbour, neighbour_key,
            pack_macs,
        },
        slab::Table,
    },
    tables::{Line, Tables},
};
use tracing::warn;

use crate::{
    Maps,
    net::{Place, Snapshot, Way},
};

/// Rounds of the sweeper that must meet no flow with a number before it is free: one may have been
/// under way when the number was last learnt.
const ROUNDS: u64 = 2;

/// Numbers and whose they are.
#[derive(Debug, Default)]
pub(crate) struct NextHops {
    numbers: BTreeMap<Way, u32>,
    /// Those that the programs can find.
    shown: HashSet<Way>,
    /// Round in which a neighbour that nobody wants was hidden from the programs.
    hidden: HashMap<Way, u64>,
    /// Numbers that flows referred to in the last round.
    referred: BTreeSet<u32>,
    full: bool,
}

/// What a line should say.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Content {
    flags: u64,
    macs: u64,
    out: u64,
    link: u64,
}

impl NextHops {
    /// As an earlier daemon left them.
    pub(crate) fn recover(maps: &Maps) -> std::io::Result<Self> {
        let mut hops = Self::default();
        let mut addresses: HashMap<u32, Ipv6Addr> = HashMap::new();
        for (key, number, hidden) in maps.neighbours_ipv6()? {
            let address = Ipv6Addr::from(key.address().octets());
            addresses.insert(number, address);
            if !hidden {
                hops.shown.insert(Way {
                    interface: key.interface(),
                    neighbour: address.into(),
                });
            }
        }
        for number in 1..MAX_NEXT_HOPS {
            let Some(line) = maps.next_hop(number) else {
                break;
            };
            let interface = (line.load(OUT) >> 32) as u32;
            let neighbour = match neighbour(line.load(LINK)) {
                0 => addresses.get(&number).copied().map(IpAddr::V6),
                word => Some(Ipv4Addr::from(word.to_ne_bytes()).into()),
            };
            let Some(neighbour) = neighbour.filter(|_| interface != 0) else {
                // Nobody's, or the daemon died before anybody could learn it.
                if !Content::NOTHING.is_in(line) {
                    write(line, &Content::NOTHING);
                }
                continue;
            };
            let way = Way {
                interface,
                neighbour,
            };
            if line.load(STATUS) & 1 != 0 {
                // The daemon died while it wrote: made whole with the next update.
                write(line, &Content::unknown(way));
            }
            hops.numbers.insert(way, number);
        }
        for (key, number) in maps.neighbours()? {
            let way = Way {
                interface: (key >> 32) as u32,
                neighbour: Ipv4Addr::from((key as u32).to_ne_bytes()).into(),
            };
            if hops.numbers.get(&way) == Some(&number) {
                hops.shown.insert(way);
            } else {
                maps.remove_neighbour(key)?;
            }
        }
        for (key, number, _) in maps.neighbours_ipv6()? {
            let way = Way {
                interface: key.interface(),
                neighbour: Ipv6Addr::from(key.address().octets()).into(),
            };
            if hops.numbers.get(&way) != Some(&number) {
                hops.shown.remove(&way);
                maps.remove_neighbour_ipv6(key)?;
            }
        }
        Ok(hops)
    }

    /// Makes the lines say what the network says. Numbers are given to the neighbours towards
    /// destinations and to all known neighbours on `hooked` interfaces, which may be clients.
    /// `transmits` says whether what is redirected to an interface leaves by it.
    pub(crate) fn update(
        &mut self,
        maps: &Maps,
        network: &Snapshot,
        ways: &BTreeSet<Way>,
        hooked: &BTreeSet<u32>,
        transmits: impl Fn(u32) -> bool,
    ) -> std::io::Result<()> {
        let known = network
            .neighbours
            .iter()
            .filter(|((interface, _), neighbour)| {
                hooked.contains(interface) && neighbour.mac.is_some()
            });
        let known = known.map(|(&(interface, neighbour), _)| Way {
            interface,
            neighbour,
        });
        let wanted: BTreeSet<Way> = known.chain(ways.iter().copied()).collect();
        self.assign(maps, &wanted)?;
        for (way, &number) in &self.numbers {
            if let Some(line) = maps.next_hop(number) {
                let content = Content::of(network, *way, &transmits);
                if !content.is_in(line) {
                    write(line, &content);
                }
            }
            let hidden = self.hidden.contains_key(way) && !wanted.contains(way);
            if !hidden && !self.shown.contains(way) {
                show(maps, *way, number)?;
                self.shown.insert(*way);
            }
        }
        self.hidden.retain(|way, _| !wanted.contains(way));
        Ok(())
    }

    /// Writes into each destination's line the number of the way to it (0: none), or that it is here, and by which way
    /// what is rewritten gets there, and which address tunnels to it are from. `inner` is the loopback interface.
    pub(crate) fn lead(
        &self,
        maps: &Maps,
        inner: u32,
        dests: impl Iterator<Item = (u32, IpAddr, Place)>,
    ) {
        for (dest, address, place) in dests {
            let number = |way| self.numbers.get(&way).copied().unwrap_or(0);
            let up = Way {
                interface: inner,
                neighbour: address,
            };
            let (word, source) = match place {
                Place::Nowhere => (0, None),
                Place::Here => (dest::LOCAL | u64::from(number(up)), None),
                Place::Away { way, source } => (u64::from(number(way)), source),
            };
            // First, because a packet that finds its way needs it.
            if let Some(line) = maps.tunnel(dest) {
                let Address([first, second]) = whole(source);
                store_if_other(line, dest::SOURCE, first);
                store_if_other(line, dest::SOURCE + 1, second);
            }
            if let Some(line) = maps.dest(dest) {
                store_if_other(line, dest::NEXT_HOP, word);
            }
        }
    }

    /// Neighbours whose number flows referred to in the last round.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = Way> {
        self.ways(&self.referred)
    }

    /// The neighbours with these numbers.
    pub(crate) fn ways(&self, numbers: &BTreeSet<u32>) -> impl Iterator<Item = Way> {
        let all = self.numbers.iter();
        all.filter_map(|(way, number)| numbers.contains(number).then_some(*way))
    }

    /// Takes note of a round of the sweeper: which numbers flows referred to. Takes numbers back from
    /// neighbours that are gone and that no flow refers to.
    pub(crate) fn end_of_round(
        &mut self,
        maps: &Maps,
        network: &Snapshot,
        ways: &BTreeSet<Way>,
        round: u64,
        referred: BTreeSet<u32>,
    ) -> std::io::Result<()> {
        let is_gone = |way: &Way| {
            let neighbour = network.neighbours.get(&(way.interface, way.neighbour));
            !ways.contains(way) && neighbour.is_none_or(|neighbour| neighbour.mac.is_none())
        };
        let mut free = Vec::new();
        for (way, number) in &self.numbers {
            if !is_gone(way) || referred.contains(number) {
                self.hidden.remove(way);
                continue;
            }
            match self.hidden.get(way) {
                None => {
                    hide(maps, *way, *number)?;
                    self.shown.remove(way);
                    self.hidden.insert(*way, round);
                }
                Some(since) if round >= since + ROUNDS => free.push(*way),
                Some(_) => {}
            }
        }
        for way in free {
            self.hidden.remove(&way);
            if let Some(number) = self.numbers.remove(&way)
                && let Some(line) = maps.next_hop(number)
            {
                forget(maps, way)?;
                write(line, &Content::NOTHING);
            }
            self.full = false;
        }
        self.referred = referred;
        Ok(())
    }

    fn assign(&mut self, maps: &Maps, wanted: &BTreeSet<Way>) -> std::io::Result<()> {
        let missing: Vec<_> = wanted
            .iter()
            .filter(|way| !self.numbers.contains_key(way))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let taken: BTreeSet<u32> = self.numbers.values().copied().collect();
        let mut free = (1..MAX_NEXT_HOPS).filter(|number| !taken.contains(number));
        for way in missing {
            let Some(number) = free.next() else {
                if !std::mem::replace(&mut self.full, true) {
                    warn!(
                        "more than {MAX_NEXT_HOPS} neighbours: packets to the others take the slow way"
                    );
                }
                return Ok(());
            };
            let line = next_hop::line(number);
            maps.grow(Table::NextHops, line..line + 1)?;
            if let Some(line) = maps.next_hop(number) {
                write(line, &Content::unknown(*way));
            }
            self.numbers.insert(*way, number);
        }
        Ok(())
    }
}

impl Content {
    /// A line that is nobody's.
    const NOTHING: Self = Self {
        flags: 0,
        macs: 0,
        out: 0,
        link: 0,
    };

    /// A neighbour of which only the interface is known.
    fn unknown(way: Way) -> Self {
        Self {
            out: u64::from(way.interface) << 32,
            link: u64::from(NO_VLAN) | u64::from(word_of(way.neighbour)) << 32,
            ..Self::NOTHING
        }
    }

    fn of(network: &Snapshot, way: Way, transmits: impl Fn(u32) -> bool) -> Self {
        let unknown = Self::unknown(way);
        let Some(link) = network.links.get(&way.interface) else {
            return unknown;
        };
        // What takes more than the word has room for, as the loopback interface does, takes every packet.
        let mtu = u16::try_from(link.mtu).unwrap_or(0);
        let link_word = unknown.link | u64::from(mtu) << 16;
        let usable = link.up && transmits(way.interface);
        let Some(source) = link.mac else {
            // Frames without link-layer addresses: there is nothing to know about the neighbour.
            return Self {
                flags: if usable { USABLE } else { 0 },
                link: link_word,
                ..unknown
            };
        };
        let neighbour = network.neighbours.get(&(way.interface, way.neighbour));
        let known = neighbour.and_then(|neighbour| neighbour.mac);
        // By the loopback interface everybody is reached at its own address.
        let Some(destination) = known.or(link.mac.filter(|_| link.loopback)) else {
            return Self {
                flags: ETHERNET,
                link: link_word,
                ..unknown
            };
        };
        let (macs, source_rest) = pack_macs(destination, source);
        Self {
            flags: ETHERNET | if usable { USABLE } else { 0 },
            macs,
            out: unknown.out | u64::from(source_rest),
            link: link_word,
        }
    }

    fn is_in(&self, line: impl Line) -> bool {
        let status = line.load(STATUS);
        let version = status & 0xffff_ffff;
        let there = Self {
            flags: status ^ version,
            macs: line.load(MACS),
            out: line.load(OUT),
            link: line.load(LINK),
        };
        version & 1 == 0 && there == *self
    }
}

/// Writes a line by the rule of [`ferrovs_core::abi::next_hop`]: an odd version while it lasts.
fn write(line: impl Line, content: &Content) {
    let version = line.load(STATUS) as u32;
    let odd = version.wrapping_add(1) | 1;
    line.store(STATUS, u64::from(odd));
    // The words' stores must not come before the odd version's.
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    line.store(MACS, content.macs);
    line.store(OUT, content.out);
    line.store(LINK, content.link);
    line.store(STATUS, content.flags | u64::from(odd.wrapping_add(1)));
}

/// Programs read these lines all the time: a store that changes nothing would still take them away from them.
fn store_if_other(line: impl Line, word: usize, value: u64) {
    if line.load(word) != value {
        line.store(word, value);
    }
}

/// A tunnel's address as its line has it.
fn whole(address: Option<IpAddr>) -> Address {
    match address {
        None => Address::default(),
        Some(IpAddr::V4(address)) => Address([u64::from(u32::from_ne_bytes(address.octets())), 0]),
        Some(IpAddr::V6(address)) => Address::new(address.octets()),
    }
}

/// Lets the programs find a neighbour's number.
fn show(maps: &Maps, way: Way, number: u32) -> std::io::Result<()> {
    match way.neighbour {
        IpAddr::V4(_) => {
            let key = neighbour_key(word_of(way.neighbour), way.interface);
            maps.set_neighbour(key, number)
        }
        IpAddr::V6(address) => maps.set_neighbour_ipv6(key_of(address, way), number, false),
    }
}

/// Keeps the programs from finding it. Of an IPv6 neighbour no line says whose it is, so its key stays.
fn hide(maps: &Maps, way: Way, number: u32) -> std::io::Result<()> {
    match way.neighbour {
        IpAddr::V4(_) => {
            let key = neighbour_key(word_of(way.neighbour), way.interface);
            maps.remove_neighbour(key)
        }
        IpAddr::V6(address) => maps.set_neighbour_ipv6(key_of(address, way), number, true),
    }
}

/// Forgets a neighbour that was hidden.
fn forget(maps: &Maps, way: Way) -> std::io::Result<()> {
    match way.neighbour {
        IpAddr::V4(_) => Ok(()),
        IpAddr::V6(address) => maps.remove_neighbour_ipv6(key_of(address, way)),
    }
}

fn key_of(address: Ipv6Addr, way: Way) -> NeighbourKey {
    NeighbourKey::new(Address::new(address.octets()), way.interface)
}

/// The neighbour in a line: its IPv4 address, or 0 for an IPv6 one.
fn word_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => u32::from_ne_bytes(address.octets()),
        IpAddr::V6(_) => 0,
    }
}
