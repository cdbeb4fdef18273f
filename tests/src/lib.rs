//! Helpers shared by the tests across crates.

mod binary;
pub mod memory;

pub use binary::ferrovs;
