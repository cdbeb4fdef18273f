//! A line of a map: eight words, each read and written whole.
//!
//! The BPF target has no `AtomicU64` with compare-and-exchange, so the intrinsics are used, which
//! become BPF's `cmpxchg` and `lock add`. A volatile read is an acquire and a volatile write a release
//! only where the CPU orders them so, as x86-64 does; the daemon refuses to load this object elsewhere.

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};

use ferrovs_core::abi::WORDS;
use ferrovs_core::tables::Line;

/// Points to a line of a map, which lives as long as the program runs.
#[derive(Clone, Copy)]
pub struct MapLine(*mut u64);

impl MapLine {
    /// Of an array element, as the map's look-up returned it.
    #[inline(always)]
    pub fn new(line: *mut [u64; WORDS]) -> Self {
        Self(line.cast())
    }

    #[inline(always)]
    fn word(self, word: usize) -> *mut u64 {
        // SAFETY: within the line's eight words.
        unsafe { self.0.add(word & (WORDS - 1)) }
    }
}

impl Line for MapLine {
    #[inline(always)]
    fn load(self, word: usize) -> u64 {
        // SAFETY: an aligned word of a map element.
        unsafe { self.word(word).read_volatile() }
    }

    #[inline(always)]
    fn store(self, word: usize, value: u64) {
        // SAFETY: an aligned word of a map element.
        unsafe { self.word(word).write_volatile(value) }
    }

    #[inline(always)]
    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool {
        compare_exchange(self.word(word), current, new)
    }

    #[inline(always)]
    fn fetch_add(self, word: usize, value: u64) -> u64 {
        // SAFETY: an aligned word of a map element.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(self.word(word), value) }
    }
}

/// Sets a word in a map element to `new` if it is `current`; whether it was.
#[inline(always)]
pub fn compare_exchange(word: *mut u64, current: u64, new: u64) -> bool {
    // SAFETY: an aligned word of a map element.
    unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
            word, current, new,
        )
        .1
    }
}
