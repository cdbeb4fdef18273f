//! The core on plain memory, in virtual time: the simulator's home of [`ferrovs_core`].
//!
//! [`Memory`] is the tables as vectors, with a clock and a source of random numbers that stand still
//! until they are told to move; [`SliceFrame`] is a packet as a slice of bytes. A packet is decided
//! about with `director::direct(&mut SliceFrame::new(&mut bytes), &&memory, arrival)`, the very
//! function that the eBPF programs call, and the same calls give the same result each time.
//!
//! No I/O, no threads, no real time. One CPU: what one packet does is finished before the next comes.
#![forbid(unsafe_code)]

mod frame;
mod line;
mod memory;
mod random;
mod routes;
mod slabs;

pub use frame::SliceFrame;
pub use line::CellLine;
pub use memory::{Answer, Memory, Size};
pub use random::Random;
pub use routes::{Network, Routes};
