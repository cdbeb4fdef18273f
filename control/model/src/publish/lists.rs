//! What schedulers pick from: which services need a new list, what is in it, and where the scheduler is.
//!
//! See [`ferrovs_core::abi::schedule`] for the table.

mod buckets;
mod content;
mod maglev;

use std::collections::{BTreeSet, HashMap};

use ferrovs_core::{
    abi::{
        filter::Entry,
        ipv6::EndpointKey,
        schedule::{LINES, Schedule},
        service,
        slab::Table,
    },
    tables::{Line, Tables},
};

use super::{
    Plane,
    endpoint::Key,
    filter, grow,
    ledger::{Ledger, ServiceRecord},
    numbers::Retired,
    spans::{Piece, Space},
};
use crate::{Refusal, ServiceKey, Wanted};
use content::Content;

/// A list to write and to switch a service over to.
#[derive(Debug)]
pub(super) struct NewList {
    pub(super) service: u16,
    /// Whether the filter already leads packets to the service.
    pub(super) reachable: bool,
    pub(super) schedule: Schedule,
    /// All words: the cursor, and what is behind it.
    pub(super) words: Vec<u64>,
}

/// The lists of the services that are `concerned` that must be written, because the order, the weights or
/// the table differ from before.
pub(super) fn new_lists<P: Plane>(
    ledger: &mut Ledger,
    plane: &P,
    retired: &Retired,
    freed: &mut Retired,
    wanted: &Wanted,
    concerned: impl Fn(&ServiceKey) -> bool,
) -> Result<Vec<NewList>, Refusal> {
    let pieces = ledger
        .services
        .iter()
        .filter_map(|record| Piece::of(record.rotation.schedule()));
    let taken = pieces
        .chain(retired.pieces.iter().copied())
        .chain(freed.pieces.iter().copied())
        .collect();
    let mut space = Space::new(taken, LINES);
    let mut records: Vec<_> = ledger.services.iter_mut().collect();
    records.retain(|record| concerned(&record.key));
    let concerned: BTreeSet<u16> = records.iter().map(|record| record.number).collect();
    let dests = ledger.dests.iter();
    let numbers: HashMap<_, u32> = dests
        .filter(|dest| concerned.contains(&dest.service))
        .map(|dest| ((dest.service, dest.address), dest.number))
        .collect();
    let mut lists = Vec::new();
    for record in records {
        let service = wanted.service(&record.key);
        let number = |address| numbers[&(record.number, address)];
        let content = service.map_or_else(Content::empty, |one| Content::of(one, number));
        let current = plane
            .tables()
            .service(u32::from(record.number))
            .map_or(Schedule(0), |line| Schedule(line.load(service::SCHEDULE)));
        let now = record.rotation.now(plane.tables(), current);
        let next = now.after(
            service.map(|one| &one.history),
            &record.order,
            &content.order,
        );
        record.order.clone_from(&content.order);
        let next = if content.schedule.is_local() {
            next.born(&mut ledger.lives, plane.tables().now())
        } else {
            next
        };
        let goes_on = next == now && current == record.rotation.schedule();
        if goes_on && content.is_in(plane.tables(), current) {
            continue;
        }
        let lines = content.schedule.lines();
        let line = space.take(lines).ok_or(Refusal::SchedulesFull)?;
        grow(plane, Table::Schedules, line..line + lines)?;
        freed.pieces.extend(Piece::of(record.rotation.schedule()));
        let schedule = content.schedule.at(line);
        let start = next.cursor(&content.order, &content.entries, schedule.scheduler());
        record.rotation = next.begin(schedule, start);
        let words = std::iter::once(start).chain(content.words());
        lists.push(NewList {
            service: record.number,
            reachable: is_reachable(plane, record),
            schedule,
            // No piece, no cursor.
            words: if lines == 0 {
                Vec::new()
            } else {
                words.collect()
            },
        });
    }
    Ok(lists)
}

/// Whether the filter leads packets to the service.
fn is_reachable<P: Plane>(plane: &P, record: &ServiceRecord) -> bool {
    let value = match Key::service(&record.key) {
        Key::V4(key) => filter::look_up(plane.tables(), key),
        Key::V6(key) => plane.tables().endpoint(&EndpointKey(key)),
    };
    value.is_some_and(|value| Entry(value).service() == record.number)
}
