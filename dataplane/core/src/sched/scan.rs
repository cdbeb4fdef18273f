//! The schedulers that look at every server: lc, wlc, sed, nq, fo, ovf. One file each says which of two
//! servers is the better one; here is what they share.
//!
//! The list is read from its head, the server added last, which wins ties. Counts are read as they are:
//! two CPUs that pick at once may pick the same server, as in IPVS.
//!
//! A list may be long, and the verifier must see a loop's end: the eBPF programs run [`step`] by
//! `bpf_loop`.

use super::{fo, lc, nq, ovf, sed, wlc, word};
use crate::abi::dest::{COUNTS, Counts};
use crate::abi::schedule::{Entry, Span};
use crate::abi::service::Scheduler;
use crate::tables::{Line, Tables};

/// A server, and how loaded the scheduler takes it to be.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Candidate {
    /// Its entry in the list; 0: nobody.
    pub entry: u64,
    /// What the scheduler compares, before any weight comes in.
    pub load: u64,
}

impl Candidate {
    /// Its weight.
    #[inline(always)]
    pub(super) const fn weight(self) -> u64 {
        Entry(self.entry).weight() as u64
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
    span: u64,
    scheduler: u64,
    best: Candidate,
}

impl Search {
    /// Through this list, by the rules of this scheduler.
    #[inline(always)]
    pub fn new(span: Span, scheduler: u8) -> Self {
        Self {
            span: span.0,
            scheduler: scheduler as u64,
            best: Candidate::default(),
        }
    }

    /// The number of the best server so far; 0 if there is none.
    #[inline(always)]
    pub const fn found(&self) -> u32 {
        Entry(self.best.entry).dest()
    }
}

/// Looks at the server in place `at` of the list; whether the search is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, search: &mut Search, at: u32) -> bool {
    const LC: u8 = Scheduler::LeastConnections as u8;
    const WLC: u8 = Scheduler::WeightedLeastConnections as u8;
    const SED: u8 = Scheduler::ShortestExpectedDelay as u8;
    const NQ: u8 = Scheduler::NeverQueue as u8;
    const FO: u8 = Scheduler::Failover as u8;
    let Some((line, place)) = word(tables, Span(search.span).first() + 1 + at) else {
        return true;
    };
    let entry = line.load(place);
    let counts = match tables.counts(Entry(entry).dest()) {
        Some(line) => Counts(line.load(COUNTS)),
        None => return true,
    };
    let best = search.best;
    let (new, over) = match search.scheduler as u8 {
        LC => lc::better(best, entry, counts),
        WLC => wlc::better(best, entry, counts),
        SED => sed::better(best, entry, counts),
        NQ => nq::better(best, entry, counts),
        FO => fo::better(best, entry),
        _ => ovf::better(best, entry, counts),
    };
    search.best = new;
    over
}

/// What a server has to do for its connections, an active one counting as much as 257 others
/// (`ip_vs_dest_conn_overhead`: 256 times the active ones and all once).
#[inline(always)]
pub(super) const fn overhead(counts: Counts) -> u64 {
    counts.active() as u64 * 257 + counts.inactive() as u64
}
