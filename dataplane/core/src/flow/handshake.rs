//! The server's answer to a client's SYN: what it said, which later proves that the client heard it, and for the scheduler ewma how long
//! it took.
//!
//! Off the way of established packets, and behind a function that the verifier judges by itself.

use super::open::Wish;
use crate::abi::dest::{ASKED, LATENCY};
use crate::abi::endpoint::tag;
use crate::abi::flow::{HANDSHAKE, Handshake, OWNER, Owner};
use crate::abi::latency::{Asked, Latency};
use crate::abi::schedule::Schedule;
use crate::abi::service::{SCHEDULE, Scheduler};
use crate::abi::state::SYN_RECV;
use crate::tables::{Line, Tables};

/// What a flow to be begins with. If its service measures, its server counts as asked from now on.
#[inline(always)]
pub(super) fn expect<T: Tables>(tables: &T, wish: &Wish, generation: u32) -> Handshake {
    const EWMA: u8 = Scheduler::Latency as u8;
    let service = tables.service(tag(wish.virtual_) as u32);
    let measures = service.is_some_and(|line| Schedule(line.load(SCHEDULE)).scheduler() == EWMA);
    if !measures || wish.state != SYN_RECV {
        return Handshake::none(generation);
    }
    let now = tables.nanoseconds();
    if let Some(counts) = tables.counts(wish.dest) {
        counts.store(ASKED, Asked(counts.load(ASKED)).again(now).0);
    }
    Handshake::timed(now, generation)
}

/// Notes that the server of the flow in line `number` has answered, and is to be acknowledged by `expected`; unless the line
/// has another flow by now.
#[inline(always)]
pub fn note<T: Tables>(tables: &T, number: u32, generation: u32, expected: u32) {
    let Some(line) = tables.flow(number) else {
        return;
    };
    let dest = Owner(line.load(OWNER)).dest();
    let old = Handshake(line.load(HANDSHAKE));
    let new = Handshake::answered(expected, generation);
    if old.0 >> 48 != new.0 >> 48 || !line.compare_exchange(HANDSHAKE, old.0, new.0) {
        return;
    }
    let now = tables.nanoseconds();
    if let Some(took) = old.took(now)
        && let Some(counts) = tables.counts(dest)
    {
        // Two answers at once: either may count.
        counts.store(LATENCY, Latency(counts.load(LATENCY)).after(took, now).0);
        counts.store(ASKED, 0);
    }
}
