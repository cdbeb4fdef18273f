//! Fragments: what the first one of a packet has told about the others, which have no ports.

use super::config::ticks;
use super::ipv6::Address;
use super::pointer::Pointer;

/// Packets that are remembered. Forgotten is the one that was not asked for for longest.
pub const PACKETS: u32 = 16_384;

/// Ticks after which what is remembered holds no more: as long as the kernel waits for fragments of IPv6
/// (`IPV6_FRAG_TIMEOUT`), and twice as long as for those of IPv4.
pub const LIFE: u32 = ticks(60);

/// What all fragments of a packet have in common: both addresses, then the identification in bits 0..32 and, of IPv4, the
/// protocol in bits 32..40 (RFC 791, section 3.2; RFC 8200, section 4.5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct FragmentKey(pub [u64; 5]);

impl FragmentKey {
    /// Of an IPv4 packet: addresses and identification in wire order.
    pub const fn new(source: u32, destination: u32, id: u16, protocol: u8) -> Self {
        let addresses = source as u64 | (destination as u64) << 32;
        // An IPv6 packet has an address in its second word, or else is from nobody.
        Self([addresses, 0, 0, 0, id as u64 | (protocol as u64) << 32])
    }

    /// Of an IPv6 packet: the identification in wire order.
    pub const fn ipv6(source: Address, destination: Address, id: u32) -> Self {
        let (Address([a, b]), Address([c, d])) = (source, destination);
        Self([a, b, c, d, id as u64])
    }
}

/// The flow of a packet: the [`Pointer`] to its line, then in bits 0..32 the direction as a number and in bits 32..64 the tick
/// at which the first fragment was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Known(pub [u64; 2]);

impl Known {
    /// Of a fragment that is seen `now`.
    pub const fn new(pointer: Pointer, direction: u32, now: u32) -> Self {
        Self([pointer.0, direction as u64 | (now as u64) << 32])
    }

    /// To the flow's line.
    pub const fn pointer(self) -> Pointer {
        let Self([pointer, _]) = self;
        Pointer(pointer)
    }

    /// The direction as a number.
    pub const fn direction(self) -> u32 {
        let Self([_, rest]) = self;
        rest as u32
    }

    /// Whether it still holds.
    pub const fn holds(self, now: u32) -> bool {
        let Self([_, rest]) = self;
        // Another CPU may be a tick ahead.
        now.wrapping_sub((rest >> 32) as u32) as i32 <= LIFE as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_keeps_its_parts_apart_and_holds_for_a_minute() {
        let pointer = Pointer::new(77, 0x00ff_fffe);
        let known = Known::new(pointer, 2, u32::MAX - 1);
        assert_eq!((known.pointer(), known.direction()), (pointer, 2));
        assert!(known.holds(u32::MAX - 2) && known.holds(u32::MAX - 1));
        assert!(known.holds((u32::MAX - 1).wrapping_add(LIFE)));
        assert!(!known.holds((u32::MAX - 1).wrapping_add(LIFE + 1)));
    }

    #[test]
    fn packets_with_the_same_number_are_told_apart() {
        let key = FragmentKey::new(1, 2, 3, 17);
        assert_ne!(key, FragmentKey::new(2, 1, 3, 17));
        assert_ne!(key, FragmentKey::new(1, 2, 4, 17));
        assert_ne!(key, FragmentKey::new(1, 2, 3, 6));
    }
}
