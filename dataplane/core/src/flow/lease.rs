//! An endpoint of the [pool] for a new flow: an address of the director and a port, which the
//! server sees as its peer (FullNat).
//!
//! The pointer of the flow's replies is the lease: the server's endpoint and that of the pool together are a key that
//! only one flow has, and as long as the flow has it. So towards each server socket every port of an address can be
//! taken once, and what the server still remembers of a connection (TIME_WAIT) is not met by another client's.
//!
//! Where the search begins follows from the client's endpoint, so that a client that comes again from the same port
//! gets the same port of the pool, if nobody else has it. Ports scattered over the pool are tried first: of a pool
//! that is full to nine tenths, ten on average. Then one after the other, which finds what is left of a small pool for
//! sure. When that fails, the server's line says so for the rest of the tick: a flood of new flows must not have every
//! one of them search.
//!
//! Off the way of established packets: the eBPF programs make [`lease`] a function that is verified by itself, and
//! [`step`] one that is called from `bpf_loop`. Bound: [`SCATTERED`] and [`IN_TURN`] tries.

use super::Flow;
use super::ends::{Ends, Words, is_ipv6, server_address};
use super::open::Outcome;
use super::reserve::store;
use super::tcp::Direction;
use crate::abi::config;
use crate::abi::dest::{self, FULL, FULL_IF_NEAR};
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::flow::{CONTROL, Control, OWNER, Owner};
use crate::abi::ipv6::Address;
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::pool::{self, Offer, Ports, Reach};
use crate::abi::reason::Reason;
use crate::flow::place::digest;
use crate::tables::{Half, Line, Tables, count};
use crate::wire::ipv6;

/// Ports tried here and there.
pub const SCATTERED: u32 = 32;
/// Ports tried after that, one after the other.
pub const IN_TURN: u32 = 1024;

/// What [`lease`] says of a flow that keeps its client's address. No outcome is packed as this.
pub const NOT_WANTED: u64 = u64::MAX;

/// A search for an endpoint that nobody has towards a server.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Search {
    /// The server's endpoint, tag 0.
    dest: u64,
    /// What the server may be offered.
    offer: Offer,
    /// The line that asks.
    pointer: Pointer,
    /// The endpoint that was found, packed; 0: none so far.
    local: u64,
    /// How many addresses are offered, not 0.
    offered: u32,
    /// Where it begins.
    seed: u32,
    /// The number of that endpoint's address.
    number: u32,
    /// Tries.
    steps: u32,
    /// Protocol and family.
    tag: u16,
}

impl Search {
    /// Steps it may take.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        self.steps
    }
}

/// Makes step number `at` of a search; whether it is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, search: &mut Search, at: u32) -> bool {
    let draw = if at < SCATTERED {
        scatter(search.seed.wrapping_add(at))
    } else {
        (search.seed >> 8).wrapping_add(at)
    };
    let (round, place) = divide(draw, search.offered);
    let number = search.offer.number(place);
    let Some(line) = tables.pool(number) else {
        return false;
    };
    let ports = Ports(line.load(pool::PORTS));
    if ports.count() == 0 {
        return false;
    }
    let (_, at) = divide(round, ports.count());
    let port = ports.port(at);
    let address = if search.tag & crate::abi::endpoint::IPV6 == 0 {
        line.load(pool::ADDRESS) as u32
    } else {
        pool::stand_in(number)
    };
    let port = port.to_be();
    let local = Endpoint { address, port }.pack(search.tag);
    if local << 16 == search.dest << 16 {
        // Of a server on the director: it would talk to itself.
        return false;
    }
    let key = PointerKey([search.dest, local]);
    let found = store(tables, key, search.pointer);
    if found {
        search.local = local;
        search.number = number;
    }
    found
}

/// Quotient and remainder; of a division by zero, zeros.
#[inline(always)]
fn divide(number: u32, by: u32) -> (u32, u32) {
    match (number.checked_div(by), number.checked_rem(by)) {
        (Some(quotient), Some(rest)) => (quotient, rest),
        _ => (0, 0),
    }
}

