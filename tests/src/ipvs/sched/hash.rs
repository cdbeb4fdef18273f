//! The kernel's hash functions (`include/linux/hash.h`, `lib/siphash.c`).

use std::net::IpAddr;

/// An address as one number: of IPv6, its four words folded.
pub(super) fn fold(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            [96, 64, 32, 0]
                .into_iter()
                .fold(0, |sum, shift| sum ^ (bits >> shift) as u32)
        }
    }
}

/// Knuth's multiplicative hash to 256 values (`hash_32(value, 8)`).
pub(super) const fn hash_8(value: u32) -> u8 {
    (value.wrapping_mul(0x61C8_8647) >> 24) as u8
}

/// SipHash-1-3 of one 32-bit number, of which the lower half counts (`hsiphash_1u32` on a 64-bit host).
/// Both halves of the key are `key`.
pub(super) fn hsiphash(value: u32, key: u64) -> u32 {
    let mut v = [
        0x736f_6d65_7073_6575 ^ key,
        0x646f_7261_6e64_6f6d ^ key,
        0x6c79_6765_6e65_7261 ^ key,
        0x7465_6462_7974_6573 ^ key,
    ];
    let message = 4 << 56 | u64::from(value);
    v[3] ^= message;
    round(&mut v);
    v[0] ^= message;
    v[2] ^= 0xff;
    for _ in 0..3 {
        round(&mut v);
    }
    (v[0] ^ v[1] ^ v[2] ^ v[3]) as u32
}

fn round(v: &mut [u64; 4]) {
    let mut mix = |a: usize, b: usize, by: u32| {
        v[a] = v[a].wrapping_add(v[b]);
        v[b] = v[b].rotate_left(by) ^ v[a];
        if by == 13 || by == 17 {
            v[a] = v[a].rotate_left(32);
        }
    };
    mix(0, 1, 13);
    mix(2, 3, 16);
    mix(0, 3, 21);
    mix(2, 1, 17);
}
