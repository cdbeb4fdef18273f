//! Halving. Without branches where there can be none: of each, the verifier would follow both ways, and of
//! all together every combination.

use core::hint::black_box;

use super::load;
use crate::tables::Tables;

/// How many of the `count` (at most 65,535) ascending words from word `first` on are, shifted right by
/// `shift`, not greater than `value`.
#[inline(always)]
pub fn below<T: Tables>(tables: &T, first: u32, count: u32, value: u64, shift: u32) -> u32 {
    let mut found = 0;
    let mut step = highest_bit(count);
    for _ in 0..u16::BITS {
        if step == 0 {
            break;
        }
        let next = found + step;
        let in_row = one_if_le(next as u64, count as u64);
        let Some(word) = load(tables, first + (next - 1) * in_row) else {
            break;
        };
        found += step * in_row * one_if_le(word >> (shift & 63), value);
        step >>= 1;
    }
    found
}

/// The highest bit that is set of a number below 65,536.
#[inline(always)]
const fn highest_bit(number: u32) -> u32 {
    let mut below = number >> 1 | number;
    below |= below >> 2;
    below |= below >> 4;
    below |= below >> 8;
    below ^ below >> 1
}

/// The number of the bit of `word` (of bits 0..48) that has `nth` bits set below it and is set itself.
#[inline(always)]
pub(super) fn nth_bit(word: u64, nth: u32) -> u32 {
    let mut rest = word;
    let mut nth = nth;
    let mut bit = 0;
    let mut width = 32;
    while width > 0 {
        let low = (rest & ((1 << width) - 1)).count_ones();
        let goes_up = one_if_le(low as u64, nth as u64);
        nth -= low * goes_up;
        rest >>= width * goes_up;
        bit += width * goes_up;
        width >>= 1;
    }
    bit
}

/// 1 if `a` is not greater than `b`, else 0; both below 2^63. The compiler is kept from seeing that this is a
/// comparison, which it would make a branch of. (Not a mask of all ones: the verifier of Linux 6.18 follows
/// both values of that, too.)
#[inline(always)]
fn one_if_le(a: u64, b: u64) -> u32 {
    (black_box(a.wrapping_sub(b).wrapping_sub(1)) >> 63) as u32
}

#[cfg(test)]
mod tests {
    use super::nth_bit;

    #[test]
    fn each_set_bit_is_found_by_its_rank() {
        for word in [
            1_u64,
            0b1011,
            1 << 47,
            0x8000_0000_0001,
            0x5a5a_5a5a_5a5a,
            (1 << 48) - 1,
        ] {
            let set = (0..48).filter(|bit| word >> bit & 1 != 0);
            for (nth, bit) in set.enumerate() {
                assert_eq!(nth_bit(word | 0xffff << 48, nth as u32), bit, "{word:x}");
            }
        }
    }
}
