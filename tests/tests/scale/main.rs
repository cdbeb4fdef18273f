//! Many flows, made by packets: a million of them through both hooks, one client that has very many,
//! one source port that reaches very many services; and very many services and servers.
//!
//! In its short form everything is smaller by the same factor, the table too. `FERROVS_FULL=1` runs
//! the whole: best in a release build, and with `--nocapture` it says what it measured.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod listing;
mod million;
mod one_client;
mod one_port;
mod packets;
mod promised;
mod stage;
mod tables;
#[path = "../packets/test_run.rs"]
#[allow(dead_code, reason = "the table of packets needs more of it")]
mod test_run;
mod thousands;
