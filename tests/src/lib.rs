//! Helpers shared by the tests across crates.

mod binary;

pub use binary::ferrovs;
