//! What a program asks the daemon to tell the sender of a packet by ICMP: a record of the ring between them.
//!
//! A program cannot make a packet. It leaves in the ring what it wants said and the beginning of the packet that
//! it is about, and the daemon sends it. Records have one size: word [`REQUEST`], word [`INTERFACE`], and
//! [`QUOTE`] bytes of the packet from its IP header on, of which so many count as the request says.

use super::bits;

/// Bytes of a packet that an answer can quote: what is left of the smallest MTU of IPv6 behind the headers of
/// IPv6 and ICMP (RFC 4443, section 2.4 c).
pub const QUOTE: usize = 1232;

/// Words of a record.
pub const WORDS: usize = 2 + QUOTE / 8;

/// Word of a record: see [`Request`].
pub const REQUEST: usize = 0;
/// Word of a record: index of the interface that the packet came in by.
pub const INTERFACE: usize = 1;
/// First word of a record that belongs to the quoted packet.
pub const PACKET: usize = 2;

/// Bytes of the ring, a power of two: some 400 records.
pub const RING: usize = 512 * 1024;

/// Sources whose answers are remembered, so that none gets too many. Forgotten is the one that was not answered
/// for longest.
pub const SOURCES: u32 = 4096;

/// What the sender is to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(u8)]
pub enum Kind {
    /// Nobody serves there: destination unreachable, port unreachable.
    PortUnreachable = 0,
    /// The packet does not fit through what lies behind: fragmentation needed (RFC 1191), packet too big.
    TooBig = 1,
    /// Its TTL or hop limit has come to its end here: time exceeded in transit.
    TimeExceeded = 2,
}

/// bits 0..8 the [`Kind`], 8 whether it is an IPv6 packet, 9 whether the answer comes from the director's own
/// address and not from where the packet went, 16..32 the bytes that are quoted, 32..64 the MTU
/// ([`Kind::TooBig`]).
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Request(pub u64);

impl Request {
    const IPV6: u64 = 1 << 8;
    const OWN: u64 = 1 << 9;

    /// Nobody serves where this packet went, which says so itself.
    pub const fn port_unreachable(ipv6: bool) -> Self {
        Self::new(Kind::PortUnreachable, ipv6)
    }

    /// Packets of more than `mtu` bytes, IP header included, do not get there.
    pub const fn too_big(ipv6: bool, mtu: u32) -> Self {
        Self(Self::new(Kind::TooBig, ipv6).0 | (mtu as u64) << 32)
    }

    /// The packet's TTL has come to its end.
    pub const fn time_exceeded(ipv6: bool) -> Self {
        Self::new(Kind::TimeExceeded, ipv6)
    }

    const fn new(kind: Kind, ipv6: bool) -> Self {
        Self(kind as u64).of_family(ipv6)
    }

    /// The same of a packet of this family.
    #[must_use]
    pub const fn of_family(self, ipv6: bool) -> Self {
        Self(self.0 & !Self::IPV6 | if ipv6 { Self::IPV6 } else { 0 })
    }

    /// The same, said by the director itself.
    #[must_use]
    pub const fn by_director(self) -> Self {
        Self(self.0 | Self::OWN)
    }

    /// The same with so many bytes quoted.
    #[must_use]
    pub const fn quoting(self, bytes: usize) -> Self {
        Self(self.0 & !0xffff_0000 | (bytes as u64 & 0xffff) << 16)
    }

    /// What is to be said; `None` if this version knows no such thing.
    pub const fn kind(self) -> Option<Kind> {
        match self.0 as u8 {
            0 => Some(Kind::PortUnreachable),
            1 => Some(Kind::TooBig),
            2 => Some(Kind::TimeExceeded),
            _ => None,
        }
    }

    /// Whether the packet is an IPv6 one.
    pub const fn is_ipv6(self) -> bool {
        self.0 & Self::IPV6 != 0
    }

    /// Whether the director says it, and not who the packet was for.
    pub const fn is_by_director(self) -> bool {
        self.0 & Self::OWN != 0
    }

    /// How many bytes of the packet are quoted.
    pub const fn quoted(self) -> usize {
        bits(self.0, 16, 16) as usize
    }

    /// The largest packet that gets there, bytes.
    pub const fn mtu(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// How often a source was answered lately: a bucket of [`Allowance::MOST`] answers, into which
/// [`Allowance::PER_TICK`] are put back with each tick.
///
/// bits 0..32 the tick of the last answer, 32..64 the answers that are missing from the bucket. 0, which is also
/// what an unknown source has: none.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Allowance(pub u64);

impl Allowance {
    /// Answers to a source at once.
    pub const MOST: u32 = 128;
    /// Answers to a source for each tick of [`super::config::TICK_SHIFT`]: 119 a second.
    pub const PER_TICK: u32 = 16;

    /// What it is after one more answer; `None` if there were too many.
    pub const fn spend(self, now: u32) -> Option<Self> {
        let waited = now.wrapping_sub(self.0 as u32) as i32;
        // Another CPU may be a tick ahead.
        let back = if waited < 0 {
            0
        } else {
            waited as u64 * Self::PER_TICK as u64
        };
        let missing = (self.0 >> 32).saturating_sub(back);
        if missing >= Self::MOST as u64 {
            return None;
        }
        Some(Self(now as u64 | (missing + 1) << 32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_parts_apart() {
        let request = Request::too_big(true, 1_280).by_director().quoting(QUOTE);
        assert_eq!(request.kind(), Some(Kind::TooBig));
        assert!(request.is_ipv6() && request.is_by_director());
        assert_eq!((request.quoted(), request.mtu()), (QUOTE, 1_280));
        let request = Request::port_unreachable(false).quoting(28);
        assert_eq!(request.kind(), Some(Kind::PortUnreachable));
        assert!(!request.is_ipv6() && !request.is_by_director());
        assert_eq!((request.quoted(), request.mtu()), (28, 0));
        let request = Request::time_exceeded(false).of_family(true);
        assert_eq!(request, Request::time_exceeded(true));
        assert_eq!(request.kind(), Some(Kind::TimeExceeded));
        assert_eq!(Request(7).kind(), None);
    }

    #[test]
    fn a_source_gets_a_burst_and_then_its_rate() {
        let burst = |mut allowance: Allowance, now| {
            let mut answers = 0;
            while let Some(spent) = allowance.spend(now) {
                allowance = spent;
                answers += 1;
            }
            (allowance, answers)
        };
        let (spent, first) = burst(Allowance(0), 1_000);
        assert_eq!(first, Allowance::MOST);
        let (spent, next) = burst(spent, 1_001);
        assert_eq!(next, Allowance::PER_TICK);
        let (spent, next) = burst(spent, 1_004);
        assert_eq!(next, 3 * Allowance::PER_TICK);
        let (_, rested) = burst(spent, 5_000);
        assert_eq!(rested, Allowance::MOST);
    }

    #[test]
    fn a_second_has_at_least_a_hundred_answers() {
        let ticks = 1_000_000_000 >> super::super::config::TICK_SHIFT;
        assert!(ticks * Allowance::PER_TICK >= 100);
    }
}
