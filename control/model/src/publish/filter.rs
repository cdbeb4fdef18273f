//! The endpoint filter: what stands in it, what has to change, and where a key finds a place.
//!
//! See [`ferrovs_core::abi::filter`] for the table. Small changes are made in the half in use; when a
//! key finds no place there, all keys are laid out anew in the other half, larger or with another
//! seed, and one store of the geometry switches over.

use std::collections::BTreeMap;

use ferrovs_core::{
    abi::{
        config,
        endpoint::{Endpoint, tag},
        filter::{ENTRIES, Geometry, PROBES, virtual_key},
        slab::Table,
    },
    tables::{Line, Tables},
};

use super::{Plane, grow, numbers::Retired};
use crate::Refusal;

/// Binary logarithm of the lines a half begins with: 1 KiB, always in the cache.
pub const INITIAL_LOG2: u32 = 4;

/// Seeds tried for one size before the next larger is taken.
const SEEDS: u32 = 8;
/// Seeds tried for the largest size.
const SEEDS_AT_LAST: u32 = 512;
/// Keys moved to make room for one before another seed is tried.
const MOVES: usize = 500;

/// One half of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Half {
    /// Number of its first line.
    pub first: u32,
    /// Lines it has room for, a power of two.
    pub lines: u32,
}

impl Half {
    /// The two halves of a table of `lines` lines.
    #[must_use]
    pub const fn both(lines: u32) -> [Self; 2] {
        let lines = lines / 2;
        [
            Self { first: 0, lines },
            Self {
                first: lines,
                lines,
            },
        ]
    }
}

/// What has to be written.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// In the half in use, in this order: real servers' endpoints first, so that a service can be
    /// reached only when its servers' replies are recognised.
    Edits {
        /// What changes.
        edits: Vec<Edit>,
        /// The flags of the geometry.
        flags: u64,
    },
    /// Everything, in the half of that geometry.
    Rebuild {
        /// The half, its size and seed.
        geometry: Geometry,
        /// Keys and values of each line.
        lines: Vec<Cells>,
    },
}

/// Keys and values of a line; key 0: nothing.
pub(super) type Cells = [(u64, u64); ENTRIES];

/// One change in place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Edit {
    /// A key that is there gets another value.
    Set { line: u32, cell: usize, value: u64 },
    /// A key takes an empty cell.
    Add {
        line: u32,
        cell: usize,
        key: u64,
        value: u64,
    },
    /// A key goes.
    Remove { line: u32, cell: usize },
}

/// Works out how to make the filter hold exactly `wanted`, key to value, with these flags of its geometry.
pub(super) fn plan<P: Plane>(
    plane: &P,
    wanted: &BTreeMap<u64, u64>,
    flags: u64,
    retired: &mut Retired,
) -> Result<Change, Refusal> {
    let geometry = in_use(plane.tables());
    let mut table = read(plane.tables(), geometry);
    let mut missing = wanted.clone();
    let mut edits = Vec::new();
    for (at, cells) in table.iter_mut().enumerate() {
        let line = geometry.first() + at as u32;
        for (cell, (key, value)) in cells
            .iter_mut()
            .enumerate()
            .filter(|(_, (key, _))| *key != 0)
        {
            match missing.remove(key) {
                Some(wanted) if wanted == *value => {}
                Some(value) => edits.push((*key, Edit::Set { line, cell, value })),
                // Its cell is left alone for now: a program may have read the key already.
                None => edits.push((*key, Edit::Remove { line, cell })),
            }
        }
    }
    if missing.is_empty() {
        return Ok(in_order(edits, flags));
    }
    if retired.filter {
        retired.release(plane);
    }
    for (&key, &value) in &missing {
        let Some((at, cell)) = empty_cell(&table, geometry, key) else {
            return rebuild(plane, wanted, flags);
        };
        table[at][cell] = (key, value);
        let line = geometry.first() + at as u32;
        let add = Edit::Add {
            line,
            cell,
            key,
            value,
        };
        edits.push((key, add));
    }
    Ok(in_order(edits, flags))
}

fn in_order(mut edits: Vec<(u64, Edit)>, flags: u64) -> Change {
    let is_virtual = |key| key == virtual_key(Endpoint::unpack(key), tag(key) as u8);
    edits.sort_by_key(|&(key, _)| is_virtual(key));
    Change::Edits {
        edits: edits.into_iter().map(|(_, edit)| edit).collect(),
        flags,
    }
}

/// The value of a key.
pub(super) fn look_up<T: Tables>(tables: &T, key: u64) -> Option<u64> {
    let geometry = in_use(tables);
    (0..PROBES).find_map(|probe| {
        let line = tables.filter(geometry.line(key, probe))?;
        let cell = (0..ENTRIES).find(|&cell| line.load(cell) == key)?;
        Some(line.load(ENTRIES + cell))
    })
}

