//! The schedule table: for each service the list from which its scheduler picks.
//!
//! The table is one long row of words over all lines. A service owns a [`Span`] of it: the first word
//! is a cursor that the programs advance, the others are an [`Entry`] for each destination in the order in
//! which the scheduler visits them. A list is never edited in place: the daemon writes a new one elsewhere
//! and switches the service over by one write of its span.

use super::WORDS;

/// Words in the table.
pub const WORDS_TOTAL: u32 = 65_536;
/// Lines in the table.
pub const LINES: u32 = WORDS_TOTAL / WORDS as u32;

/// A piece of the table: bits 0..32 first word, 32..64 number of destinations after the cursor.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Span(pub u64);

impl Span {
    /// A cursor at word `first` and `dests` destinations after it.
    pub const fn new(first: u32, dests: u32) -> Self {
        Self(first as u64 | (dests as u64) << 32)
    }

    /// Word number of the cursor.
    pub const fn first(self) -> u32 {
        self.0 as u32
    }

    /// Number of destinations.
    pub const fn dests(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A destination in a list: bits 0..32 its number, 32..64 its weight.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Entry(pub u64);

impl Entry {
    /// Destination number `dest`, never 0, of this weight.
    pub const fn new(dest: u32, weight: u32) -> Self {
        Self(dest as u64 | (weight as u64) << 32)
    }

    /// The destination's number.
    pub const fn dest(self) -> u32 {
        self.0 as u32
    }

    /// Its weight, at least 1.
    pub const fn weight(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
