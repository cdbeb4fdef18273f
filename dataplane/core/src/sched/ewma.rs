//! Least handshake latency (no scheduler of IPVS): of two servers drawn by chance, the heavier ones more often, the one that is
//! expected to answer sooner, by what its answers took lately, times what it has to do already, for its weight.
//!
//! For servers that differ from hour to hour: other hosts' guests, other sites, caches that warm up. What is measured is the way to the
//! server and how soon its kernel answers, not how long the application takes. A server that does not answer at all gets a client every
//! ten seconds, until it does. Over UDP, where nothing is measured, it is by connections alone.

use super::scan::overhead;
use super::{entry, is_usable, load};
use crate::abi::dest::{ASKED, COUNTS, Counts, LATENCY};
use crate::abi::latency::{Asked, Latency, expected};
use crate::abi::schedule::{Entry, Schedule};
use crate::tables::{Line, Tables};

/// How often is drawn for two that are not overloaded. If there is not even one by then, all are looked at.
const DRAWS: u32 = 16;
/// What a server without connections counts as having: one active connection is 257.
const IDLE: u64 = 256;
/// More work than this, half a million active connections, is not told apart.
const MOST: u64 = 1 << 27;

/// A look for two servers, or for one. Plain numbers, because it lies on the stack of an eBPF program.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Race {
    schedule: u64,
    /// When it is run, nanoseconds.
    now: u64,
    /// The better one so far, an [`Entry`]; 0: nobody.
    best: u64,
    cost: u64,
    /// Its place in the list.
    place: u64,
}

impl Race {
    /// Among these servers, now.
    #[inline(always)]
    pub const fn new(schedule: Schedule, now: u64) -> Self {
        Self {
            schedule: schedule.0,
            now,
            best: 0,
            cost: 0,
            place: 0,
        }
    }

    /// How many steps it may take.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        DRAWS + Schedule(self.schedule).dests()
    }

    /// The winner's number; 0: nobody.
    #[inline(always)]
    pub const fn winner(&self) -> u32 {
        Entry(self.best).dest()
    }
}

/// The `at`th step; whether the race is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, race: &mut Race, at: u32) -> bool {
    let schedule = Schedule(race.schedule);
    let is_second = race.best != 0;
    if at < DRAWS {
        let Some(place) = draw(tables, schedule, race) else {
            return true;
        };
        return try_one(tables, schedule, race, place) && is_second;
    }
    // Two were drawn, or one and nobody else is to be had.
    if at == DRAWS && is_second {
        return true;
    }
    try_one(tables, schedule, race, at - DRAWS);
    false
}

/// The place of a server, each with a chance in proportion to its weight, but for the one that was drawn before; `None` if there
/// is no other.
#[inline(always)]
fn draw<T: Tables>(tables: &T, schedule: Schedule, race: &Race) -> Option<u32> {
    let sums = schedule.rest();
    let all = load(tables, sums + schedule.dests().checked_sub(1)?)?;
    let taken = Entry(race.best).weight() as u64;
    let random = (tables.random() as u64) << 32 | tables.random() as u64;
    let mut drawn = random.checked_rem(all.checked_sub(taken)?)?;
    if race.best != 0 {
        let end = load(tables, sums + race.place as u32)?;
        if drawn >= end.wrapping_sub(taken) {
            drawn = drawn.wrapping_add(taken);
        }
    }
    Some(tables.below(sums, schedule.dests(), drawn, 0))
}

/// Lets a server run, if it gets new flows; whether it does.
#[inline(always)]
fn try_one<T: Tables>(tables: &T, schedule: Schedule, race: &mut Race, place: u32) -> bool {
    let Some(entry) = entry(tables, schedule, place) else {
        return false;
    };
    let Some(counts) = tables.counts(entry.dest()) else {
        return false;
    };
    if !is_usable(tables, schedule, entry) {
        return false;
    }
    let cost = cost(counts, entry.weight(), race.now);
    if race.best == 0 || cost < race.cost {
        (race.best, race.cost, race.place) = (entry.0, cost, place as u64);
    }
    true
}

/// What a connection would cost there, for its weight.
#[inline(always)]
fn cost<L: Line>(counts: L, weight: u32, now: u64) -> u64 {
    let latency = expected(
        Latency(counts.load(LATENCY)),
        Asked(counts.load(ASKED)),
        now,
    );
    let work = overhead(Counts(counts.load(COUNTS))) + IDLE;
    let work = if work < MOST { work } else { MOST };
    // 29, 27 and 8 bits.
    let cost = ((latency + 1) * work) << 8;
    cost.checked_div(weight as u64).unwrap_or(0)
}