/// Makes a change. Whether something went out of use that a program may still be reading.
pub(super) fn write<P: Plane>(plane: &P, change: &Change) -> bool {
    match change {
        Change::None => false,
        Change::Edits { edits, flags } => {
            let geometry = in_use(plane.tables());
            // While both hold, all that either needs is looked for.
            switch(plane.tables(), Geometry(geometry.0 | flags));
            for &edit in edits {
                write_edit(plane.tables(), edit);
            }
            switch(plane.tables(), geometry.with(*flags));
            edits.iter().any(|edit| matches!(edit, Edit::Remove { .. }))
        }
        Change::Rebuild { geometry, lines } => {
            for (line, cells) in (geometry.first()..).zip(lines) {
                let Some(line) = plane.tables().filter(line) else {
                    continue;
                };
                for (cell, &(key, value)) in cells.iter().enumerate() {
                    line.store(ENTRIES + cell, value);
                    line.store(cell, key);
                }
            }
            switch(plane.tables(), *geometry);
            true
        }
    }
}

/// Has the programs go by this geometry.
fn switch<T: Tables>(tables: &T, geometry: Geometry) {
    if let Some(config) = tables.config(0)
        && config.load(config::FILTER) != geometry.0
    {
        config.store(config::FILTER, geometry.0);
    }
}

fn write_edit<T: Tables>(tables: &T, edit: Edit) {
    let (Edit::Set { line, .. } | Edit::Add { line, .. } | Edit::Remove { line, .. }) = edit;
    let Some(line) = tables.filter(line) else {
        return;
    };
    match edit {
        Edit::Set { cell, value, .. } => line.store(ENTRIES + cell, value),
        Edit::Add {
            cell, key, value, ..
        } => {
            line.store(ENTRIES + cell, value);
            line.store(cell, key);
        }
        Edit::Remove { cell, .. } => line.store(cell, 0),
    }
}

/// Lays everything out in the half that is not in use.
fn rebuild<P: Plane>(
    plane: &P,
    wanted: &BTreeMap<u64, u64>,
    flags: u64,
) -> Result<Change, Refusal> {
    let current = in_use(plane.tables()).first();
    let [one, other] = Half::both(plane.filter_lines());
    let half = if current == one.first { other } else { one };
    let largest = half.lines.ilog2();
    // A quarter full at most, so that most keys lie in the first line that is looked at.
    let fitting = (wanted.len() as u32).max(1).next_power_of_two().ilog2();
    let smallest = fitting.clamp(INITIAL_LOG2.min(largest), largest);
    for log2 in smallest..=largest {
        let seeds = if log2 == largest {
            SEEDS_AT_LAST
        } else {
            SEEDS
        };
        for _ in 0..seeds {
            let geometry = Geometry::new(half.first, log2, plane.tables().random()).with(flags);
            if let Some(lines) = lay_out(geometry, wanted) {
                grow(plane, Table::Filter, half.first..half.first + (1 << log2))?;
                return Ok(Change::Rebuild { geometry, lines });
            }
        }
    }
    Err(Refusal::TableFull)
}

/// Places all keys, each in one of its two lines.
fn lay_out(geometry: Geometry, wanted: &BTreeMap<u64, u64>) -> Option<Vec<Cells>> {
    let mut table = vec![Cells::default(); geometry.lines()];
    for (&key, &value) in wanted {
        match empty_cell(&table, geometry, key) {
            Some((at, cell)) => table[at][cell] = (key, value),
            None => make_room(&mut table, geometry, (key, value))?,
        }
    }
    Some(table)
}

/// Places an entry whose lines are both full: it takes the place of another, which goes to its own other
/// line, if need be in the place of a third, and so on.
fn make_room(table: &mut [Cells], geometry: Geometry, entry: (u64, u64)) -> Option<()> {
    let mut homeless = entry;
    let mut line = geometry.index(entry.0, 0);
    for moves in 0..MOVES {
        // Never the cell that was taken last, so that it does not go to and fro between two.
        std::mem::swap(&mut table[line][moves % ENTRIES], &mut homeless);
        let [first, second] = [0, 1].map(|probe| geometry.index(homeless.0, probe));
        line = if line == first { second } else { first };
        if let Some(free) = table[line].iter().position(|&(key, _)| key == 0) {
            table[line][free] = homeless;
            return Some(());
        }
    }
    None
}

fn empty_cell(table: &[Cells], geometry: Geometry, key: u64) -> Option<(usize, usize)> {
    (0..PROBES).find_map(|probe| {
        let line = geometry.index(key, probe);
        let cell = table[line].iter().position(|&(key, _)| key == 0)?;
        Some((line, cell))
    })
}

fn in_use<T: Tables>(tables: &T) -> Geometry {
    Geometry(
        tables
            .config(0)
            .map_or(0, |config| config.load(config::FILTER)),
    )
}

fn read<T: Tables>(tables: &T, geometry: Geometry) -> Vec<Cells> {
    (geometry.first()..)
        .take(geometry.lines())
        .map(|number| {
            let mut cells = Cells::default();
            if let Some(line) = tables.filter(number) {
                for (cell, entry) in cells.iter_mut().enumerate() {
                    *entry = (line.load(cell), line.load(ENTRIES + cell));
                }
            }
            cells
        })
        .collect()
}

/// Reading a [`Geometry`] back.
trait Parts {
    fn first(self) -> u32;
    fn lines(self) -> usize;
    fn index(self, key: u64, probe: u32) -> usize;
}

impl Parts for Geometry {
    fn first(self) -> u32 {
        self.0 as u32
    }

    fn lines(self) -> usize {
        1 << (self.0 >> 32 & 31)
    }

    /// Place of a probe's line within the half.
    fn index(self, key: u64, probe: u32) -> usize {
        (self.line(key, probe) - self.first()) as usize
    }
}
