//! Destination hashing (`ip_vs_dh.c`): the address that clients write to has a server. For services with
//! many addresses, those by firewall mark.
//!
//! The 256 buckets go round the servers, whatever their weights. A server of weight 0 keeps its buckets,
//! and who hashes there is refused.

use super::Peers;

/// What is hashed of a flow.
#[inline(always)]
pub(super) const fn key(peers: Peers) -> u32 {
    peers.virtual_
}
