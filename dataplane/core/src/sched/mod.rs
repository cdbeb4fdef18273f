//! Which real server takes a new flow: one file for each scheduler, as in IPVS.

mod fo;
mod lc;
mod nq;
mod ovf;
mod rr;
pub mod scan;
mod sed;
mod wlc;

use crate::abi::schedule::Span;
use crate::abi::service::{MODE, SCHEDULE, Scheduler};
use crate::tables::{Line, Tables};

/// The number of the destination that the service's scheduler picks, or `None` if none is usable.
#[inline(always)]
pub fn pick<T: Tables>(tables: &T, service: T::Line) -> Option<u32> {
    const NONE: u8 = Scheduler::None as u8;
    const ROUND_ROBIN: u8 = Scheduler::RoundRobin as u8;
    let span = Span(service.load(SCHEDULE));
    match service.load(MODE) as u8 {
        NONE => None,
        ROUND_ROBIN => rr::pick(tables, span),
        scheduler => match tables.best(span, scheduler) {
            0 => None,
            dest => Some(dest),
        },
    }
}

/// Word `number` of the schedule table.
#[inline(always)]
fn word<T: Tables>(tables: &T, number: u32) -> Option<(T::Line, usize)> {
    Some((tables.schedule(number / 8)?, (number & 7) as usize))
}
