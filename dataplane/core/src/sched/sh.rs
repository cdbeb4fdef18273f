//! Source hashing (`ip_vs_sh.c`): a client's address always has the same server, as long as servers and
//! weights stay. With the flag `sh-port` its port counts too.
//!
//! Weights say how many of the 256 buckets in a row are a server's; the daemon fills them.

use super::Peers;
use crate::abi::schedule::{HASH_BUCKETS, Schedule};

/// What is hashed of a flow (also by mh and mhb).
#[inline(always)]
pub(super) const fn key(schedule: Schedule, peers: Peers) -> u32 {
    if schedule.has(Schedule::PORT) {
        peers.client.wrapping_add(peers.port as u32)
    } else {
        peers.client
    }
}

/// The bucket of a key, `offset` further on (`ip_vs_sh_hashkey`: the upper eight bits of a product with
/// the golden ratio, `hash_32`).
#[inline(always)]
pub const fn bucket(key: u32, offset: u32) -> u32 {
    let hash = key.wrapping_mul(0x61c8_8647) >> 24;
    hash.wrapping_add(offset) % HASH_BUCKETS
}