/// Takes an endpoint of the pool for the draft in line `number`, which the caller has claimed, and notes it there:
/// 0. Or why there is none, as [`Outcome::pack`] has it; or [`NOT_WANTED`].
#[inline(always)]
pub fn lease<T: Tables>(tables: &T, number: u32) -> u64 {
    let full = Outcome::refused(Reason::TableFull).pack();
    let Some(line) = tables.flow(number) else {
        return full;
    };
    let owner = Owner(line.load(OWNER));
    let (Some(settings), Some(offers)) = (tables.dest(owner.dest()), tables.tunnel(owner.dest()))
    else {
        return full;
    };
    let reach = Reach(offers.load(dest::REACH));
    let words = Words::load(line);
    if !is_wanted(settings, reach, &words) {
        return NOT_WANTED;
    }
    let control = Control(line.load(CONTROL));
    let Ends { dest, client, .. } = words.ends(owner);
    let mut search = Search {
        dest,
        offer: Offer(offers.load(dest::OFFER)),
        pointer: Pointer::new(number, control.generation()),
        local: 0,
        offered: reach.offered(),
        seed: seed(tables, client, dest),
        number: 0,
        steps: SCATTERED + IN_TURN,
        tag: tag(client),
    };
    if search.offered == 0 {
        return Outcome::refused(Reason::PoolEmpty).pack();
    }
    let Some(first) = tables.pool(search.offer.number(0)) else {
        return Outcome::refused(Reason::PoolEmpty).pack();
    };
    let exhausted = (owner.dest() as u64) | (control.last_seen() as u64) << 32;
    if first.load(pool::EXHAUSTED) == exhausted {
        search.steps = SCATTERED;
    }
    let found = tables.search(search);
    if found.local == 0 {
        first.store(pool::EXHAUSTED, exhausted);
        return Outcome::refused(Reason::PoolExhausted).pack();
    }
    let owner = owner.with(Owner::SERVER_POINTER).with_pool(found.number);
    line.store(OWNER, owner.0);
    words.with_local(found.local).store(line);
    count(tables, Reason::PoolUsed);
    0
}

/// Whether a flow with these words is to have an address of the pool.
#[inline(always)]
fn is_wanted<L: Line>(settings: Half<L>, reach: Reach, words: &Words) -> bool {
    let mode = settings.load(dest::MODE);
    if mode & FULL_IF_NEAR == 0 {
        return mode & FULL != 0;
    }
    let difference = if is_ipv6(words.client) {
        let Address([a, b]) = words.address();
        let Address([c, d]) = server_address(settings);
        [u64::from_be(a ^ c), u64::from_be(b ^ d)]
    } else {
        let client = Endpoint::unpack(words.client).address;
        let server = settings.load(dest::ENDPOINT) as u32;
        [(u32::from_be(client ^ server) as u64) << 32, 0]
    };
    reach.is_near(difference)
}

/// Where a search begins.
#[inline(always)]
fn seed<T: Tables>(tables: &T, client: u64, dest: u64) -> u32 {
    let secret = tables
        .config(0)
        .map_or(0, |config| config.load(config::SECRET1));
    let mixed = (client ^ dest.rotate_left(24)).wrapping_mul(secret | 1);
    // Neighbours must not begin beside each other: their tries would be the same.
    scatter((mixed >> 32) as u32 ^ mixed as u32)
}

/// A number without any relation to the one before it.
#[inline(always)]
const fn scatter(number: u32) -> u32 {
    let number = (number ^ number >> 16).wrapping_mul(0x7feb_352d);
    let number = (number ^ number >> 15).wrapping_mul(0x846c_a68b);
    number ^ number >> 16
}

/// What stands, in endpoint words, for the IPv6 address that a server's packet goes to: [`pool::stand_in`] of an
/// address of the pool, or else its digest.
#[inline(always)]
pub fn stand_in<T: Tables>(tables: &T, address: Address) -> u32 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    let digest = digest(config, address);
    if !is_of_pool(tables, digest) {
        return digest;
    }
    for probe in 0..pool::PROBES {
        let number = pool::number(digest, probe);
        if let Some(line) = tables.pool(number)
            && pooled_address(line) == address
        {
            return pool::stand_in(number);
        }
    }
    digest
}

/// Whether an address, of which this is the digest, may be one of the pool.
#[inline(always)]
pub fn is_of_pool<T: Tables>(tables: &T, digest: u32) -> bool {
    let (word, bit) = pool::place(digest);
    tables.pool(0).is_some_and(|set| set.load(word) & bit != 0)
}

/// The address in a line of the pool.
#[inline(always)]
pub fn pooled_address<L: Line>(line: L) -> Address {
    Address([line.load(pool::ADDRESS), line.load(pool::ADDRESS + 1)])
}

/// The address of an IPv6 packet, and its offset in the IP header, that changes besides the one that changes for every
/// flow: the client's in place of that of the pool, or the other way round; `None` for a flow that has none of the pool.
#[inline(always)]
pub fn other_address<T: Tables>(
    tables: &T,
    flow: &Flow,
    direction: Direction,
) -> Option<(usize, Address)> {
    let number = flow.owner.pool();
    if number == 0 {
        return None;
    }
    match direction {
        Direction::ToServer | Direction::OneWay => {
            Some((ipv6::SOURCE, pooled_address(tables.pool(number)?)))
        }
        Direction::ToClient => Some((ipv6::DESTINATION, flow.words.address())),
    }
}
