//! The `ferrovs` program as a library: one module per face it shows, so that tests can run each
//! without starting a process.

pub mod cli;
pub mod daemon;
pub mod ipvsadm;
pub mod lab;
pub mod proc;
