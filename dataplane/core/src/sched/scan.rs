//! What is done server by server: the schedulers that look at every server (lc, wlc, sed, nq, fo, ovf; one
//! file each says which of two servers is the better one), and the way past servers that get no new flows.
//!
//! The list is read from its head, the server added last, which wins ties. Counts are read as they are:
//! two CPUs that pick at once may pick the same server, as in IPVS.
//!
//! A list may be long, and the verifier must see a loop's end: the eBPF programs run [`step`] by
//! `bpf_loop`.

use super::{advance, entry, fo, hashed, is_usable, lc, nq, ovf, rr, sed, twos, wlc, wrr};
use crate::abi::dest::{COUNTS, Counts};
use crate::abi::schedule::{Entry, Schedule};
use crate::abi::service::Scheduler;
use crate::tables::{Line, Tables};

/// A server, and how loaded the scheduler takes it to be.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub(super) struct Candidate {
    /// Its entry in the list; 0: nobody.
    pub(super) entry: u64,
    /// What the scheduler compares, before any weight comes in.
    pub(super) load: u64,
}

impl Candidate {
    /// Its weight.
    #[inline(always)]
    pub(super) const fn weight(self) -> u64 {
        Entry(self.entry).weight() as u64
    }

    /// Its number.
    #[inline(always)]
    pub(super) const fn dest(self) -> u32 {
        Entry(self.entry).dest()
    }

    /// Whether there is one.
    #[inline(always)]
    pub(super) const fn is_some(self) -> bool {
        self.entry != 0
    }

    /// Whether it has less load for its weight than `other` (`loh * w > doh * lw` in ip_vs_wlc.c).
    #[inline(always)]
    pub(super) const fn is_lighter(self, other: Self) -> bool {
        other.load.wrapping_mul(self.weight()) > self.load.wrapping_mul(other.weight())
    }
}

/// Tickets that are looked at one after the other, because a server may be overloaded.
#[derive(Clone, Copy, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub(super) struct Walk {
    /// The ticket that is ours.
    ticket: u64,
    /// How many there are to look at, this one included.
    left: u64,
    /// The first ticket since which all of its level (wrr) were for overloaded servers.
    since: u64,
}

impl Walk {
    /// From ticket `first` on, at most so many.
    #[inline(always)]
    pub(super) const fn new(first: u64, tickets: u64) -> Self {
        Self {
            ticket: first,
            left: tickets,
            since: first,
        }
    }
}

/// A look through a list. Plain numbers, because it lies on the stack of an eBPF program.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Search {
    schedule: u64,
    steps: u64,
    key: u64,
    walk: Walk,
    best: Candidate,
}

impl Search {
    /// Through this list in at most so many steps.
    #[inline(always)]
    pub(super) fn through(schedule: Schedule, steps: u32) -> Self {
        Self {
            schedule: schedule.0,
            steps: steps as u64,
            key: 0,
            walk: Walk::default(),
            best: Candidate::default(),
        }
    }

    /// Through the buckets that a key leads to (sh, mh).
    #[inline(always)]
    pub(super) fn hashing(schedule: Schedule, key: u32) -> Self {
        Self {
            key: key as u64,
            ..Self::through(schedule, schedule.buckets())
        }
    }

    /// Through tickets (rr, wrr).
    #[inline(always)]
    pub(super) fn walking(schedule: Schedule, walk: Walk, steps: u32) -> Self {
        Self {
            walk,
            ..Self::through(schedule, steps)
        }
    }

    /// That has found this server without any step.
    #[inline(always)]
    pub(super) fn over(entry: Entry) -> Self {
        let mut search = Self::through(Schedule(0), 0);
        search.take(entry);
        search
    }

    /// How many steps it may take.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        self.steps as u32
    }

    /// The number of the best server so far.
    #[inline(always)]
    pub fn found(&self) -> Option<u32> {
        if self.best.is_some() {
            Some(self.best.dest())
        } else {
            None
        }
    }

    /// Ends with this server.
    #[inline(always)]
    const fn take(&mut self, entry: Entry) -> bool {
        self.best.entry = entry.0;
        true
    }
}

