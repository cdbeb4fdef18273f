//! Which side a packet comes from, and which service it may belong to.
//!
//! The only thing that traffic which is none of ours meets: two look-ups in a small, always-hot table, or
//! of IPv6 in a hash map. Only while there are endpoints for all ports is more [looked for](crate::wildcard).

use crate::abi::endpoint::{Endpoint, IPV6};
use crate::abi::filter::{ENTRIES, Entry, Geometry, PROBES, real_key, virtual_key};
use crate::abi::ipv6::{Address, EndpointKey};
use crate::abi::{config, dest};
use crate::flow::ends::server_address;
use crate::flow::place::digest;
use crate::frame::Frame;
use crate::tables::{Half, Line, Tables};
use crate::wire::{Packet, ipv6};

/// Where a packet comes from.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Side {
    /// From a client to a virtual endpoint.
    Client(Entry),
    /// From a real server's service socket.
    Server(Entry),
}

/// Tells the side of `packet`, which is an IPv4 one and carries this mark, or `None` if it is none of ours. `config`
/// is line 0.
#[inline(always)]
pub fn tell<T: Tables>(tables: &T, config: T::Line, packet: &Packet, mark: u32) -> Option<Side> {
    let geometry = Geometry(config.load(config::FILTER));
    if geometry.has(Geometry::MARKS) {
        let protocol = packet.protocol as u16;
        let (source, destination) = (&packet.source, &packet.destination);
        let found = tables.marked(source.pack(protocol), destination.pack(protocol), mark);
        if found != 0 {
            return Some(Side::Client(Entry(found)));
        }
    }
    let key = virtual_key(packet.destination, packet.protocol);
    if let Some(entry) = look_up(tables, geometry, key) {
        return Some(Side::Client(entry));
    }
    let key = real_key(packet.source, packet.protocol);
    if let Some(entry) = look_up(tables, geometry, key) {
        return Some(Side::Server(entry));
    }
    if !geometry.has(Geometry::WILDCARDS | Geometry::OUTWARD) {
        return None;
    }
    let protocol = packet.protocol as u16;
    let (source, destination) = (&packet.source, &packet.destination);
    Side::of_wildcard(tables.wildcard(source.pack(protocol), destination.pack(protocol)))
}

impl Side {
    /// What [`crate::wildcard`] found.
    #[inline(always)]
    fn of_wildcard(found: u64) -> Option<Self> {
        let entry = Entry(found);
        match found {
            0 => None,
            _ if entry.has(Entry::REAL) => Some(Self::Server(entry)),
            _ => Some(Self::Client(entry)),
        }
    }
}

/// Tells the side of `packet`, which is an IPv6 one, gives its endpoints what stands for their
/// addresses, and names the client's address.
#[inline(always)]
pub fn tell_ipv6<F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    config: T::Line,
    packet: &mut Packet,
) -> Option<(Side, Address)> {
    let source = ipv6::address(frame, packet.network() + ipv6::SOURCE)?;
    let destination = ipv6::address(frame, packet.network() + ipv6::DESTINATION)?;
    tell_between(tables, config, packet, source, destination)
}

/// As [`tell_ipv6`], of a packet between these addresses.
#[inline(always)]
pub fn tell_between<T: Tables>(
    tables: &T,
    config: T::Line,
    packet: &mut Packet,
    source: Address,
    destination: Address,
) -> Option<(Side, Address)> {
    let key = EndpointKey::virtual_(destination, packet.destination.port, packet.protocol);
    if let Some(value) = tables.endpoint(&key) {
        packet.source.address = digest(config, source);
        // The service's number says which virtual address it is.
        return Some((Side::Client(Entry(value)), source));
    }
    let key = EndpointKey::real(source, packet.source.port, packet.protocol);
    let side = match tables.endpoint(&key) {
        Some(value) => Side::Server(Entry(value)),
        None if Geometry(config.load(config::FILTER)).has(Geometry::WILDCARDS) => {
            let rest = packet.destination.port as u64 | (packet.protocol as u64) << 16;
            Side::of_wildcard(tables.wildcard_ipv6(source, destination, rest))?
        }
        None => return None,
    };
    match side {
        Side::Client(_) => {
            packet.source.address = digest(config, source);
            Some((side, source))
        }
        Side::Server(entry) => {
            packet.source.address = entry.digest();
            packet.destination.address = if entry.has(Entry::POOLED) {
                tables.stand_in(destination)
            } else {
                digest(config, destination)
            };
            Some((side, destination))
        }
    }
}

/// What the filter knows about the real server's endpoint `server`, whose settings these are, with this protocol (with
/// its family, as tags name it): what it says of its replies.
#[inline(always)]
pub fn real<T: Tables>(
    tables: &T,
    config: T::Line,
    settings: Half<T::Line>,
    server: Endpoint,
    protocol: u16,
) -> Option<Entry> {
    let at_all_ports = settings.load(dest::MODE) & dest::ANY_PORT != 0;
    for port in [server.port, 0] {
        let found = if protocol & IPV6 == 0 {
            let key = real_key(Endpoint { port, ..server }, protocol as u8);
            look_up(tables, Geometry(config.load(config::FILTER)), key)
        } else {
            let key = EndpointKey::real(server_address(settings), port, protocol as u8);
            tables.endpoint(&key).map(Entry)
        };
        if found.is_some() || !at_all_ports {
            return found;
        }
    }
    None
}

/// The value of a key.
#[inline(always)]
pub(crate) fn look_up<T: Tables>(tables: &T, geometry: Geometry, key: u64) -> Option<Entry> {
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
