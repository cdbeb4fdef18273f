//! The outer IP header.

use super::inner::Inner;
use crate::abi::dest;
use crate::abi::ipv6::Address;
use crate::flow::ends::server_address;
use crate::frame::Frame;
use crate::nat::checksum::{finish, sum_of};
use crate::tables::{Half, Line};
use crate::wire::{ethernet, ipv6};

const IPV4_HEADER: usize = 20;

/// Length of the header, bytes.
#[inline(always)]
pub(super) const fn length(ipv6: bool) -> usize {
    if ipv6 { ipv6::HEADER } else { IPV4_HEADER }
}

/// The addresses of a tunnel's packets: the director's and the server's.
#[derive(Clone, Copy)]
pub(super) struct Ends<L> {
    /// The server's settings.
    pub(super) settings: Half<L>,
    /// What its tunnel needs besides.
    pub(super) tunnel: Half<L>,
}

impl<L: Line> Ends<L> {
    /// Whether it is an IPv6 tunnel.
    #[inline(always)]
    pub(super) fn is_ipv6(self) -> bool {
        self.settings.load(dest::MODE) & dest::IPV6 != 0
    }

    #[inline(always)]
    pub(super) fn source(self) -> Address {
        Address([
            self.tunnel.load(dest::SOURCE),
            self.tunnel.load(dest::SOURCE + 1),
        ])
    }

    /// Of IPv4, the first word is what counts.
    #[inline(always)]
    fn destination(self) -> Address {
        server_address(self.settings)
    }

    /// The sum of the pseudo-header of `length` bytes of a protocol between them.
    #[inline(always)]
    pub(super) fn pseudo(self, protocol: u8, length: usize) -> u32 {
        let fields = u16::from_ne_bytes([0, protocol]) as u32 + (length as u16).to_be() as u32;
        let ([s, ..], [d, ..]) = (self.source().words(), self.destination().words());
        let first = sum_of(s) + sum_of(d) + fields;
        if !self.is_ipv6() {
            return first;
        }
        let ([_, a, b, c], [_, d, e, f]) = (self.source().words(), self.destination().words());
        first + sum_of(a) + sum_of(b) + sum_of(c) + sum_of(d) + sum_of(e) + sum_of(f)
    }
}

/// Writes the header at `network`, and the Ethernet type before it if there is one. Behind it are `length` bytes of
/// `protocol`.
#[inline(always)]
pub(super) fn write<F: Frame, L: Line>(
    frame: &mut F,
    network: usize,
    ends: Ends<L>,
    protocol: u8,
    inner: Inner,
    length: usize,
) -> Option<()> {
    if network > 0 && ends.is_ipv6() != inner.is_ipv6() {
        ethernet::retype(frame, network, ends.is_ipv6())?;
    }
    if ends.is_ipv6() {
        write_ipv6(frame, network, ends, protocol, inner, length)
    } else {
        write_ipv4(frame, network, ends, protocol, inner, length)
    }
}

#[inline(always)]
fn write_ipv4<F: Frame, L: Line>(
    frame: &mut F,
    network: usize,
    ends: Ends<L>,
    protocol: u8,
    inner: Inner,
    length: usize,
) -> Option<()> {
    let [l0, l1] = ((IPV4_HEADER + length) as u16).to_be_bytes();
    let first = u32::from_ne_bytes([0x45, inner.class(), l0, l1]);
    frame.write_u32(network, first)?;
    // Without DF a router may fragment it; then it needs the number that the packet in it has, too (RFC 6864).
    let id = if inner.fragment() == 0 { inner.id() } else { 0 };
    let second = id as u32 | (inner.fragment() as u32) << 16;
    frame.write_u32(network + 4, second)?;
    let ([source, ..], [destination, ..]) = (ends.source().words(), ends.destination().words());
    frame.write_u32(network + 12, source)?;
    frame.write_u32(network + 16, destination)?;
    let life = u16::from_ne_bytes([inner.ttl(), protocol]) as u32;
    let sum = sum_of(first) + sum_of(second) + life + sum_of(source) + sum_of(destination);
    frame.write_u32(network + 8, life | (finish(sum) as u32) << 16)
}

#[inline(always)]
fn write_ipv6<F: Frame, L: Line>(
    frame: &mut F,
    network: usize,
    ends: Ends<L>,
    protocol: u8,
    inner: Inner,
    length: usize,
) -> Option<()> {
    let class = inner.class();
    let first = u32::from_ne_bytes([0x60 | class >> 4, class << 4, 0, 0]);
    frame.write_u32(network, first)?;
    let [l0, l1] = (length as u16).to_be_bytes();
    let second = u32::from_ne_bytes([l0, l1, protocol, inner.ttl()]);
    frame.write_u32(network + 4, second)?;
    let Address([first, second]) = ends.source();
    frame.write_u64(network + ipv6::SOURCE, first)?;
    frame.write_u64(network + ipv6::SOURCE + 8, second)?;
    let Address([first, second]) = ends.destination();
    frame.write_u64(network + ipv6::DESTINATION, first)?;
    frame.write_u64(network + ipv6::DESTINATION + 8, second)
}
