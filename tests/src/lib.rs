//! Helpers shared by the tests across crates, what is fuzzed, and the model of IPVS.

mod binary;
pub mod fuzzed;
pub mod ipvs;
pub mod memory;
mod network;
pub mod replay;

pub use binary::ferrovs;
pub use network::{lead, need_root, network};
