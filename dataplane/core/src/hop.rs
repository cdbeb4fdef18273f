//! Next hops: the interface a frame leaves by and the Ethernet addresses it leaves with.
//!
//! The daemon keeps the table right. When its heartbeat stops, or an entry is being written or has no
//! neighbour, there is no hop, and the packet takes the slow way through tc.

use crate::abi::config::{self, HEARTBEAT_LIMIT};
use crate::abi::next_hop::{ETHERNET, LINK, MACS, NO_VLAN, OUT, STATUS, USABLE, mtu};
use crate::frame::Frame;
use crate::tables::{Line, Tables};
use crate::wire::transport::{TCP_OFFSET, UDP_HEADER};
use crate::wire::{Headers, Link, Packet, SCTP, TCP};

/// A way out. All fields always have a value (what an `Option` leaves undefined, the verifier may
/// refuse).
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Hop {
    /// Index of the interface; 0: not known, or [`Hop::LOCAL`].
    pub interface: u32,
    /// Whether the rest can be believed now; if not, the kernel must find the neighbour.
    pub trusted: bool,
    /// The link header its frames have.
    pub link: Link,
    /// First eight bytes of the Ethernet header.
    pub macs: u64,
    /// The next four.
    pub source_rest: u32,
    /// 802.1Q tag control information as it stands on the wire, for [`Link::Tagged`].
    pub tag: u16,
    /// The longest packet that the link takes, bytes; 0: not known.
    pub mtu: u16,
}

impl Hop {
    /// Up to the director itself.
    pub const LOCAL: Self = Self {
        interface: 0,
        trusted: false,
        link: Link::Bare,
        macs: 0,
        source_rest: 0,
        tag: 0,
        mtu: 0,
    };

    /// Whether the link takes this packet.
    #[inline(always)]
    pub fn takes<F: Frame>(&self, frame: &F, packet: &Packet) -> bool {
        packet.length <= self.mtu as u32 || frame.is_cut_to(packet.headers(), self.mtu)
    }

    /// Whether it is [`Hop::LOCAL`]. One that is not known has been dealt with before.
    #[inline(always)]
    pub const fn is_local(&self) -> bool {
        self.interface == 0
    }
}

/// Whether a packet of more than `mtu` bytes (0: not known) leaves as several that have no more: what the kernel has joined of
/// a stream (GRO, TSO) does (`skb_gso_validate_network_len`).
///
/// The eBPF programs make it a function that is verified by itself.
#[inline(always)]
pub fn is_cut_to<F: Frame>(frame: &F, headers: Headers, mtu: u16) -> bool {
    let segment = frame.segment();
    let header = match headers.protocol {
        TCP => match frame.read_u16(headers.transport + TCP_OFFSET) {
            Some(word) => (word.to_ne_bytes()[0] >> 4) as usize * 4,
            None => return false,
        },
        // Each lies there as it was made.
        SCTP => return segment != 0 || mtu == 0,
        _ => UDP_HEADER,
    };
    let longest = headers.transport - headers.network + header + segment as usize;
    mtu == 0 || segment != 0 && longest <= mtu as usize
}

/// The next hop of this number, or the one by `interface` if it has none. `config` is line 0.
#[inline(always)]
pub fn find<T: Tables>(tables: &T, config: T::Line, number: u32, interface: u32, now: u32) -> Hop {
    let unknown = Hop {
        interface,
        ..Hop::LOCAL
    };
    if number == 0 {
        return unknown;
    }
    let Some(line) = tables.next_hop(number) else {
        return unknown;
    };
    let status = line.load(STATUS);
    let (macs, out, about) = (line.load(MACS), line.load(OUT), line.load(LINK));
    let stable = status & 1 == 0 && line.load(STATUS) == status;
    let silence = now.wrapping_sub(config.load(config::HEARTBEAT) as u32) as i32;
    let tag = about as u16;
    Hop {
        interface: (out >> 32) as u32,
        trusted: stable && status & USABLE != 0 && silence <= HEARTBEAT_LIMIT as i32,
        link: if status & ETHERNET == 0 {
            Link::Bare
        } else if tag == NO_VLAN {
            Link::Ethernet
        } else {
            Link::Tagged
        },
        macs,
        source_rest: out as u32,
        tag: tag.to_be(),
        mtu: mtu(about),
    }
}
