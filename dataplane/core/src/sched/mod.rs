//! Which real server takes a new flow: one file for each scheduler, as in IPVS.

mod dh;
pub mod ewma;
mod fo;
mod hashed;
pub mod lblc;
pub mod lblcr;
mod lc;
pub mod local;
pub mod mh;
pub mod mhb;
mod nq;
mod ovf;
mod rr;
pub mod scan;
pub mod search;
mod sed;
pub mod sh;
mod twos;
mod wlc;
mod wrr;

use crate::abi::dest::OVERLOADED;
use crate::abi::schedule::{Entry, Schedule};
use crate::abi::service::{SCHEDULE, Scheduler};
use crate::tables::{Line, Tables};
use scan::Search;

/// What the schedulers that hash may know of a flow, in host byte order.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Peers {
    /// The client's address.
    pub client: u32,
    /// The client's port.
    pub port: u16,
    /// The address that the client wrote to.
    pub virtual_: u32,
}

/// The number of the destination that the scheduler of the service with this number and line picks; 0 if none is
/// usable.
#[inline(always)]
pub fn pick<T: Tables>(tables: &T, number: u32, service: T::Line, peers: Peers) -> u32 {
    const EWMA: u8 = Scheduler::Latency as u8;
    const MHB: u8 = Scheduler::BoundedMaglev as u8;
    let schedule = Schedule(service.load(SCHEDULE));
    if schedule.is_local() {
        return tables.local(schedule, number, peers.virtual_);
    }
    if schedule.scheduler() == EWMA {
        return tables.race(schedule);
    }
    if schedule.scheduler() == MHB {
        return tables.bounded(schedule, sh::key(schedule, peers));
    }
    look(tables, schedule, peers)
}

/// The number of the server that is found at once or by a search; 0 if none is usable. Not inlined: what the
/// schedulers before this one call needs the stack that a search takes.
#[inline(never)]
fn look<T: Tables>(tables: &T, schedule: Schedule, peers: Peers) -> u32 {
    let Some(search) = begin(tables, schedule, peers) else {
        return 0;
    };
    let found = if search.steps() == 0 {
        search.found()
    } else {
        tables.best(search)
    };
    found.unwrap_or(0)
}

/// What the scheduler finds at once, or the search that it needs.
#[inline(always)]
fn begin<T: Tables>(tables: &T, schedule: Schedule, peers: Peers) -> Option<Search> {
    const NONE: u8 = Scheduler::None as u8;
    const RR: u8 = Scheduler::RoundRobin as u8;
    const WRR: u8 = Scheduler::WeightedRoundRobin as u8;
    const SH: u8 = Scheduler::SourceHash as u8;
    const DH: u8 = Scheduler::DestinationHash as u8;
    const MH: u8 = Scheduler::Maglev as u8;
    const TWOS: u8 = Scheduler::TwoChoices as u8;
    if schedule.dests() == 0 {
        return None;
    }
    match schedule.scheduler() {
        NONE => None,
        RR => rr::begin(tables, schedule),
        WRR => wrr::begin(tables, schedule),
        SH | MH => hashed::begin(tables, schedule, sh::key(schedule, peers)),
        DH => hashed::begin(tables, schedule, dh::key(peers)),
        TWOS => Some(twos::begin(schedule)),
        _ => Some(Search::through(schedule, schedule.dests())),
    }
}

/// The value of word `number` of the schedule table.
#[inline(always)]
fn load<T: Tables>(tables: &T, number: u32) -> Option<u64> {
    Some(tables.schedule(number / 8)?.load((number & 7) as usize))
}

/// The entry in place `place` of the list.
#[inline(always)]
fn entry<T: Tables>(tables: &T, schedule: Schedule, place: u32) -> Option<Entry> {
    if place >= schedule.dests() {
        return None;
    }
    load(tables, schedule.entry(place)).map(Entry)
}

/// Whether a server gets new flows.
#[inline(always)]
fn is_usable<T: Tables>(tables: &T, schedule: Schedule, entry: Entry) -> bool {
    entry.weight() > 0
        && !(schedule.has(Schedule::LIMITED)
            && tables
                .counts(entry.dest())
                .is_some_and(|line| line.load(OVERLOADED) != 0))
}

/// The next ticket of the service's cursor.
#[inline(always)]
fn ticket<T: Tables>(tables: &T, schedule: Schedule) -> Option<u64> {
    advance(tables, schedule, 1)
}

/// Gives out so many tickets; the first of them.
#[inline(always)]
fn advance<T: Tables>(tables: &T, schedule: Schedule, tickets: u64) -> Option<u64> {
    let cursor = schedule.cursor();
    let line = tables.schedule(cursor / 8)?;
    Some(line.fetch_add((cursor & 7) as usize, tickets))
}
