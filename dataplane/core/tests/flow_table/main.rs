//! The flow table under threads, under a daemon that dies, and under a million flows.
//!
//! * [`claims`]: the claim protocol model-checked with loom, which runs a scene in all interleavings
//!   (up to a number of preemptions) and with all values that the memory model lets a load see.
//! * [`dying`]: a daemon that is killed, or stands still for long, after each single step.
//! * [`stress`]: real threads on a small table.
//! * [`geometry`]: how full the table can be before a flow is refused.
//!
//! All of them run the core's own code; [`world`] is its tables, [`audit`] says what must hold.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod audit;
mod claims;
mod dying;
mod geometry;
mod scene;
mod stress;
mod world;
