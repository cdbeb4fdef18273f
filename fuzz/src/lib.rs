//! How inputs for [`ferrovs_tests::fuzzed`] are made from others: by words, by lines and by JSON values
//! rather than by bytes, with the words that the grammar knows. What must hold for them is not here but
//! there, so that tests without libFuzzer hold it too.
//!
//! `fuzz_targets/` has a program for each target: it hands libFuzzer's inputs to the checks, and the
//! wish for a new one to [`Text`] or [`json`].

pub mod json;
mod text;
pub mod vocabulary;

use ferrovs_sim::Random;

pub use text::Text;

/// A number below `end`, which is not 0.
fn below(random: &Random, end: usize) -> usize {
    (random.draw() % end as u64) as usize
}
