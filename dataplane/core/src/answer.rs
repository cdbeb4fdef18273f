//! Answering a packet that goes nowhere by ICMP: whether its sender may be answered, and how often.
//!
//! Off the way of packets that are forwarded: the eBPF programs make [`answer`] a function that is verified by
//! itself. It leaves the answer in the daemon's hands ([`crate::abi::answer`]); without a daemon nothing is
//! answered.
//!
//! Who is not answered (RFC 1122, section 3.2.2; RFC 1812, section 4.3.2.7; RFC 4443, section 2.4 e): nobody
//! in particular, a group, or the sender itself as source. What else these name does not come here: the packets
//! that do are TCP, UDP and SCTP, of fragments the first ones, addressed to this host's own link address.
//!
//! The packet is quoted as it is. Where its sender left the layer-4 checksum to the device (CHECKSUM_PARTIAL), it is
//! not complete in the quotation either, as in the kernel's own answers (`icmp_send`): nobody verifies it there.

use crate::abi::answer::{Allowance, QUOTE, Request};
use crate::abi::ipv6::Address;
use crate::abi::reason::Reason;
use crate::frame::Frame;
use crate::tables::{Tables, count};
use crate::wire::{ipv4, ipv6};

/// Bytes of an IPv4 packet that are quoted: the whole answer is then of at most 576 bytes (RFC 1812, section
/// 4.3.2.3).
const QUOTE_IPV4: usize = 548;

/// A packet, and what its sender is to be told.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Question {
    /// Offset of the packet's IP header in its frame, bytes.
    pub network: usize,
    /// Index of the interface that it came in by.
    pub interface: u32,
    /// What is to be said, of a packet of this family. How much is quoted, [`answer`] decides.
    pub request: Request,
}

/// Has the sender of the packet in `frame` told what `question` says, if it may be.
///
/// Counts what is not answered because the source got many answers lately, or because the daemon has too many
/// to send.
#[inline(always)]
pub fn answer<F: Frame, T: Tables>(frame: &F, tables: &T, question: Question) {
    let sender = if question.request.is_ipv6() {
        of_ipv6(frame, question.network)
    } else {
        of_ipv4(frame, question.network)
    };
    let Some((source, quoted)) = sender else {
        return;
    };
    let Some(spent) = Allowance(tables.answered(source)).spend(tables.now()) else {
        count(tables, Reason::AnswerLimited);
        return;
    };
    tables.set_answered(source, spent.0);
    let request = question.request.quoting(quoted);
    if !tables.ask(
        frame,
        Question {
            request,
            ..question
        },
    ) {
        count(tables, Reason::AnswerLost);
    }
}

/// The source of the IPv4 packet at `network`, as an IPv4-mapped address, and how much of the packet is
/// quoted; `None` if such a source is not answered.
#[inline(always)]
fn of_ipv4<F: Frame>(frame: &F, network: usize) -> Option<(Address, usize)> {
    let [_, _, l0, l1] = frame.read_u32(network)?.to_ne_bytes();
    let source = frame.read_u32(network + ipv4::SOURCE)?;
    let [first, ..] = source.to_ne_bytes();
    // This network, loopback, multicast and what is above it, the broadcast address among it.
    if first == 0 || first == 127 || first >= 224 {
        return None;
    }
    let length = u16::from_be_bytes([l0, l1]) as usize;
    let mapped = u64::from_ne_bytes([0, 0, 0xff, 0xff, 0, 0, 0, 0]) | (source as u64) << 32;
    Some((Address([0, mapped]), at_most(length, QUOTE_IPV4)))
}

/// The same of an IPv6 packet.
#[inline(always)]
fn of_ipv6<F: Frame>(frame: &F, network: usize) -> Option<(Address, usize)> {
    let [l0, l1, _, _] = frame.read_u32(network + 4)?.to_ne_bytes();
    let source = ipv6::address(frame, network + ipv6::SOURCE)?;
    let Address([first, second]) = source;
    // Unspecified and loopback.
    let is_host_only = first == 0 && u64::from_be(second) <= 1;
    if is_host_only || first.to_ne_bytes()[0] == 0xff {
        return None;
    }
    let length = u16::from_be_bytes([l0, l1]) as usize + ipv6::HEADER;
    Some((source, at_most(length, QUOTE)))
}

#[inline(always)]
const fn at_most(length: usize, limit: usize) -> usize {
    if length < limit { length } else { limit }
}
