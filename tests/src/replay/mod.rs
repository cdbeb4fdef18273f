//! Scenarios with real packets: scripts of commands and connections, played with the kernel's IPVS or with ferrovs
//! as the director, and what they printed, compared.
//!
//! A scenario is a shell script in `fixtures/behaviour`, which sources the network it plays in, `topo.sh`. The same
//! script runs, unmodified, whoever directs:
//!
//! - the test `replay` plays the recorded ones with ferrovs and compares with what the kernel's IPVS printed once;
//! - the program `ipvs-diff` plays any with both, on a kernel that has IPVS, and compares these.

mod compare;
mod director;
mod line;
pub mod player;
mod random;

pub use compare::{Difference, compare};
pub use director::{Director, Play};
pub use random::script;
