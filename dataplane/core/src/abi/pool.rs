//! The pool: addresses of the director that the packets of FullNat flows are from, in place of their client's.
//!
//! An address has a number, by which flows of IPv6 know it ([`super::flow::Owner::pool`]): its line is one of
//! [`PROBES`], found by its digest. Line 0 is a set of the addresses, without their ports, as one bit each
//! ([`place`]): packets of servers with such flows ask it whether they may answer one. Only the daemon writes all of
//! this but [`EXHAUSTED`]. A number stays with its address as long as no other address needs the line.

use super::bits;

/// Lines in the table.
pub const LINES: u32 = 256;
/// Lines that may hold an address.
pub const PROBES: u32 = 8;
/// Addresses that one server may be offered, of one family.
pub const OFFERED: usize = 8;

/// First of two words: the address, an IPv4 one in the lower half of the first. Line of nobody: zeros.
pub const ADDRESS: usize = 0;
/// Word: see [`Ports`].
pub const PORTS: usize = 2;
/// Word: bits 0..32 number of the server towards which no port was left, 32..64 the tick at which that was so.
pub const EXHAUSTED: usize = 3;

/// What stands for an address of the pool where endpoint words have a digest: its number, and bits that no digest has.
const NUMBERED: u32 = 0xf << super::ipv6::DIGEST_BITS;

/// What stands for the address of this number in endpoint words of IPv6.
pub const fn stand_in(number: u32) -> u32 {
    NUMBERED | number
}

/// Whether these bits of an endpoint word of IPv6 stand for an address of the pool.
pub const fn is_stand_in(address: u32) -> bool {
    address & NUMBERED == NUMBERED
}

/// The number of the line, never 0, that may hold the address with this digest; of an IPv4 address, itself stands
/// for it. `probe` is less than [`PROBES`].
pub const fn number(digest: u32, probe: u32) -> u32 {
    (scatter(digest) >> 16).wrapping_add(probe) % (LINES - 1) + 1
}

/// The word of line 0 and its bit that are set if the address with this digest may be one of the pool.
pub const fn place(digest: u32) -> (usize, u64) {
    let at = scatter(digest) >> 23;
    ((at >> 6) as usize, 1 << (at & 63))
}

const fn scatter(digest: u32) -> u32 {
    digest.wrapping_mul(0x9e37_79b1)
}

/// The ports that may be taken at an address, host order: two ranges, so that those which the director's own
/// connections have may lie between. Bits 0..16 the first port of one, 16..32 how many it has, 32..64 likewise.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Ports(pub u64);

impl Ports {
    /// None.
    pub const NONE: Self = Self(0);

    /// From `first` to `last`, without those from `barred.0` to `barred.1`.
    pub const fn without(first: u16, last: u16, barred: (u16, u16)) -> Self {
        let (from, to) = barred;
        if from > last || to < first {
            return Self(range(first as u32, last as u32 + 1));
        }
        Self(range(first as u32, from as u32) | range(to as u32 + 1, last as u32 + 1) << 32)
    }

    /// How many there are.
    pub const fn count(self) -> u32 {
        (bits(self.0, 16, 16) + bits(self.0, 48, 16)) as u32
    }

    /// One of them, host order; `at` is less than their number.
    pub const fn port(self, at: u32) -> u16 {
        let first = bits(self.0, 16, 16) as u32;
        if at < first {
            (self.0 as u32).wrapping_add(at) as u16
        } else {
            ((self.0 >> 32) as u32).wrapping_add(at - first) as u16
        }
    }
}

/// Ports from `first` up to `end`, which is none of them.
const fn range(first: u32, end: u32) -> u64 {
    if first >= end {
        return 0;
    }
    // Of 65536 ports one is left out.
    let count = end - first;
    let count = if count > 0xffff { 0xffff } else { count };
    (first | count << 16) as u64
}

/// What a server is offered: up to [`OFFERED`] numbers of addresses, eight bits each, the first in the lowest bits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Offer(pub u64);

impl Offer {
    /// Of these numbers, none of them 0.
    pub fn of(numbers: impl Iterator<Item = u8>) -> Self {
        let numbers = numbers.take(OFFERED).enumerate();
        Self(numbers.fold(0, |word, (at, number)| word | (number as u64) << (8 * at)))
    }

