//! Which side a packet comes from, and which service it may belong to.
//!
//! The only thing that traffic which is none of ours meets: two look-ups in a small, always-hot table, or
//! of IPv6 in a hash map.

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
    /// From a client to a virtual service, whose number this is.
    Client(u16),
    /// From a real server's service socket.
    Server(Entry),
}

/// Tells the side of `packet`, which is an IPv4 one, or `None` if it is none of ours. `config` is line 0.
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
    let key = EndpointKey::virtual_(destination, packet.destination.port, packet.protocol);
    if let Some(value) = tables.endpoint(&key) {
        packet.source.address = digest(config, source);
        // The service's number says which virtual address it is.
        return Some((Side::Client(Entry(value).service()), source));
    }
    let key = EndpointKey::real(source, packet.source.port, packet.protocol);
    let entry = Entry(tables.endpoint(&key)?);
    packet.source.address = entry.digest();
    packet.destination.address = digest(config, destination);
    Some((Side::Server(entry), destination))
}

/// What the filter knows about the endpoint of a real server with these settings and this protocol (with
/// its family, as tags name it).
#[inline(always)]
pub fn real<T: Tables>(
    tables: &T,
    config: T::Line,
    settings: Half<T::Line>,
    protocol: u16,
) -> Option<Entry> {
    if protocol & IPV6 == 0 {
        let real = Endpoint::unpack(settings.load(dest::ENDPOINT));
        let key = real_key(real, protocol as u8);
        return look_up(tables, Geometry(config.load(config::FILTER)), key);
    }
    let port = dest::port(settings.load(dest::MODE));
    let key = EndpointKey::real(server_address(settings), port, protocol as u8);
    Some(Entry(tables.endpoint(&key)?))
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
