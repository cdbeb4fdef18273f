//! Maglev hashing with bounded load (no scheduler of IPVS; Mirrokni, Thorup and Zadimoghaddam: Consistent hashing with bounded
//! loads, SODA 2018): a client has the server that mh gives it, unless that one has more than [`FACTOR`] times its share of the
//! service's connections. Then it has the first of those that it hashes to next that has not.
//!
//! For what wants its clients to come back to the same server, as caches do, while some clients, or all clients of some network, come much
//! more often than others: with mh their server would drown.
//!
//! How many connections there are is counted once a tick, server by server; those that are opened since are added. So connections that ended
//! since still count, and the bound is so much looser.

use super::hashed::holder;
use super::{advance, entry, is_usable, load, mh};
use crate::abi::dest::{COUNTS, Counts};
use crate::abi::schedule::{Entry, Schedule};
use crate::tables::{Line, Tables};

/// How many times its share a server may have, a fraction: 1.25.
const FACTOR: (u64, u64) = (5, 4);
/// Servers that a client tries. At most four fifths of them, by weight, can be at their bound.
const TRIES: u32 = 64;
/// More connections than a table has room for.
const MANY: u64 = 1 << 26;

/// The number of the server for a client with this key; 0 if none is usable.
#[inline(always)]
pub fn pick<T: Tables>(tables: &T, schedule: Schedule, key: u32) -> u32 {
    let flows = flows(tables, schedule);
    let Some(weights) = load(tables, schedule.weights()) else {
        return 0;
    };
    // The cursor's upper half counts connections.
    advance(tables, schedule, 1 << 32);
    let walk = tables.probe(Walk {
        schedule: schedule.0,
        key: key as u64,
        flows: if flows < MANY { flows } else { MANY },
        weights,
        any: 0,
        best: 0,
    });
    let chosen = if walk.best != 0 { walk.best } else { walk.any };
    Entry(chosen).dest()
}

/// How many connections the servers of a list have.
#[inline(always)]
fn flows<T: Tables>(tables: &T, schedule: Schedule) -> u64 {
    let cursor = load(tables, schedule.cursor()).unwrap_or(0);
    let now = tables.now();
    if cursor as u32 == now {
        return cursor >> 32;
    }
    let flows = tables.census(Census {
        schedule: schedule.0,
        flows: 0,
    });
    let number = schedule.cursor();
    if let Some(line) = tables.schedule(number / 8) {
        line.store((number & 7) as usize, now as u64 | flows << 32);
    }
    flows
}

/// The count of a list's connections. Plain numbers, because it lies on the stack of an eBPF program.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Census {
    schedule: u64,
    /// So far.
    pub flows: u64,
}

impl Census {
    /// How many steps it takes.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        Schedule(self.schedule).dests()
    }
}

/// Counts the connections of the server in place `at`.
#[inline(always)]
pub fn count<T: Tables>(tables: &T, census: &mut Census, at: u32) {
    let schedule = Schedule(census.schedule);
    if let Some(entry) = entry(tables, schedule, at)
        && entry.weight() > 0
        && let Some(line) = tables.counts(entry.dest())
    {
        census.flows += all(Counts(line.load(COUNTS)));
    }
}

const fn all(counts: Counts) -> u64 {
    counts.active() as u64 + counts.inactive() as u64
}

/// A walk from bucket to bucket, as a client's key leads. Plain numbers, too.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Walk {
    schedule: u64,
    key: u64,
    /// Connections of all servers.
    flows: u64,
    /// The sum of their weights.
    weights: u64,
    /// The first server met that gets new flows, an [`Entry`]; 0: none.
    any: u64,
    /// The first of them that is below its bound.
    best: u64,
}

impl Walk {
    /// How many steps it may take.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        TRIES
    }
}

/// Tries the `at`th server; whether the walk is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, walk: &mut Walk, at: u32) -> bool {
    let schedule = Schedule(walk.schedule);
    let key = walk.key as u32;
    let first = mh::bucket(key, 0);
    // As the fallback of mh goes on (`ip_vs_mh_get_fallback`).
    let bucket = match at.checked_sub(1) {
        None => first,
        Some(tried) => mh::bucket(
            key,
            (tried + first).checked_rem(schedule.buckets()).unwrap_or(0),
        ),
    };
    let Some(server) = holder(tables, schedule, bucket) else {
        return true;
    };
    if !is_usable(tables, schedule, server) {
        return false;
    }
    if walk.any == 0 {
        walk.any = server.0;
    }
    let Some(line) = tables.counts(server.dest()) else {
        return true;
    };
    let has = all(Counts(line.load(COUNTS)));
    if has >= bound(walk.flows + 1, server.weight() as u64, walk.weights) {
        return false;
    }
    walk.best = server.0;
    true
}

/// How many of so many connections a server of this weight may have, rounded up.
const fn bound(flows: u64, weight: u64, weights: u64) -> u64 {
    let (over, under) = FACTOR;
    let (share, of) = (over * flows * weight, under * weights);
    match (share + of).checked_sub(1) {
        Some(rounded) if of > 0 => rounded / of,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn a_bound_is_a_quarter_more_than_the_share_rounded_up() {
        assert_eq!(bound(1, 1, 2), 1);
        assert_eq!(bound(8, 1, 2), 5);
        assert_eq!(bound(9, 1, 2), 6);
        assert_eq!(bound(16, 3, 4), 15);
        assert_eq!(bound(16, 1, 4), 5);
        assert_eq!(bound(1 << 26, i32::MAX as u64, i32::MAX as u64), 5 << 24);
        assert_eq!(bound(1, 0, 0), 0);
    }
}
