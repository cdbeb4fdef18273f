//! What a packet is to the core: bounded reads and writes.
//!
//! Contract: offsets are counted from the first byte of the frame; an access that is not wholly inside
//! the frame returns `None` and changes nothing. Integers are returned as the native integer whose
//! memory bytes are the wire's.

use crate::abi::call::Call;
use crate::abi::ipv6::Address;
use crate::abi::pointer::Pointer;
use crate::answer::{Question, answer};
use crate::flow::call_out::{call_out, caller};
use crate::flow::open::Wish;
use crate::fragment::{Cut, follow, remember};
use crate::hop::is_cut_to;
use crate::icmp::{Quoting, restate, translate};
use crate::method::tunnel::{Room, wrap};
use crate::nat::{Rewrite, RewriteIpv6, crc32c, rewrite, rewrite_address, rewrite_ipv6};
use crate::sip::{self, Payload, Search};
use crate::tables::Tables;
use crate::verdict::Arrival;
use crate::wire::ipv6::{Upper, skip};
use crate::wire::sctp;
use crate::wire::{Headers, Link};

/// A change to a layer-4 checksum, as RFC 1624 differences: one's complement sums of (new - old), not
/// folded further than 32 bits.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct ChecksumChange {
    /// Of the addresses, which are part of the pseudo-header.
    pub addresses: u32,
    /// Of the ports, which are part of the segment itself.
    pub ports: u32,
    /// UDP: a checksum field of zero means "none" and stays zero, and a sum of zero is written as
    /// 0xffff (RFC 768).
    pub zero_is_none: bool,
    /// The addresses are IPv6 ones: no header checksum makes up for their change.
    pub ipv6: bool,
}

/// The bytes of one packet.
pub trait Frame {
    /// Whether nobody works on its checksums after us. An skb may leave that to the device that it goes out by
    /// (CHECKSUM_PARTIAL); what has left it behind cannot.
    const COMPLETE: bool;

    /// The mark that the kernel has put on the packet; 0 for none. XDP sees none.
    fn mark(&self) -> u32 {
        0
    }

    /// Two bytes.
    fn read_u16(&self, offset: usize) -> Option<u16>;
    /// Four bytes.
    fn read_u32(&self, offset: usize) -> Option<u32>;
    /// Eight bytes.
    fn read_u64(&self, offset: usize) -> Option<u64>;
    /// Writes two bytes.
    fn write_u16(&mut self, offset: usize, value: u16) -> Option<()>;
    /// Writes four bytes.
    fn write_u32(&mut self, offset: usize, value: u32) -> Option<()>;
    /// Writes eight bytes.
    fn write_u64(&mut self, offset: usize, value: u64) -> Option<()>;
    /// Four bytes that may lie beyond the headers, anywhere in the packet.
    fn read_far(&self, offset: usize) -> Option<u32>;
    /// The same frame, for offsets that the packet itself says. The kernel's verifier wants each access
    /// proved by a comparison of the very pointer that is used; where it cannot know the offset, the
    /// compiler must not take one comparison for another.
    fn varying(&mut self) -> impl Frame;

    // The eBPF programs make these functions that the kernel's verifier judges by themselves, so that it does
    // not judge them for every way that leads there.

    /// Reads over IPv6 extension headers: [`crate::wire::ipv6::skip`].
    fn skip_extensions(&self, offset: usize, next: u8) -> Upper
    where
        Self: Sized,
    {
        skip(self, offset, next)
    }
    /// Reads an SCTP packet: [`crate::wire::sctp::read`].
    fn read_sctp(&self, offset: usize, payload: u16) -> u64
    where
        Self: Sized,
    {
        sctp::read(self, offset, payload)
    }
    /// Mends the checksum of an SCTP packet: [`crate::nat::crc32c::mend`].
    fn mend_crc(&mut self, offset: usize, length: u32, change: u32) -> Option<()>
    where
        Self: Sized,
    {
        crc32c::mend(self, offset, length, change)
    }
    /// Rewrites an IPv4 packet: [`crate::nat::rewrite`]. XDP does it on the spot: a call takes as long as all that it
    /// does. At tc, where ways to here are many more, it takes 4 to 8 % of the whole.
    fn rewrite(&mut self, headers: Headers, new: Rewrite) -> Option<()>
    where
        Self: Sized,
    {
        rewrite(self, headers, new)
    }
    /// Rewrites an IPv6 packet: [`crate::nat::rewrite_ipv6`].
    fn rewrite_ipv6(&mut self, headers: Headers, new: RewriteIpv6) -> Option<()>
    where
        Self: Sized,
    {
        rewrite_ipv6(self, headers, new)
    }

