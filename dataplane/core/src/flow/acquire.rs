//! Finding a line for a new flow.
//!
//! In this order: the preferred line, any other vacant line of the home bucket, a vacant line of two
//! other buckets that the hash names (the home's header then counts it), the half-open flow of the home bucket that was idle
//! longest. A flow whose client has acknowledged the server's own sequence number is never given up.
//!
//! Bounds: 7 lines for each of three buckets, looked at once, and once more for the eviction.

use super::is_expired;
use crate::abi::bucket::{LINES, WAYS};
use crate::abi::config::ticks;
use crate::abi::flow::{CONTROL, Control};
use crate::abi::reason::Reason;
use crate::tables::{Line, Tables, count};

/// Ticks after which a claimed line counts as abandoned: its claimer, the daemon, died half way. Longer
/// than a program can ever stand still between its instructions, for it writes the line as its own.
pub const ABANDONED: u32 = ticks(60);

/// Claims a line for a flow whose preferred line is `home`; its number, 0 if there is none.
/// `alternatives` are the numbers of two other buckets, 32 bits each.
#[inline(never)]
pub(super) fn acquire<T: Tables>(tables: &T, home: u32, alternatives: u64, now: u32) -> u32 {
    if take_vacant(tables, home, now) {
        return home;
    }
    let bucket = home & !(LINES - 1);
    let number = vacant_in(tables, bucket, now);
    if number != 0 {
        return number;
    }
    let number = vacant_in(tables, alternatives as u32 * LINES, now);
    if number != 0 {
        return number;
    }
    let number = vacant_in(tables, (alternatives >> 32) as u32 * LINES, now);
    if number != 0 {
        return number;
    }
    evict_in(tables, bucket, now)
}

#[inline(always)]
fn vacant_in<T: Tables>(tables: &T, first: u32, now: u32) -> u32 {
    for way in 1..=WAYS {
        if take_vacant(tables, first + way, now) {
            return first + way;
        }
    }
    0
}

/// Claims the line if it is free, abandoned, or its flow has expired.
#[inline(always)]
fn take_vacant<T: Tables>(tables: &T, number: u32, now: u32) -> bool {
    let Some(line) = tables.flow(number) else {
        return false;
    };
    let seen = Control(line.load(CONTROL));
    if seen.is_live() {
        return is_expired(tables, seen, now) && tables.take(number, seen, now);
    }
    let idle = now.wrapping_sub(seen.last_seen()) as i32;
    if !seen.is_free() && idle <= ABANDONED as i32 {
        return false;
    }
    line.compare_exchange(CONTROL, seen.0, seen.claimed(now).0)
}

/// Claims the line of the unprotected flow that was idle longest.
#[inline(always)]
fn evict_in<T: Tables>(tables: &T, first: u32, now: u32) -> u32 {
    let mut victim = 0;
    let mut control = Control(0);
    let mut longest = -1;
    for way in 1..=WAYS {
        let Some(line) = tables.flow(first + way) else {
            return 0;
        };
        let seen = Control(line.load(CONTROL));
        let idle = now.wrapping_sub(seen.last_seen()) as i32;
        if seen.is_live() && !seen.is_protected() && idle > longest {
            victim = first + way;
            control = seen;
            longest = idle;
        }
    }
    if victim == 0 || !tables.take(victim, control, now) {
        return 0;
    }
    count(tables, Reason::Evicted);
    victim
}
