//! What went through services and destinations, for listings.

use std::{collections::HashMap, net::SocketAddr};

use super::{
    Figures, Plane,
    ledger::{DestRecord, Ledger},
};
use crate::{Service, Wanted};

/// Figures of one service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceReport {
    /// What went through it since its counters were last zero, also through servers that have been
    /// removed.
    pub figures: Figures,
    /// Its destinations, in list order.
    pub dests: Vec<DestReport>,
}

/// Figures of one destination.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DestReport {
    /// What went through it since its counters were last zero.
    pub figures: Figures,
    /// Flows in an active state.
    pub active: u32,
    /// All its other flows.
    pub inactive: u32,
}

pub(super) fn report<P: Plane>(ledger: &Ledger, plane: &P, wanted: &Wanted) -> Vec<ServiceReport> {
    let mut sums: HashMap<u16, Figures> = HashMap::new();
    let mut dests = HashMap::new();
    for record in &ledger.dests {
        let report = report_dest(plane, record);
        let sum = sums.entry(record.service).or_default();
        *sum = *sum + report.figures;
        dests.insert((record.service, record.address), report);
    }
    let records: HashMap<_, _> = ledger
        .services
        .iter()
        .map(|record| (record.key, record))
        .collect();
    let of_service = |service: &Service| {
        let Some(record) = records.get(&service.key) else {
            return ServiceReport::default();
        };
        let through_known = sums.get(&record.number).copied().unwrap_or_default();
        let one = |address: SocketAddr| dests.get(&(record.number, address)).copied();
        let of_dests = service.destinations.iter();
        ServiceReport {
            figures: record.departed + through_known,
            dests: of_dests
                .map(|dest| one(dest.address).unwrap_or_default())
                .collect(),
        }
    };
    wanted.services().iter().map(of_service).collect()
}

fn report_dest<P: Plane>(plane: &P, record: &DestRecord) -> DestReport {
    let counts = plane.counts(record.number);
    DestReport {
        figures: plane.figures(record.number) - record.zero,
        active: counts.active(),
        inactive: counts.inactive(),
    }
}
