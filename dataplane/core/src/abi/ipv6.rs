//! IPv6 in the tables: whole addresses, and the keys of the maps that lead from them.
//!
//! An endpoint word has room for 32 bits of address. For IPv6 they are a [digest](Address::digest), so
//! that a flow of either family is one line, hashed and found by the same words. A digest only leads to
//! a line: whether it is the right one, the whole address says, which the line holds too
//! ([`super::flow`]).

/// An IPv6 address: two integers whose memory bytes are the wire's, the upper half first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Address(pub [u64; 2]);

/// Bits of a digest: so many of a flow's word [`super::flow::OWNER`] are free.
pub const DIGEST_BITS: u32 = 28;

impl Address {
    /// From the sixteen bytes of the wire.
    pub const fn new(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self([
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
        ])
    }

    /// The sixteen bytes of the wire.
    pub const fn octets(self) -> [u8; 16] {
        let Self([first, second]) = self;
        let [a, b, c, d, e, f, g, h] = first.to_ne_bytes();
        let [i, j, k, l, m, n, o, p] = second.to_ne_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// Its four words of four bytes, whose memory bytes are the wire's.
    pub const fn words(self) -> [u32; 4] {
        let Self([first, second]) = self;
        [
            first as u32,
            (first >> 32) as u32,
            second as u32,
            (second >> 32) as u32,
        ]
    }

    /// The exclusive or of its four words of four bytes, whose memory bytes are the wire's: what IPVS hashes
    /// of it (`addr_fold`).
    pub const fn fold(self) -> u32 {
        let Self([first, second]) = self;
        let half = first ^ second;
        half as u32 ^ (half >> 32) as u32
    }

    /// What stands for the address in endpoint words. Without the secrets
    /// ([`super::config::SECRET0`], [`super::config::SECRET1`]) nobody can choose addresses that meet.
    pub const fn digest(self, secrets: [u64; 2]) -> u32 {
        let Self([first, second]) = self;
        let factor = secrets[1] | 1;
        let mut x = (first ^ secrets[0]).wrapping_mul(factor);
        x ^= x >> 32;
        x = x.wrapping_add(second).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(factor);
        (x >> (64 - DIGEST_BITS)) as u32
    }
}

/// Key of the map of endpoints: address, and in the third word port (bits 0..16, wire order), protocol
/// (16..24) and side (bit 24, [`REAL`]). Services by mark are in the same map, of either family: the mark in the first
/// word, and [`MARK`] in the third; and so are the endpoints from which servers of either family make calls themselves, with
/// [`CALLER`] in the third.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct EndpointKey(pub [u64; 3]);

/// Bit of an [`EndpointKey`]: the endpoint is a real server's, not a virtual one.
const REAL: u64 = 1 << 24;
/// Bit of an [`EndpointKey`]: not an endpoint but a mark.
const MARK: u64 = 1 << 25;
/// Bit of an [`EndpointKey`]: not what an endpoint is, but the number of the server there, whose service keeps calls
/// ([`super::service::CALLS`]).
const CALLER: u64 = 1 << 26;

impl EndpointKey {
    /// Of a virtual endpoint.
    #[inline(always)]
    pub const fn virtual_(address: Address, port: u16, protocol: u8) -> Self {
        let Address([first, second]) = address;
        Self([first, second, port as u64 | (protocol as u64) << 16])
    }

    /// Of a real server's endpoint.
    #[inline(always)]
    pub const fn real(address: Address, port: u16, protocol: u8) -> Self {
        let Self([first, second, rest]) = Self::virtual_(address, port, protocol);
        Self([first, second, rest | REAL])
    }

    /// Of a mark on packets of one family.
    #[inline(always)]
    pub const fn mark(mark: u32, ipv6: bool) -> Self {
        Self([mark as u64, ipv6 as u64, MARK])
    }

    /// Of a server that makes calls from this endpoint; an IPv4 address is in the lowest bits.
    #[inline(always)]
    pub const fn caller(address: Address, port: u16, protocol: u8) -> Self {
        let Self([first, second, rest]) = Self::virtual_(address, port, protocol);
        Self([first, second, rest | CALLER])
    }

    /// The same with port 0.
    #[must_use]
    pub const fn for_all_ports(self) -> Self {
        let Self([first, second, rest]) = self;
        Self([first, second, rest & !0xffff])
    }

    /// The endpoint's address.
    pub const fn address(self) -> Address {
        let Self([first, second, _]) = self;
        Address([first, second])
    }

    /// Whether it is a real server's.
    pub const fn is_real(self) -> bool {
        let Self([_, _, rest]) = self;
        rest & REAL != 0
    }
}

/// Key of the map of neighbours: address and interface index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct NeighbourKey(pub [u64; 3]);

impl NeighbourKey {
    /// Of the neighbour with this address on this interface.
    #[inline(always)]
    pub const fn new(address: Address, interface: u32) -> Self {
        let Address([first, second]) = address;
        Self([first, second, interface as u64])
    }

    /// The neighbour's address.
    pub const fn address(self) -> Address {
        let Self([first, second, _]) = self;
        Address([first, second])
    }

    /// The interface's index.
    pub const fn interface(self) -> u32 {
        let Self([_, _, interface]) = self;
        interface as u32
    }
}

/// Bit of a value of the map of neighbours, beside the next hop's number: the programs do not believe
/// it any more, and the daemon keeps it until the number is free.
pub const HIDDEN: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_address_has_a_say_in_its_digest() {
        let secrets = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3211];
        let zero = Address::default().digest(secrets);
        for bit in 0..128 {
            let octets = (1u128 << bit).to_be_bytes();
            let address = Address::new(octets);
            assert_eq!(address.octets(), octets);
            assert_ne!(address.digest(secrets), zero, "bit {bit}");
        }
    }

    #[test]
    fn digests_of_neighbouring_addresses_are_scattered() {
        let secrets = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3211];
        let low = (0..1u128 << 14).map(|host| host + (0x2001_0db8 << 96));
        let high = (0..1u128 << 14).map(|net| (net << 64) + (0x2001_0db8 << 96) + 1);
        let mut digests: Vec<u32> = low
            .chain(high)
            .map(|address| Address::new(address.to_be_bytes()).digest(secrets))
            .collect();
        digests.sort_unstable();
        digests.dedup();
        // Of 2^15 random numbers of 28 bits two pairs are expected to meet.
        assert!(digests.len() >= (1 << 15) - 9, "{}", digests.len());
    }
}
