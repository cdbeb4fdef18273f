//! Next hops: the interface a frame leaves by and the Ethernet addresses it leaves with.
//!
//! The daemon keeps the table right. When its heartbeat stops, or an entry is being written or has no
//! neighbour, there is no hop, and the packet takes the slow way through tc.

use crate::abi::config::{self, HEARTBEAT_LIMIT};
use crate::abi::next_hop::{ETHERNET, LINK, MACS, NO_VLAN, OUT, STATUS, USABLE};
use crate::tables::{Line, Tables};
use crate::wire::Link;

/// A neighbour that can be sent to.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Hop {
    /// Index of the interface.
    pub interface: u32,
    /// First eight bytes of the Ethernet header.
    pub macs: u64,
    /// The next four.
    pub source_rest: u32,
    /// 802.1Q tag control information as it stands on the wire, if `tagged`.
    pub tag: u16,
    /// The link header its frames have.
    pub link: Link,
}

/// The next hop of this number, if it can be trusted now. `config` is line 0.
#[inline(always)]
pub fn usable<T: Tables>(tables: &T, config: T::Line, number: u32, now: u32) -> Option<Hop> {
    if number == 0
        || now.wrapping_sub(config.load(config::HEARTBEAT) as u32) as i32 > HEARTBEAT_LIMIT as i32
    {
        return None;
    }
    let line = tables.next_hop(number)?;
    let status = line.load(STATUS);
    let (macs, out, about) = (line.load(MACS), line.load(OUT), line.load(LINK));
    if status & USABLE == 0 || status & 1 != 0 || line.load(STATUS) != status {
        return None;
    }
    let tag = about as u16;
    let link = match (status & ETHERNET != 0, tag) {
        (false, _) => Link::Bare,
        (true, NO_VLAN) => Link::Ethernet,
        (true, _) => Link::Tagged,
    };
    Some(Hop {
        interface: (out >> 32) as u32,
        macs,
        source_rest: out as u32,
        tag: tag.to_be(),
        link,
    })
}

/// The interface of the next hop of this number, whether it can be sent to or not; `None` if there is
/// no such next hop.
#[inline(always)]
pub fn interface<T: Tables>(tables: &T, number: u32) -> Option<u32> {
    if number == 0 {
        return None;
    }
    let interface = (tables.next_hop(number)?.load(OUT) >> 32) as u32;
    if interface == 0 {
        None
    } else {
        Some(interface)
    }
}
