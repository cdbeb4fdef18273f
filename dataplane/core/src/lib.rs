//! The way of a packet: everything ferrovs decides about one packet, and nothing else.
//!
//! The crate is pure: it performs no I/O and knows no clock. Packet bytes come through
//! [`frame::Frame`], shared memory through [`tables::Tables`]. Three homes implement the two traits:
//! the eBPF programs (packet and maps), the daemon (mapped memory, for sweeping and listing) and the
//! simulator (slices and vectors). One piece of code therefore decides about packets in all of them.
//!
//! Start reading at [`director`]: it is the whole way on one page.
//!
//! Contract: no panics, no allocation, no floating point, no unbounded loop. Every loop's bound is a
//! constant (see [`abi::bucket`] and [`flow::open`]), because the kernel's verifier must see it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![allow(
    clippy::cast_lossless,
    reason = "`From` is not const, and most of this is"
)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod abi;
pub mod answer;
pub mod director;
pub(crate) mod errand;
pub mod family;
pub mod flow;
pub mod fragment;
pub mod frame;
pub mod hop;
pub mod icmp;
pub mod mark;
pub mod method;
pub mod nat;
pub mod outward;
pub mod sched;
pub mod side;
pub mod sip;
pub mod tables;
pub mod verdict;
pub mod wildcard;
pub mod wire;
