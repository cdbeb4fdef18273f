//! Where in the table a flow lives.
//!
//! Hashed, with secrets drawn at start, from client endpoint, protocol and service number: what both
//! directions know. (`ip_vs_conn_hashkey` hashes the client's endpoint alone; the service is added so
//! that a NAT gateway in front of many services does not pile its flows into one bucket.)

use crate::abi::bucket::WAYS;
use crate::abi::config;
use crate::abi::ipv6::Address;
use crate::tables::Line;

/// A flow's home, and where it may live when the home is full.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Place {
    /// Number of the home bucket.
    pub bucket: u32,
    /// The way tried first, 1..=7.
    pub way: u32,
    /// Never 0.
    pub tag: u8,
    hash: u64,
    mask: u32,
}

/// The place of the flow of this client (endpoint word with protocol tag) with this service. `config`
/// is line 0.
#[inline(always)]
pub fn of<L: Line>(config: L, client: u64, service: u16) -> Place {
    let secret = config.load(config::SECRET1) | 1;
    let mut x = (client ^ config.load(config::SECRET0)).wrapping_mul(secret);
    x ^= x >> 32;
    x = x
        .wrapping_add(service as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(secret);
    x ^= x >> 32;
    let mask = config.load(config::BUCKET_MASK) as u32;
    let tag = (x >> 56) as u8;
    Place {
        bucket: x as u32 & mask,
        way: ((((x >> 32) & 0xffff) * WAYS as u64) >> 16) as u32 + 1,
        tag: if tag == 0 { 1 } else { tag },
        hash: x,
        mask,
    }
}

/// The digest of an IPv6 address that stands for it in endpoint words. `config` is line 0.
#[inline(always)]
pub fn digest<L: Line>(config: L, address: Address) -> u32 {
    address.digest([config.load(config::SECRET0), config.load(config::SECRET1)])
}

impl Place {
    /// The numbers of two other buckets, 32 bits each.
    #[inline(always)]
    pub const fn alternatives(&self) -> u64 {
        let step = (self.hash >> 40) as u32 | 1;
        let first = self.bucket.wrapping_add(step) & self.mask;
        let second = self.bucket.wrapping_add(step.wrapping_mul(2)) & self.mask;
        first as u64 | (second as u64) << 32
    }
}
