//! The Internet checksum, incrementally (RFC 1624, equation 3). Byte order does not matter to it
//! (RFC 1071, section 2), so all values are taken as they lie in memory.

use crate::frame::ChecksumChange;

/// What replacing `old` by `new` adds to a one's complement sum; at most 4 * 0xffff.
#[inline(always)]
pub const fn difference(old: u32, new: u32) -> u32 {
    let old = !old;
    (old & 0xffff) + (old >> 16) + (new & 0xffff) + (new >> 16)
}

/// The same of eight bytes; at most 8 * 0xffff.
#[inline(always)]
pub const fn difference_of_u64(old: u64, new: u64) -> u32 {
    difference(old as u32, new as u32) + difference((old >> 32) as u32, (new >> 32) as u32)
}

/// The checksum `old` after `difference` was added to the sum under it.
#[inline(always)]
pub const fn apply(old: u16, difference: u32) -> u16 {
    let sum = (!old) as u32 + difference;
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// The sum of the two words of 16 bits in four bytes; at most 2 * 0xffff.
#[inline(always)]
pub const fn sum_of(word: u32) -> u32 {
    (word & 0xffff) + (word >> 16)
}

/// The checksum of what has this sum, which has not overflowed.
#[inline(always)]
pub const fn finish(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// The layer-4 checksum `old` after `change`.
#[inline(always)]
pub const fn change(old: u16, change: ChecksumChange) -> u16 {
    if change.zero_is_none && old == 0 {
        return 0;
    }
    let new = apply(old, change.addresses + change.ports);
    if change.zero_is_none && new == 0 {
        0xffff
    } else {
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(words: [u32; 3]) -> u16 {
        let mut total = 0;
        for word in words {
            total += (word & 0xffff) + (word >> 16);
        }
        total = (total & 0xffff) + (total >> 16);
        total = (total & 0xffff) + (total >> 16);
        !(total as u16)
    }

    #[test]
    fn incremental_equals_from_scratch() {
        let mut x = 1u64;
        let mut random = || {
            x = x
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (x >> 32) as u32
        };
        for _ in 0..10_000 {
            let (a, b, c, d) = (random(), random(), random(), random());
            assert_eq!(apply(sum([a, b, c]), difference(b, d)), sum([a, d, c]));
        }
    }

    #[test]
    fn udp_without_checksum_stays_without() {
        let none = ChecksumChange {
            addresses: 77,
            ports: 5,
            zero_is_none: true,
            ipv6: false,
        };
        assert_eq!(change(0, none), 0);
        assert_ne!(
            change(
                0,
                ChecksumChange {
                    zero_is_none: false,
                    ..none
                }
            ),
            0
        );
    }

    #[test]
    fn udp_sum_of_zero_is_written_as_ones() {
        // !0x1234 + 0x1234 = 0xffff, whose complement is zero.
        let to_zero = ChecksumChange {
            addresses: 0x1234,
            ports: 0,
            zero_is_none: true,
            ipv6: false,
        };
        assert_eq!(change(0x1234, to_zero), 0xffff);
    }
}
