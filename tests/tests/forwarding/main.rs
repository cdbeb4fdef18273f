//! ferrovs end to end: real packets through the programs, in network namespaces, for both hooks.
//!
//! Each test builds the demonstration of [`ferrovs_lab`] anew and takes it away again. They run one after
//! the other, because most of them measure what the machine does under load. `FERROVS_FULL=1` runs them
//! at their full length (a quarter of an hour instead of some minutes); `FERROVS_BINARY` names another
//! `ferrovs` than the one that cargo builds, for instance an installed one.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod calls;
mod changes;
mod cleanup;
mod demonstration;
mod direct;
mod everyone;
mod faults;
mod fragments;
mod fullnat;
mod ipv6;
mod latency;
mod load;
mod marks;
mod neighbours;
mod objects;
mod paths;
mod persistence;
mod restarts;
mod stage;
mod transfers;
mod udp;
mod unserved;
