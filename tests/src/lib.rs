//! Helpers shared by the tests across crates, what is fuzzed, the model of IPVS, and what plays on a network.

mod binary;
pub mod ends;
pub mod fuzzed;
pub mod ipvs;
pub mod memory;
mod network;
pub mod replay;

pub use binary::ferrovs;
pub use network::{lead, need_root, network};
