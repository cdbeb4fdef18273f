//! The model of IPVS (`ferrovs_tests::ipvs`) against what the kernel's own did.
//!
//! `fixtures/behaviour` holds what a client, a director with IPVS and real servers printed. Each scenario is
//! told here once more, with the model as the director; every recorded line must come out again, or be
//! left with the reason why it is none of the model's business ([`tape`]).

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod rig;
mod scenarios;
mod show;
mod stage;
mod tape;
