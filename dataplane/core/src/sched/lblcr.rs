//! Locality-based least connections with replication (`ip_vs_lblcr.c`): as lblc, but an address has a set of
//! servers. The one with the least to do is taken; when that is too much, another joins them; when the set has not changed
//! for a day, the one with the most to do leaves it. For caches that many clients ask for the same.
//!
//! A set may be large, and is looked through by `bpf_loop`, the server that came last first. One CPU at a time
//! changes a set; another that would, leaves it to a later pick.

use super::scan::overhead;
use crate::abi::dest::{COUNTS, Counts, OVERLOADED, STANDING, Standing};
use crate::abi::locality::{LocalityKey, MEMBERS, SET, Set, chunk_of};
use crate::tables::{Line, Tables};

/// The server with the least to do for its weight (`ip_vs_dest_set_min`).
const LIGHTEST: u32 = 0;
/// The one with the most, also a removed one (`ip_vs_dest_set_max`).
const HEAVIEST: u32 = 1;
/// A certain one.
const FIND: u32 = 2;
/// The same, and takes it out.
const DROP: u32 = 3;

/// What is looked for in a set of so many servers; what `subject` is, the task says.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Quest {
    /// Of the set's address.
    pub key: LocalityKey,
    /// How many servers it has.
    pub size: u32,
    /// One of four.
    pub task: u32,
    /// The number of the service (to find the lightest), or of a server.
    pub subject: u32,
}

/// A look through a set. Plain numbers, because it lies on the stack of an eBPF program.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Tour {
    key: u64,
    size: u64,
    task: u64,
    subject: u64,
    /// The server found so far, 0: none; to drop one, what moves up into the next place.
    found: u64,
    load: u64,
    weight: u64,
}

impl Tour {
    /// That is made for this.
    #[inline(always)]
    pub const fn new(quest: Quest) -> Self {
        let LocalityKey([key, _]) = quest.key;
        Self {
            key,
            size: quest.size as u64,
            task: quest.task as u64,
            subject: quest.subject as u64,
            found: 0,
            load: 0,
            weight: 0,
        }
    }

    /// How many steps it may take.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        self.size as u32
    }

    /// The number of the server that was found; 0: none.
    #[inline(always)]
    pub const fn found(&self) -> u32 {
        self.found as u32
    }
}

/// The server of the set that is taken; 0 if none of them gets new flows.
#[inline(always)]
pub(super) fn lightest<T: Tables>(
    tables: &T,
    key: LocalityKey,
    line: T::Line,
    service: u32,
) -> u32 {
    let size = Set(line.load(SET)).size();
    look(tables, key, size, LIGHTEST, service)
}

/// Takes the heaviest server out of a set of several that has not changed for more than `expiration` ticks.
#[inline(always)]
pub(super) fn shrink<T: Tables>(
    tables: &T,
    key: LocalityKey,
    line: T::Line,
    expiration: u64,
    now: u32,
) {
    let set = Set(line.load(SET));
    // Another CPU may have changed it a moment after our clock was read.
    let age = now.wrapping_sub(set.changed()) as i32;
    if set.size() < 2 || age < 0 || age as u64 <= expiration || !lock(line, set) {
        return;
    }
    let heaviest = look(tables, key, set.size(), HEAVIEST, 0);
    let mut after = set;
    if heaviest != 0 {
        look(tables, key, set.size(), DROP, heaviest);
        after = Set::new(set.size() - 1, now);
    }
    line.store(SET, after.0);
}

/// Puts a server into the set, unless it is there.
#[inline(always)]
pub(super) fn add<T: Tables>(tables: &T, key: LocalityKey, line: T::Line, dest: u32, now: u32) {
    let set = Set(line.load(SET));
    if !lock(line, set) {
        return;
    }
    let mut after = set;
    let is_there = look(tables, key, set.size(), FIND, dest) != 0;
    if !is_there && put(tables, key, line, set.size() + MEMBERS, dest) {
        after = Set::new(set.size() + 1, now);
    }
    line.store(SET, after.0);
}

#[inline(always)]
fn look<T: Tables>(tables: &T, key: LocalityKey, size: u32, task: u32, subject: u32) -> u32 {
    tables.tour(Quest {
        key,
        size,
        task,
        subject,
    })
}

#[inline(always)]
fn lock<L: Line>(line: L, set: Set) -> bool {
    !set.is_locked() && line.compare_exchange(SET, set.0, set.locked().0)
}

/// Writes a server's number into its place; false if there is no room.
#[inline(always)]
fn put<T: Tables>(tables: &T, key: LocalityKey, first: T::Line, place: u32, dest: u32) -> bool {
    let (number, word) = chunk_of(place);
    let chunk = key.chunk(number);
    let line = if number == 0 {
        Some(first)
    } else {
        tables.locality(&chunk)
    };
    match line {
        Some(line) => {
            line.store(word, dest as u64);
            true
        }
        // A new chunk begins with it.
        None => tables.locality_insert(&chunk, [dest as u64, 0, 0, 0, 0, 0, 0, 0]),
    }
}

/// Looks at the server that is `at`th from the end; whether the tour is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, tour: &mut Tour, at: u32) -> bool {
    let place = MEMBERS + (tour.size as u32).wrapping_sub(1).wrapping_sub(at);
    let (number, word) = chunk_of(place);
    let Some(line) = tables.locality(&LocalityKey([tour.key, number as u64])) else {
        return false;
    };
    meet(tables, tour, line, word)
}

/// Looks at a server; whether the tour is over.
#[inline(always)]
fn meet<T: Tables>(tables: &T, tour: &mut Tour, line: T::Line, word: usize) -> bool {
    let member = line.load(word);
    match tour.task as u32 {
        FIND => {
            let is_it = member == tour.subject;
            if is_it {
                tour.found = member;
            }
            is_it
        }
        DROP => {
            line.store(word, tour.found);
            tour.found = member;
            member == tour.subject
        }
        _ => {
            if let Some(counts) = tables.counts(member as u32) {
                weigh(tour, counts, member);
            }
            false
        }
    }
}

/// Takes a server if it is lighter, or heavier, than the one found so far.
#[inline(always)]
fn weigh<L: Line>(tour: &mut Tour, counts: L, member: u64) {
    let standing = Standing(counts.load(STANDING));
    let weight = standing.weight() as u64;
    let counts_for_all = tour.task as u32 == HEAVIEST;
    let counts_here =
        counts_for_all || standing.is_listed(tour.subject as u32) && counts.load(OVERLOADED) == 0;
    if weight == 0 || !counts_here {
        return;
    }
    let load = overhead(Counts(counts.load(COUNTS)));
    let (ours, theirs) = (
        load.wrapping_mul(tour.weight),
        tour.load.wrapping_mul(weight),
    );
    let wins = if counts_for_all {
        theirs < ours
    } else {
        theirs > ours
    };
    if tour.found == 0 || wins {
        (tour.found, tour.load, tour.weight) = (member, load, weight);
    }
}
