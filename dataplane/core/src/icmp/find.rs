//! The flow of a quoted packet, found as that of an answer to it would be.
//!
//! The eBPF programs make the two functions ones that are verified by themselves: they take and return plain numbers.

use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::filter::Entry;
use crate::abi::ipv6::Address;
use crate::abi::pointer::PointerKey;
use crate::family::{Family, Ipv4, Ipv6};
use crate::flow::ends::server_address;
use crate::flow::tcp::Direction;
use crate::flow::{Flow, find, is_expired, place, read};
use crate::side::{self, Side};
use crate::tables::Tables;
use crate::wire::{Link, Packet, Tcp};

/// A flow's line and where an error about one of its packets goes, in one number: bits 0..32 the line, 0 for none, 32..64
/// the [`Direction`] as a number.
#[derive(Clone, Copy)]
pub(super) struct Found(pub(super) u64);

impl Found {
    const NONE: Self = Self(0);

    #[inline(always)]
    const fn new(flow: &Flow, direction: Direction) -> Self {
        Self(flow.number as u64 | (direction as u64) << 32)
    }

    #[inline(always)]
    pub(super) const fn line(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    pub(super) const fn direction(self) -> Direction {
        Direction::from_number((self.0 >> 32) as u32)
    }
}

/// The flow to which an IPv4 packet between these endpoints would belong, whose tags are the protocol and which carries this
/// mark: a [`Found`]'s number.
#[inline(always)]
pub fn quoted<T: Tables>(tables: &T, source: u64, destination: u64, mark: u32) -> u64 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    let answer = answer(
        tag(source) as u8,
        Endpoint::unpack(source),
        Endpoint::unpack(destination),
    );
    match side::tell(tables, config, &answer, mark) {
        Some(side) => of_side::<Ipv4, T>(tables, config, &answer, side, ()).0,
        None => 0,
    }
}

/// As [`quoted`], of an IPv6 packet; `rest` is source and destination port (wire order) and, behind those, the protocol.
#[inline(always)]
pub fn quoted_ipv6<T: Tables>(tables: &T, source: Address, destination: Address, rest: u64) -> u64 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    let end = |port| Endpoint { address: 0, port };
    let mut answer = answer(
        (rest >> 32) as u8,
        end(rest as u16),
        end((rest >> 16) as u16),
    );
    let Some((side, client)) = side::tell_between(tables, config, &mut answer, source, destination)
    else {
        return 0;
    };
    let found = of_side::<Ipv6, T>(tables, config, &answer, side, client);
    match side {
        Side::Client(_) => found.0,
        Side::Server(_) if is_server(tables, found, source) => found.0,
        Side::Server(_) => 0,
    }
}

/// The answer to a quoted packet, as far as it says whose it is.
#[inline(always)]
fn answer(protocol: u8, source: Endpoint, destination: Endpoint) -> Packet {
    Packet {
        link: Link::Bare,
        transport: 0,
        length: 0,
        ttl: 0,
        protocol,
        more: false,
        source,
        destination,
        tcp: Tcp::default(),
    }
}

#[inline(always)]
fn of_side<A: Family, T: Tables>(
    tables: &T,
    config: T::Line,
    answer: &Packet,
    side: Side,
    client: A::Client,
) -> Found {
    let tag = answer.protocol as u16 | A::TAG;
    let (source, destination) = (answer.source, answer.destination);
    let found = match side {
        Side::Client(entry) => {
            let peer = source.pack(tag);
            let mut service = entry.service();
            if entry.has(Entry::REMOVED) {
                service = tables.heir(peer, destination.pack(service));
            }
            let key = PointerKey([peer, destination.pack(service)]);
            find::by_client::<A, T>(tables, &place::of(config, peer, service), key, client)
        }
        Side::Server(entry) => {
            let key = PointerKey([source.pack(0), destination.pack(tag)]);
            find::by_server::<A, T>(tables, config, entry, key, client)
        }
    };
    let Some(flow) = found else {
        return Found::NONE;
    };
    if is_expired(tables, flow.control, tables.now()) {
        return Found::NONE;
    }
    let direction = match side {
        Side::Server(_) => Direction::ToClient,
        Side::Client(_) if flow.words.is_one_way() => Direction::OneWay,
        Side::Client(_) => Direction::ToServer,
    };
    Found::new(&flow, direction)
}

/// Whether the flow's server has this address, of which the flow knows a digest.
#[inline(always)]
fn is_server<T: Tables>(tables: &T, found: Found, address: Address) -> bool {
    let flow = tables
        .flow(found.line())
        .and_then(|line| read(line, found.line()));
    let settings = flow.and_then(|flow| tables.dest(flow.owner.dest()));
    settings.is_some_and(|settings| server_address(settings) == address)
}
