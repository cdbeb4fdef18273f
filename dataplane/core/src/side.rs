//! Which side a packet comes from, and which service it may belong to.
//!
//! The only thing that traffic which is none of ours meets: two look-ups in a small, always-hot table.

use crate::abi::config;
use crate::abi::endpoint::Endpoint;
use crate::abi::filter::{ENTRIES, Entry, Geometry, PROBES, real_key, virtual_key};
use crate::tables::{Line, Tables};
use crate::wire::Packet;

/// Where a packet comes from.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Side {
    /// From a client to a virtual service, whose number this is.
    Client(u16),
    /// From a real server's service socket.
    Server(Entry),
}

/// Tells the side of `packet`, or `None` if it is none of ours. `config` is line 0.
#[inline(always)]
pub fn tell<T: Tables>(tables: &T, config: T::Line, packet: &Packet) -> Option<Side> {
    let geometry = Geometry(config.load(config::FILTER));
    let key = virtual_key(packet.destination, packet.protocol);
    if let Some(entry) = look_up(tables, geometry, key) {
        return Some(Side::Client(entry.service()));
    }
    let key = real_key(packet.source, packet.protocol);
    look_up(tables, geometry, key).map(Side::Server)
}

/// What the filter knows about a real server's endpoint (word with tag 0) and this protocol.
#[inline(always)]
pub fn real<T: Tables>(tables: &T, config: T::Line, real: u64, protocol: u16) -> Option<Entry> {
    let key = real_key(Endpoint::unpack(real), protocol as u8);
    look_up(tables, Geometry(config.load(config::FILTER)), key)
}

#[inline(always)]
fn look_up<T: Tables>(tables: &T, geometry: Geometry, key: u64) -> Option<Entry> {
    for probe in 0..PROBES {
        let line = tables.filter(geometry.line(key, probe))?;
        for entry in 0..ENTRIES {
            if line.load(entry) == key {
                return Some(Entry(line.load(ENTRIES + entry)));
            }
        }
    }
    None
}