/// The `at`th step; whether the search is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, search: &mut Search, at: u32) -> bool {
    const RR: u8 = Scheduler::RoundRobin as u8;
    const WRR: u8 = Scheduler::WeightedRoundRobin as u8;
    const SH: u8 = Scheduler::SourceHash as u8;
    const MH: u8 = Scheduler::Maglev as u8;
    const TWOS: u8 = Scheduler::TwoChoices as u8;
    let schedule = Schedule(search.schedule);
    let over = match schedule.scheduler() {
        RR | WRR => walk_on(tables, schedule, search),
        SH | MH => try_next(tables, schedule, search, at),
        TWOS => draw(tables, schedule, search, at),
        _ => compare(tables, schedule, search, at),
    };
    over.unwrap_or(true)
}

/// Takes the server whose ticket is ours if it is not overloaded; else the next ticket is ours.
#[inline(always)]
fn walk_on<T: Tables>(tables: &T, schedule: Schedule, search: &mut Search) -> Option<bool> {
    const RR: u8 = Scheduler::RoundRobin as u8;
    let Walk {
        ticket,
        left,
        since,
    } = search.walk;
    let (server, next, leaves_level) = if schedule.scheduler() == RR {
        (rr::server(tables, schedule, ticket)?, 1, false)
    } else {
        let level = wrr::level(tables, schedule, ticket)?;
        // Who has met all servers of a level need not meet them again in its further passes.
        let leaves = ticket.wrapping_sub(since) + 1 >= level.size || level.left == 1;
        let next = if leaves { level.left } else { 1 };
        (wrr::server(tables, schedule, &level)?, next, leaves)
    };
    if is_usable(tables, schedule, server) {
        return Some(search.take(server));
    }
    if next >= left {
        // Everybody is overloaded, and the next one finds the round where this one ended.
        advance(tables, schedule, left - 1);
        return Some(true);
    }
    advance(tables, schedule, next);
    let ticket = ticket.wrapping_add(next);
    search.walk = Walk {
        ticket,
        left: left - next,
        since: if leaves_level { ticket } else { since },
    };
    Some(false)
}

/// Takes the server that a fallback leads to, if it gets new flows.
#[inline(always)]
fn try_next<T: Tables>(
    tables: &T,
    schedule: Schedule,
    search: &mut Search,
    at: u32,
) -> Option<bool> {
    let next = hashed::fallback(tables, schedule, search.key as u32, at)?;
    Some(is_usable(tables, schedule, next) && search.take(next))
}

/// Draws the first of two servers, or the second and chooses. After too many draws in vain, looks at all.
#[inline(always)]
fn draw<T: Tables>(tables: &T, schedule: Schedule, search: &mut Search, at: u32) -> Option<bool> {
    let first = search.best;
    if at >= twos::DRAWS {
        let among = schedule.by(Scheduler::WeightedLeastConnections);
        return compare(tables, among, search, at - twos::DRAWS);
    }
    let Some(drawn) = twos::draw(tables, schedule) else {
        return Some(false);
    };
    if !first.is_some() || drawn.is_lighter(first) {
        search.best = drawn;
    }
    Some(first.is_some())
}

/// Takes the server in place `at` if it is better than the best so far.
#[inline(always)]
fn compare<T: Tables>(
    tables: &T,
    schedule: Schedule,
    search: &mut Search,
    at: u32,
) -> Option<bool> {
    const LC: u8 = Scheduler::LeastConnections as u8;
    const WLC: u8 = Scheduler::WeightedLeastConnections as u8;
    const SED: u8 = Scheduler::ShortestExpectedDelay as u8;
    const NQ: u8 = Scheduler::NeverQueue as u8;
    const FO: u8 = Scheduler::Failover as u8;
    let entry = entry(tables, schedule, at)?;
    if !is_usable(tables, schedule, entry) {
        return Some(false);
    }
    let counts = Counts(tables.counts(entry.dest())?.load(COUNTS));
    let best = search.best;
    if schedule.scheduler() == NQ && nq::is_idle(counts) {
        return Some(search.take(entry));
    }
    search.best = match schedule.scheduler() {
        LC => lc::better(best, entry.0, counts),
        WLC => wlc::better(best, entry.0, counts),
        SED | NQ => sed::better(best, entry.0, counts),
        FO => fo::better(best, entry.0),
        _ => ovf::better(best, entry.0, counts),
    };
    Some(false)
}

/// What a server has to do for its connections, an active one counting as much as 257 others
/// (`ip_vs_dest_conn_overhead`: 256 times the active ones and all once).
#[inline(always)]
pub(super) const fn overhead(counts: Counts) -> u64 {
    counts.active() as u64 * 257 + counts.inactive() as u64
}
