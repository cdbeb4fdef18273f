//! A line of a table in plain memory.

use std::cell::Cell;

use ferrovs_core::{abi::WORDS, tables::Line};

/// The words of a line. One thread uses them, so nothing has to be atomic.
pub(crate) type Words = [Cell<u64>; WORDS];

/// Points to a line of a [`crate::Memory`].
#[derive(Clone, Copy, Debug)]
pub struct CellLine<'a>(&'a Words);

impl<'a> CellLine<'a> {
    pub(crate) const fn new(words: &'a Words) -> Self {
        Self(words)
    }

    fn word(self, word: usize) -> &'a Cell<u64> {
        &self.0[word % WORDS]
    }
}

impl Line for CellLine<'_> {
    fn load(self, word: usize) -> u64 {
        self.word(word).get()
    }

    fn store(self, word: usize, value: u64) {
        self.word(word).set(value);
    }

    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool {
        let same = self.load(word) == current;
        if same {
            self.store(word, new);
        }
        same
    }

    fn fetch_add(self, word: usize, value: u64) -> u64 {
        let old = self.load(word);
        self.store(word, old.wrapping_add(value));
        old
    }
}