    /// Decides about an ICMP message: [`crate::icmp::translate`].
    fn translate<A: Quoting, T: Tables>(&mut self, tables: &T, arrival: Arrival) -> u64
    where
        Self: Sized,
    {
        translate::<A, Self, T>(self, tables, arrival)
    }
    /// Remembers where a first fragment goes: [`crate::fragment::remember`].
    fn remember<A: Cut, T: Tables>(&self, tables: &T, link: Link, to: Pointer, direction: u32)
    where
        Self: Sized,
    {
        remember::<A, Self, T>(self, tables, link, to, direction);
    }
    /// Decides about a later fragment: [`crate::fragment::follow`].
    fn follow<A: Cut, T: Tables>(&mut self, tables: &T, arrival: Arrival) -> u64
    where
        Self: Sized,
    {
        follow::<A, Self, T>(self, tables, arrival)
    }
    /// Rewrites an ICMP error: [`crate::icmp::restate`].
    fn restate<A: Quoting, T: Tables>(&mut self, tables: &T, link: Link, found: u64) -> bool
    where
        Self: Sized,
    {
        restate::<A, Self, T>(self, tables, link, found)
    }
    /// Gives an IPv6 packet another address: [`crate::nat::rewrite_address`].
    fn rewrite_address(&mut self, headers: Headers, place: usize, address: Address) -> Option<()>
    where
        Self: Sized,
    {
        rewrite_address(self, headers, place, address)
    }

    /// The product of two polynomials: [`crate::nat::crc32c::times`].
    fn times(one: u32, other: u32) -> u32 {
        crc32c::times(one, other)
    }

    /// Copies the bytes from `offset` on to `to`, as many as it has, at least one.
    fn copy(&self, offset: usize, to: &mut [u8]) -> Option<()>;
    /// Has the packet's sender told what became of it: [`crate::answer::answer`]. The eBPF programs make it a
    /// function that the kernel's verifier judges by itself.
    fn answer<T: Tables>(&self, tables: &T, question: Question)
    where
        Self: Sized,
    {
        answer(self, tables, question);
    }
    /// Wraps a packet for a tunnel: [`crate::method::tunnel::wrap`].
    fn wrap<T: Tables>(&mut self, tables: &T, dest: u32, headers: Headers) -> u64
    where
        Self: Sized,
    {
        wrap(self, tables, dest, headers)
    }

    /// What the [steps](crate::sip::step) through a message find.
    fn seek(&self, mut search: Search) -> Search
    where
        Self: Sized,
    {
        for _ in 0..search.steps() {
            if sip::step(self, &mut search) {
                break;
            }
        }
        search
    }
    /// The call that a datagram is of: [`crate::sip::call`].
    fn call<T: Tables>(&self, tables: &T, number: u16, payload: Payload, client: Address) -> Call
    where
        Self: Sized,
    {
        sip::call(self, tables, number, payload, client)
    }
    /// Who makes a call: [`crate::flow::call_out::caller`].
    fn caller<T: Tables>(&self, tables: &T, link: Link, ipv6: bool, wish: &mut Wish)
    where
        Self: Sized,
    {
        caller(self, tables, link, ipv6, wish);
    }
    /// The flow that a server's datagram opens: [`crate::flow::call_out::call_out`].
    fn call_out<T: Tables>(&self, tables: &T, wish: &mut Wish) -> u64
    where
        Self: Sized,
    {
        call_out(self, tables, wish)
    }
    /// Keeps its Call-ID: [`crate::sip::note`].
    fn note_call<T: Tables>(&self, tables: &T, payload: Payload, call: Call)
    where
        Self: Sized,
    {
        sip::note(self, tables, payload, call);
    }

    /// How much payload each packet has, bytes, where the kernel has joined several of a stream and cuts them again
    /// when they leave; 0: the packet stands for itself.
    fn segment(&self) -> u32;
    /// Whether a packet that is too big leaves in pieces that are not: [`crate::hop::is_cut_to`].
    fn is_cut_to(&self, headers: Headers, mtu: u16) -> bool
    where
        Self: Sized,
    {
        is_cut_to(self, headers, mtu)
    }
    /// Makes room for outer headers between link header and IP header: the link header moves to the front.
    /// `None`, and nothing done, if there is none to be had.
    fn make_room(&mut self, room: Room) -> Option<()>;
    /// Tells who keeps the sum of all bytes behind the link header (CHECKSUM_COMPLETE) that it has changed by this difference.
    fn sum_has_changed(&mut self, _difference: u32) {}
    /// Applies a change to the layer-4 checksum at `offset`. The last thing done to a frame: where the
    /// kernel keeps the checksum half computed (CHECKSUM_PARTIAL), only the kernel can do it right.
    fn change_checksum(&mut self, offset: usize, change: ChecksumChange) -> Option<()>;
}
