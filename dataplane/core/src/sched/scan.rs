//! What is done server by server: the schedulers that look at every server (lc, wlc, sed, nq, fo, ovf; one
//! file each says which of two servers is the better one), and the fallback of those that hash.
//!
//! The list is read from its head, the server added last, which wins ties. Counts are read as they are:
//! two CPUs that pick at once may pick the same server, as in IPVS.
//!
//! A list may be long, and the verifier must see a loop's end: the eBPF programs run [`step`] by
//! `bpf_loop`.

use super::{entry, fo, hashed, lc, nq, ovf, sed, wlc};
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

/// A look through a list. Plain numbers, because it lies on the stack of an eBPF program.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Search {
    schedule: u64,
    key: u64,
    best: Candidate,
}

impl Search {
    /// Through this list; for schedulers that hash, with this key.
    #[inline(always)]
    pub(super) fn new(schedule: Schedule, key: u32) -> Self {
        Self {
            schedule: schedule.0,
            key: key as u64,
            best: Candidate::default(),
        }
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
}

/// The `at`th step; whether the search is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, search: &mut Search, at: u32) -> bool {
    const SH: u8 = Scheduler::SourceHash as u8;
    const MH: u8 = Scheduler::Maglev as u8;
    let schedule = Schedule(search.schedule);
    let over = match schedule.scheduler() {
        SH | MH => try_next(tables, schedule, search, at),
        _ => compare(tables, schedule, search, at),
    };
    over.unwrap_or(true)
}

/// Takes the server that a fallback leads to, if it takes new flows.
#[inline(always)]
fn try_next<T: Tables>(
    tables: &T,
    schedule: Schedule,
    search: &mut Search,
    at: u32,
) -> Option<bool> {
    let next = hashed::fallback(tables, schedule, search.key as u32, at)?;
    if next.weight() > 0 {
        search.best.entry = next.0;
    }
    Some(next.weight() > 0)
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
    let counts = Counts(tables.counts(entry.dest())?.load(COUNTS));
    let best = search.best;
    if schedule.scheduler() == NQ && nq::is_idle(counts) {
        search.best.entry = entry.0;
        return Some(true);
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
