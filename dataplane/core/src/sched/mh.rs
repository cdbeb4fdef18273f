//! Maglev hashing (`ip_vs_mh.c`; Eisenbud and others, NSDI 2016, 3.4): as [`super::sh`], but when a server
//! comes or goes, hardly any client but its own changes its server.
//!
//! The daemon fills the buckets with the same hash.

use crate::abi::schedule::MAGLEV_BUCKETS;

/// Key of the hash that tells a client's bucket and a server's first one (`hash1`).
pub const FIRST: u64 = 2_654_435_761;
/// Key of the hash that tells a server's further buckets (`hash2`).
pub const SECOND: u64 = 2_654_446_892;

/// The bucket of a key, `offset` further on (`ip_vs_mh_hashkey`).
#[inline(always)]
pub const fn bucket(key: u32, offset: u32) -> u32 {
    hash(key.wrapping_add(offset), FIRST) % MAGLEV_BUCKETS
}

/// SipHash-1-3 of one number, with a key of twice `key` (`hsiphash_1u32` on a 64-bit machine; Aumasson and
/// Bernstein 2012).
#[inline(always)]
pub const fn hash(number: u32, key: u64) -> u32 {
    let block = 4 << 56 | number as u64;
    let mut v = [
        key ^ 0x736f_6d65_7073_6575,
        key ^ 0x646f_7261_6e64_6f6d,
        key ^ 0x6c79_6765_6e65_7261,
        key ^ 0x7465_6462_7974_6573 ^ block,
    ];
    v = round(v);
    let [a, b, c, d] = v;
    v = round(round(round([a ^ block, b, c ^ 0xff, d])));
    let [a, b, c, d] = v;
    (a ^ b ^ c ^ d) as u32
}

#[inline(always)]
const fn round([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let (a, c) = (a.wrapping_add(b), c.wrapping_add(d));
    let (b, d) = (b.rotate_left(13) ^ a, d.rotate_left(16) ^ c);
    let a = a.rotate_left(32);
    let (c, a) = (c.wrapping_add(b), a.wrapping_add(d));
    let (b, d) = (b.rotate_left(17) ^ c, d.rotate_left(21) ^ a);
    [a, b, c.rotate_left(32), d]
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;
    use std::collections::hash_map::DefaultHasher;

    #[test]
    fn the_hash_is_that_of_the_standard_library_where_keys_are_equal() {
        for number in [0, 1, 0xc0a8_0201, u32::MAX] {
            let mut hasher = DefaultHasher::new();
            hasher.write(&number.to_le_bytes());
            assert_eq!(super::hash(number, 0), hasher.finish() as u32);
        }
    }
}
