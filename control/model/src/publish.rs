//! From the wanted state to the tables that the programs read.
//!
//! The daemon hands in a [`Wanted`]; [`Publisher::plan`] works out numbers, lists and places without
//! touching anything, and refuses what does not fit; [`Publisher::commit`] writes. Between the two
//! the daemon stores the plan's [`Ledger`], so that a daemon which is killed at any moment leaves a
//! ledger that knows every number the tables may hold.
//!
//! Programs run while this writes. What they need to find is written before what leads to it, and
//! taken away after it; what they may still be reading is given to somebody else only after
//! [`Plane::quiesce`].
//!
//! A removed server keeps its number and its place in the filter for as long as it has flows, and
//! for [`TRASH_SECONDS`] more, as in the trash of IPVS (`ip_vs_dest_trash_expire`); a service does
//! for as long as it has such servers. Whoever comes back meanwhile finds its flows again.

mod caches;
mod edit;
mod endpoint;
mod figures;
mod filter;
mod ledger;
mod levels;
mod lists;
mod numbers;
mod plan;
mod report;
mod rotation;
mod spans;
mod writer;

use std::{collections::BTreeMap, ops::Range};

use ferrovs_core::{
    abi::{config, dest, ipv6::EndpointKey, locality::LocalityKey, slab::Table},
    tables::{Line, Tables},
};

pub use caches::Localities;
pub use figures::Figures;
pub use filter::{Half, INITIAL_LOG2};
pub(crate) use ledger::LedgerAmendment;
pub use ledger::{DestRecord, Ledger, ServiceRecord};
pub use plan::Plan;
pub use report::{DestReport, Report, ServiceReport, Traffic};

use crate::{Refusal, ServiceKey, Wanted};

/// How long a removed server without flows is remembered (`IP_VS_DEST_TRASH_PERIOD`), seconds.
pub const TRASH_SECONDS: u32 = 120;

/// A data plane as the publisher sees it.
pub trait Plane {
    /// Its tables.
    type Tables: Tables;
    /// The tables.
    fn tables(&self) -> &Self::Tables;
    /// The counters of a destination, summed over all CPUs since the tables were made.
    fn figures(&self, dest: u32) -> Figures;
    /// The IPv6 endpoints that the filter has, and what it says about them.
    fn endpoints(&self) -> BTreeMap<EndpointKey, u64>;
    /// Has the filter say this about an IPv6 endpoint, or forget it; whether it does.
    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) -> bool;
    /// Makes room for these lines of a table that grows; whether there is memory for them.
    fn grow(&self, table: Table, lines: Range<u32>) -> bool;
    /// Lines that the filter table may have, both halves together.
    fn filter_lines(&self) -> u32;
    /// What the schedulers lblc and lblcr remember; nothing, unless packets are scheduled there.
    fn localities(&self) -> Localities {
        Localities::new()
    }
    /// Forgets a line of that.
    fn forget_locality(&self, _: LocalityKey) {}
    /// Returns when every program run that was under way at the call has ended.
    fn quiesce(&self);
    /// How many flows count for a destination.
    fn flows(&self, number: u32) -> dest::Counts {
        let line = self.tables().counts(number);
        dest::Counts(line.map_or(0, |line| line.load(dest::COUNTS)))
    }
    /// How many templates keep clients with a destination.
    fn templates(&self, number: u32) -> u64 {
        let line = self.tables().counts(number);
        line.map_or(0, |line| line.load(dest::TEMPLATES))
    }
    /// Whether flows or templates lead to a destination.
    fn is_used(&self, number: u32) -> bool {
        self.flows(number).0 != 0 || self.templates(number) != 0
    }
}

/// Has the tables ready for these lines.
fn grow<P: Plane>(plane: &P, table: Table, lines: Range<u32>) -> Result<(), Refusal> {
    if plane.grow(table, lines) {
        Ok(())
    } else {
        Err(Refusal::NoMemory)
    }
}

/// How often the caches of lblc and lblcr are looked through for what may be forgotten, ticks
/// (`CHECK_EXPIRE_INTERVAL`).
const COLLECT: u32 = config::ticks(60);

/// Keeps tables and wanted state together.
#[derive(Debug, Default)]
pub struct Publisher {
    ledger: Ledger,
    retired: numbers::Retired,
    /// What the tables certainly say; `None` before the first commit, and when something is to be
    /// forgotten.
    settled: Option<Wanted>,
    /// The IPv6 endpoints that the filter certainly has.
    endpoints: Option<endpoint::Endpoints>,
    /// When the caches were last looked through.
    collected: Option<u32>,
}

impl Publisher {
    /// A publisher that goes on where `ledger` was left; [`Ledger::default`] for empty tables.
    #[must_use]
    pub fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            // What an earlier publisher took out of use just before it ended is unknown.
            retired: numbers::Retired::everything(),
            settled: None,
            endpoints: None,
            collected: None,
        }
    }

    /// What the tables hold.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Works out how to make the tables say what of `wanted` can be forwarded. Nothing is written, but
    /// tables may have grown.
    ///
    /// # Errors
    /// [`Refusal::TableFull`] when there is no number or filter place left, [`Refusal::SchedulesFull`] when there
    /// is no room for a list, [`Refusal::NoMemory`] when the kernel has none.
    pub fn plan<P: Plane>(&mut self, plane: &P, wanted: &Wanted) -> Result<Plan, Refusal> {
        let wanted = wanted.forwarded();
        if let Some(settled) = &self.settled
            && let Some(edited) = edit::edited(settled, &wanted)
            && let Ok(plan) = edit::plan(&self.ledger, &self.retired, plane, &wanted, &edited)
        {
            return Ok(plan.of(wanted));
        }
        let plan = plan::plan(&self.ledger, &mut self.retired, plane, &wanted)?;
        Ok(plan.of(wanted))
    }

    /// Writes a plan. Any state the tables may have been left in by an unfinished commit is mended.
    pub fn commit<P: Plane>(&mut self, plane: &P, plan: Plan) {
        writer::write(plane, &plan, &mut self.retired, &mut self.endpoints);
        self.ledger = plan.ledger;
        self.settled = plan.wanted;
    }

    /// Notes which removed servers have no flows left, and forgets what lblc and lblcr need no longer. Whether one of them has been idle for so long
    /// that the next [`Publisher::plan`] will forget it.
    pub fn observe<P: Plane>(&mut self, plane: &P) -> bool {
        let now = plane.tables().now();
        let mut due = false;
        for since in self.ledger.note_idle(plane) {
            due |= now.wrapping_sub(since) >= config::ticks(TRASH_SECONDS);
        }
        if due {
            self.settled = None;
        }
        if self
            .collected
            .is_none_or(|last| now.wrapping_sub(last) >= COLLECT)
        {
            caches::collect(plane, &self.ledger);
            self.collected = Some(now);
        }
        due
    }

    /// Sets the counters of one service and its servers, or of everything, to zero. What was counted
    /// stays known: only the ledger changes, which says from where on to count. Store it afterwards.
    pub fn zero<P: Plane>(&mut self, plane: &P, service: Option<&ServiceKey>) {
        match service {
            Some(key) => self.ledger.zero_services(plane, |one| one.key == *key),
            None => self.ledger.zero_all(plane),
        }
    }

    /// Figures and flows of every wanted service.
    pub fn report<P: Plane>(&self, plane: &P, wanted: &Wanted) -> Report {
        report::report(&self.ledger, plane, wanted)
    }
}

#[cfg(test)]
mod tests;
