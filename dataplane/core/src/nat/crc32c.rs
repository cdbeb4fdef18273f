//! The checksum of SCTP after its ports have changed, without a look at the rest of the packet.
//!
//! It is a CRC (RFC 9260, appendix A): the remainder of the packet's bits, taken as a polynomial, by the
//! polynomial of CRC32c. That is linear, so what changes in the packet changes the checksum by the remainder of
//! the change alone: the difference of the ports, moved to its place by multiplication with x^(8 * bytes
//! behind it). Powers of x by square and multiply: at most sixteen multiplications, however long the packet is.
//!
//! Bits are reflected, as in the checksum itself: bit 31 of a word is the coefficient of x^0, bit 0 that of x^31.

use crate::frame::Frame;
use crate::wire::sctp::CHECKSUM;

/// x^32 modulo the polynomial of CRC32c (0x1EDC6F41, reflected).
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// x^8.
const BYTE: u32 = 1 << (31 - 8);

/// Mends the checksum of the SCTP packet at `offset`, `length` bytes long, whose ports, as memory has them, have been
/// changed by exclusive or with `change`.
///
/// One of zero is left as it is: it is not there yet (`sctp_packet_pack` leaves it to the device, which then takes
/// it over the ports as they are), or it is none (RFC 9653). The one right checksum in 2^32 that is zero becomes
/// wrong by that, and its packet is lost as others are.
#[inline(always)]
pub fn mend<F: Frame>(frame: &mut F, offset: usize, length: u32, change: u32) -> Option<()> {
    let old = frame.read_u32(offset + CHECKSUM)?;
    if old == 0 {
        return Some(());
    }
    frame.write_u32(offset + CHECKSUM, old ^ behind(change, length, F::times))
}

/// What the change of the first four bytes of a packet of `length` bytes, less than 2^16, makes of its CRC32c.
///
/// The first four bytes of n are x^(8 * (n - 4)) higher than the last ones, and the remainder is that of the
/// packet times x^32: x^(8 * n) in all. `times` is [`times`], which the eBPF programs have verified by itself.
#[inline(always)]
fn behind(change: u32, length: u32, times: impl Fn(u32, u32) -> u32) -> u32 {
    let times = |word: u32, bit: u32, power: u32| {
        if length >> bit & 1 == 0 {
            word
        } else {
            times(word, power)
        }
    };
    // Written out: an array of powers would be memory, and the eBPF programs have none of their own.
    let product = times(change, 0, const { power(0) });
    let product = times(product, 1, const { power(1) });
    let product = times(product, 2, const { power(2) });
    let product = times(product, 3, const { power(3) });
    let product = times(product, 4, const { power(4) });
    let product = times(product, 5, const { power(5) });
    let product = times(product, 6, const { power(6) });
    let product = times(product, 7, const { power(7) });
    let product = times(product, 8, const { power(8) });
    let product = times(product, 9, const { power(9) });
    let product = times(product, 10, const { power(10) });
    let product = times(product, 11, const { power(11) });
    let product = times(product, 12, const { power(12) });
    let product = times(product, 13, const { power(13) });
    let product = times(product, 14, const { power(14) });
    times(product, 15, const { power(15) })
}

/// x^(8 * 2^bit) modulo the polynomial.
const fn power(bit: u32) -> u32 {
    let mut power = BYTE;
    let mut squared = 0;
    while squared < bit {
        power = times(power, power);
        squared += 1;
    }
    power
}

/// The product of two polynomials, modulo that of CRC32c.
#[inline(always)]
pub const fn times(mut one: u32, other: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product ^= one & mask(other >> bit);
        // Times x.
        one = one >> 1 ^ POLYNOMIAL & mask(one);
    }
    product
}

/// All bits set if the lowest one is.
#[inline(always)]
const fn mask(bit: u32) -> u32 {
    (bit & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC32c over all bytes, bit by bit.
    fn crc32c(bytes: &[u8]) -> u32 {
        let mut register = u32::MAX;
        for &byte in bytes {
            register ^= u32::from(byte);
            for _ in 0..8 {
                register = register >> 1 ^ POLYNOMIAL & mask(register);
            }
        }
        !register
    }

    #[test]
    fn the_reference_is_crc32c() {
        // The check value of the catalogue of CRC algorithms.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_change_behind_any_length_is_that_of_the_whole() {
        let lengths = (4..300).chain([1400, 1452, 1480, 4096, 9000, 32_768, 65_515, 65_535]);
        for length in lengths {
            let mut bytes: Vec<u8> = (0..length).map(|at| (at * 37 + at / 251) as u8).collect();
            let before = crc32c(&bytes);
            let change = 0x8000_0001_u32.wrapping_mul(length as u32 + 1);
            for (byte, change) in bytes.iter_mut().zip(change.to_le_bytes()) {
                *byte ^= change;
            }
            assert_eq!(
                before ^ behind(change, length as u32, times),
                crc32c(&bytes),
                "{length} bytes"
            );
        }
    }
}
