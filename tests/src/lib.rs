//! Helpers shared by the tests across crates, and what is fuzzed.

mod binary;
pub mod fuzzed;
pub mod memory;
mod network;

pub use binary::ferrovs;
pub use network::{lead, need_root, network};
