//! A table that grows, in plain memory: see [`ferrovs_core::abi::slab`].

use std::{cell::OnceCell, ops::Range};

use ferrovs_core::abi::slab::Table;

use crate::{CellLine, line::Words};

/// The first slab is always there, as in the daemon's tables.
#[derive(Debug)]
pub(crate) struct Slabs {
    table: Table,
    slabs: Vec<OnceCell<Vec<Words>>>,
}

impl Slabs {
    pub(crate) fn new(table: Table) -> Self {
        let slabs = Self {
            table,
            slabs: vec![OnceCell::new(); table.slabs() as usize],
        };
        slabs.grow(0..1);
        slabs
    }

    pub(crate) fn line(&self, line: u32) -> Option<CellLine<'_>> {
        let slab = self.slabs.get(self.table.slab_of(line) as usize)?.get()?;
        slab.get(self.table.place(line) as usize).map(CellLine::new)
    }

    /// Adds slabs until there are all of these lines; whether there may be so many.
    pub(crate) fn grow(&self, lines: Range<u32>) -> bool {
        let size = self.table.slab() as usize;
        let first = self.table.slab_of(lines.start);
        let last = self.table.slab_of(lines.end.saturating_sub(1));
        (first..=last).all(|number| {
            let place = self.slabs.get(number as usize);
            let new = || vec![Words::default(); size];
            place.map(|place| place.get_or_init(new)).is_some()
        })
    }
}
