//! Tables that grow, as memory: see [`ferrovs_core::abi::slab`].
//!
//! To the kernel such a table is an array of maps, in which the programs find the slab, and the slabs are
//! mapped arrays. The table holds its slabs, so they outlive the daemon as it does. Slabs are added, never
//! taken away: a program may be about to read any of them.

use std::{
    io,
    ops::Range,
    os::fd::{AsFd, OwnedFd},
    sync::{Mutex, OnceLock, PoisonError},
};

use ferrovs_core::abi::{LINE_BYTES, slab::Table};

use crate::{
    mapped::{Lines, Words},
    sys::{self, NewMap},
};

/// `BPF_MAP_TYPE_ARRAY`.
const ARRAY: u32 = 2;
/// `BPF_F_MMAPABLE`.
const MMAPABLE: u32 = 1 << 10;

/// A table that grows. The first slab is always there.
#[derive(Debug)]
pub(crate) struct Slabs {
    table: Table,
    /// The array of maps.
    outer: OwnedFd,
    slabs: Box<[OnceLock<Lines>]>,
    /// How often a slab has the table's lines: once for each CPU.
    cpus: u32,
    growing: Mutex<()>,
}

impl Slabs {
    /// The name of the table's map.
    pub(crate) const fn name(table: Table) -> &'static str {
        match table {
            Table::Services => "SERVICES",
            Table::Schedules => "SCHEDULES",
            Table::Dests => "DESTS",
            Table::DestTraffic => "DEST_TRAFFIC",
            Table::NextHops => "NEXT_HOPS",
            Table::Filter => "FILTER",
        }
    }

    /// Maps all slabs that the table has.
    pub(crate) fn open(table: Table, outer: OwnedFd) -> io::Result<Self> {
        let slabs: Box<[OnceLock<Lines>]> = (0..table.slabs()).map(|_| OnceLock::new()).collect();
        for (number, place) in (0_u32..).zip(&slabs) {
            // SAFETY: keys and values of an array of maps are four bytes.
            let found = unsafe { sys::lookup::<u32, u32>(outer.as_fd(), &number) }?;
            if let Some(id) = found {
                let slab = sys::map_by_id(id)?;
                // The place was empty.
                let _ = place.set(Lines::map(slab.as_fd())?);
            }
        }
        let first = slabs.first().and_then(OnceLock::get);
        let first = first.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            table,
            outer,
            cpus: first.count() / table.slab(),
            slabs,
            growing: Mutex::new(()),
        })
    }

    /// How often a slab has the table's lines: once, or once for each CPU.
    pub(crate) const fn cpus(&self) -> u32 {
        self.cpus
    }

    /// The line with this number.
    pub(crate) fn get(&self, line: u32) -> Option<Words<'_>> {
        self.get_on(0, line)
    }

    /// The line with this number of one CPU.
    pub(crate) fn get_on(&self, cpu: u32, line: u32) -> Option<Words<'_>> {
        let slab = self.slabs.get(self.table.slab_of(line) as usize)?.get()?;
        slab.get(cpu * self.table.slab() + self.table.place(line))
    }

    /// Adds slabs until there are all of these lines.
    ///
    /// # Errors
    /// `ENOMEM`, or `InvalidInput` when there may never be so many.
    pub(crate) fn grow(&self, lines: Range<u32>) -> io::Result<()> {
        let Some(last) = lines.end.checked_sub(1).filter(|last| *last >= lines.start) else {
            return Ok(());
        };
        for number in self.table.slab_of(lines.start)..=self.table.slab_of(last) {
            let place = self.slabs.get(number as usize);
            let place = place.ok_or(io::ErrorKind::InvalidInput)?;
            if place.get().is_none() {
                self.add(number, place)?;
            }
        }
        Ok(())
    }

    fn add(&self, number: u32, place: &OnceLock<Lines>) -> io::Result<()> {
        let _alone = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        if place.get().is_some() {
            return Ok(());
        }
        let slab = sys::create_map(&NewMap {
            name: Self::name(self.table),
            kind: ARRAY,
            key_size: size_of::<u32>() as u32,
            value_size: LINE_BYTES as u32,
            max_entries: self.cpus * self.table.slab(),
            flags: MMAPABLE,
            types: None,
            inner: None,
        })?;
        let lines = Lines::map(slab.as_fd())?;
        sys::put_map(self.outer.as_fd(), number, slab.as_fd())?;
        // Nobody else adds any, and the place was empty.
        let _ = place.set(lines);
        Ok(())
    }

    /// Bytes of the slabs that are there, and of their table.
    pub(crate) fn bytes(&self) -> u64 {
        let slabs = self.slabs.iter().filter_map(OnceLock::get);
        slabs.map(Lines::bytes).sum::<u64>() + u64::from(self.table.slabs()) * 8
    }
}
