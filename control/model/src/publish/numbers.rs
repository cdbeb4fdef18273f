//! What may not be given to anybody else yet, because a program may still be reading it.

use std::collections::BTreeSet;

use super::{Plane, spans::Piece};

/// Things taken out of use since the last [`Plane::quiesce`].
#[derive(Debug, Default)]
pub(super) struct Retired {
    /// Unknown things, left by an earlier publisher.
    everything: bool,
    /// Numbers of services.
    pub(super) services: BTreeSet<u32>,
    /// Numbers of destinations.
    pub(super) dests: BTreeSet<u32>,
    /// Pieces of the schedule table.
    pub(super) pieces: Vec<Piece>,
    /// The filter half not in use, or entries of the one in use.
    pub(super) filter: bool,
}

impl Retired {
    pub(super) fn everything() -> Self {
        Self {
            everything: true,
            filter: true,
            ..Self::default()
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.everything
            && !self.filter
            && self.services.is_empty()
            && self.dests.is_empty()
            && self.pieces.is_empty()
    }

    /// Waits until nobody reads any of it.
    pub(super) fn release<P: Plane>(&mut self, plane: &P) {
        if !self.is_empty() {
            plane.quiesce();
            *self = Self::default();
        }
    }
}

/// The numbers from 1 to below `limit` that are in neither set, ascending.
pub(super) struct FreeNumbers {
    taken: BTreeSet<u32>,
    next: u32,
    limit: u32,
}

impl FreeNumbers {
    pub(super) fn new(taken: BTreeSet<u32>, limit: u32) -> Self {
        Self {
            taken,
            next: 1,
            limit,
        }
    }
}

impl Iterator for FreeNumbers {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        while self.taken.contains(&self.next) {
            self.next += 1;
        }
        if self.next >= self.limit {
            return None;
        }
        self.next += 1;
        Some(self.next - 1)
    }
}
