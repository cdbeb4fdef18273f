//! What went through services and destinations, for listings.

use std::{collections::HashMap, net::SocketAddr};

use super::{
    Figures, Plane,
    ledger::{DestRecord, Ledger},
};
use crate::{Service, Wanted};

/// Figures of everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// All services there ever were together.
    pub total: Traffic,
    /// The wanted services, in their order.
    pub services: Vec<ServiceReport>,
}

/// What went through something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// Since it was last set to zero.
    pub shown: Figures,
    /// Since it began, whatever was set to zero.
    pub lifetime: Figures,
}

/// Figures of one service.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ServiceReport {
    /// What went through it, also through servers that have been removed.
    pub traffic: Traffic,
    /// Its destinations, in list order.
    pub dests: Vec<DestReport>,
}

/// Figures of one destination.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DestReport {
    /// What went through it.
    pub traffic: Traffic,
    /// Flows in an active state.
    pub active: u32,
    /// All its other flows.
    pub inactive: u32,
    /// Templates that lead to it.
    pub persistent: u32,
}

pub(super) fn report<P: Plane>(ledger: &Ledger, plane: &P, wanted: &Wanted) -> Report {
    let figures = ledger.figures(plane);
    let lifetimes = ledger.lifetimes(&figures);
    let lifetime = ledger.lifetime(&lifetimes);
    let dests: HashMap<_, _> = ledger
        .dests
        .iter()
        .zip(figures)
        .map(|(record, counted)| ((record.service, record.address), (record, counted)))
        .collect();
    let records: HashMap<_, _> = ledger
        .services
        .iter()
        .zip(lifetimes)
        .map(|(record, lifetime)| (record.key, (record, lifetime)))
        .collect();
    let of_service = |service: &Service| {
        let Some(&(record, lifetime)) = records.get(&service.key) else {
            // It is not forwarded and never was.
            return ServiceReport {
                dests: vec![DestReport::default(); service.destinations.len()],
                ..ServiceReport::default()
            };
        };
        let of_dest = |address: SocketAddr| {
            let known = dests.get(&(record.number, address));
            known.map_or_else(DestReport::default, |&(record, counted)| {
                report_dest(plane, record, counted)
            })
        };
        ServiceReport {
            traffic: Traffic {
                shown: lifetime - record.zero,
                lifetime,
            },
            dests: service
                .destinations
                .iter()
                .map(|dest| of_dest(dest.address))
                .collect(),
        }
    };
    Report {
        total: Traffic {
            shown: lifetime - ledger.zero,
            lifetime,
        },
        services: wanted.services().iter().map(of_service).collect(),
    }
}

fn report_dest<P: Plane>(plane: &P, record: &DestRecord, counted: Figures) -> DestReport {
    let counts = plane.flows(record.number);
    DestReport {
        traffic: Traffic {
            shown: counted - record.zero,
            lifetime: counted - record.born,
        },
        active: counts.active(),
        inactive: counts.inactive(),
        persistent: plane.templates(record.number) as u32,
    }
}