    /// The number at a place, less than [`OFFERED`].
    pub const fn number(self, place: u32) -> u32 {
        bits(self.0, 8 * (place & 7), 8) as u32
    }
}

/// Which clients are near a server, and how many addresses it is offered: bits 0..8 how many leading bits their
/// addresses have in common with its own, plus one (0: none is near), 8..16 how many numbers its [`Offer`] has.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Reach(pub u64);

impl Reach {
    /// Those with a prefix of `near` bits in common, and so many addresses.
    pub const fn new(near: Option<u8>, offered: u8) -> Self {
        let near = match near {
            Some(near) => near as u64 + 1,
            None => 0,
        };
        Self(near | (offered as u64) << 8)
    }

    /// Addresses that it is offered.
    pub const fn offered(self) -> u32 {
        bits(self.0, 8, 8) as u32
    }

    /// Whether a client is near whose address differs from the server's by these bits, each half in host order.
    /// An IPv4 address is the upper half of the first. The server itself always is.
    pub const fn is_near(self, difference: [u64; 2]) -> bool {
        let [first, second] = difference;
        if first | second == 0 {
            return true;
        }
        match bits(self.0, 0, 8) {
            0 => false,
            length if length <= 64 => vanishes(first, length - 1),
            length => first == 0 && vanishes(second, length - 65),
        }
    }
}

/// Whether the highest bits of a word are zero; so many of them, at most 64.
const fn vanishes(word: u64, bits: u64) -> bool {
    bits == 0 || word >> ((64 - bits) & 63) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ports: Ports) -> Vec<u16> {
        (0..ports.count()).map(|at| ports.port(at)).collect()
    }

    #[test]
    fn barred_ports_are_left_out() {
        assert_eq!(all(Ports::without(10, 14, (12, 13))), [10, 11, 14]);
        assert_eq!(all(Ports::without(10, 14, (8, 11))), [12, 13, 14]);
        assert_eq!(all(Ports::without(10, 12, (12, 99))), [10, 11]);
        assert_eq!(all(Ports::without(10, 12, (20, 30))), [10, 11, 12]);
        assert_eq!(all(Ports::without(10, 12, (5, 9))), [10, 11, 12]);
        assert_eq!(all(Ports::without(10, 12, (5, 50))), [0_u16; 0]);
        assert_eq!(Ports::NONE.count(), 0);
        let wide = Ports::without(1024, 65_535, (32_768, 60_999));
        assert_eq!(wide.count(), 64_512 - 28_232);
        assert_eq!(all(wide).last(), Some(&65_535));
    }

    #[test]
    fn numbers_are_lines_and_never_digests() {
        for digest in (0..1 << 28).step_by(65_537) {
            for probe in 0..PROBES {
                let number = number(digest, probe);
                assert!(number > 0 && number < LINES);
                assert!(is_stand_in(stand_in(number)) && !is_stand_in(digest));
            }
            assert!(place(digest).0 < 8);
        }
    }

    #[test]
    fn an_offer_has_its_numbers_in_order() {
        let offer = Offer::of([7, 255, 1].into_iter());
        assert_eq!([0, 1, 2, 3].map(|at| offer.number(at)), [7, 255, 1, 0]);
    }

    #[test]
    fn near_is_who_has_the_prefix_in_common() {
        let v4 = |difference: u32| [u64::from(difference) << 32, 0];
        let reach = Reach::new(Some(24), 2);
        assert_eq!(reach.offered(), 2);
        assert!(reach.is_near(v4(0)) && reach.is_near(v4(0xff)) && !reach.is_near(v4(0x100)));
        let nobody = Reach::new(None, 1);
        assert!(nobody.is_near(v4(0)) && !nobody.is_near(v4(1)));
        assert!(Reach::new(Some(0), 1).is_near(v4(u32::MAX)));
        for (length, yes, no) in [
            (64, [0, u64::MAX], [1, 0]),
            (63, [1, 0], [2, 0]),
            (65, [0, u64::MAX >> 1], [0, 1 << 63]),
            (127, [0, 1], [0, 2]),
        ] {
            let reach = Reach::new(Some(length), 1);
            assert!(reach.is_near(yes) && !reach.is_near(no), "{length}");
        }
        assert!(!Reach::new(Some(128), 1).is_near([0, 1]));
    }
}
