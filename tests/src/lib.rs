//! Helpers shared by the tests across crates, and what is fuzzed.

mod binary;
pub mod fuzzed;
pub mod memory;

pub use binary::ferrovs;
