//! Endpoints for all ports: services with port 0, FTP's other ports (`ip_vs_service_find`), and servers that are
//! asked at the port the client named.
//!
//! [`crate::side`] asks here only for what has no entry of its own port, or one of a removed service, and only while
//! the filter has such endpoints at all. The eBPF programs make both functions ones that are verified by themselves.
//!
//! Such a service swallows whatever is sent to its address by its protocol and is for no other service, as in IPVS:
//! SYNs and datagrams for the director itself too. A segment that opens nothing and has no flow is left to the
//! kernel, and so the director's own connections from that address work.

use crate::abi::endpoint::{Endpoint, FTP, FTP_DATA, IPV6, tag, with_port};
use crate::abi::filter::{Entry, Geometry, real_key, virtual_key};
use crate::abi::ipv6::{Address, EndpointKey};
use crate::abi::{config, service};
use crate::flow::ends::{is_ipv6, virtual_address};
use crate::flow::find;
use crate::outward::outward;
use crate::side::look_up;
use crate::tables::{Line, Tables};
use crate::wire::TCP;

/// Below this port FTP has no data connections (`ip_unprivileged_port_start`).
const UNPRIVILEGED: u16 = 1024;

/// Whose an IPv4 packet of these endpoints is, whose tags are the protocol: an [`Entry`], with [`Entry::REAL`] if it
/// is a server's; 0 for nobody's.
#[inline(always)]
pub fn wildcard<T: Tables>(tables: &T, source: u64, destination: u64) -> u64 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    let geometry = Geometry(config.load(config::FILTER));
    let protocol = tag(source) as u8;
    let virtual_ = Endpoint::unpack(destination);
    for port in ports(protocol, virtual_.host_port()) {
        let key = virtual_key(Endpoint { port, ..virtual_ }, protocol);
        if let Some(entry) = look_up(tables, geometry, key) {
            return entry.0;
        }
    }
    let real = Endpoint::unpack(with_port(source, 0));
    match look_up(tables, geometry, real_key(real, protocol)) {
        Some(entry) => entry.0 | Entry::REAL,
        None if geometry.has(Geometry::OUTWARD) => outward(tables, source, destination),
        None => 0,
    }
}

/// As [`wildcard`], of an IPv6 packet; `rest` is its destination port (wire order) and, behind that, its protocol.
#[inline(always)]
pub fn wildcard_ipv6<T: Tables>(
    tables: &T,
    source: Address,
    destination: Address,
    rest: u64,
) -> u64 {
    let (port, protocol) = (rest as u16, (rest >> 16) as u8);
    for port in ports(protocol, u16::from_be(port)) {
        let key = EndpointKey::virtual_(destination, port, protocol);
        if let Some(entry) = tables.endpoint(&key) {
            return entry;
        }
    }
    match tables.endpoint(&EndpointKey::real(source, 0, protocol)) {
        Some(entry) => entry | Entry::REAL,
        None => 0,
    }
}

/// The service of a packet from `client` to `virtual_` (words as in a flow, with the number of a removed service, whose
/// endpoint it is): the removed one if it has the packet's flow, or else the one for all ports that has taken its
/// place, if there is one.
#[inline(always)]
pub fn heir<T: Tables>(tables: &T, client: u64, virtual_: u64) -> u16 {
    let removed = tag(virtual_);
    if find::line_by_client(tables, client, virtual_) != 0 {
        return removed;
    }
    tables.successor(client, virtual_)
}

/// The service that has taken the place of a removed one (words as of [`heir`]), or that itself: one for all ports, or, in
/// the place of one by mark, that of the packet's endpoint.
#[inline(always)]
pub fn successor<T: Tables>(tables: &T, client: u64, virtual_: u64) -> u16 {
    let removed = tag(virtual_);
    let (Some(config), Some(service)) = (tables.config(0), tables.service(removed as u32)) else {
        return removed;
    };
    let geometry = Geometry(config.load(config::FILTER));
    if !geometry.has(Geometry::WILDCARDS) {
        return removed;
    }
    let protocol = tag(client) & !IPV6;
    let endpoint = Endpoint::unpack(virtual_);
    let found = if is_ipv6(client) {
        let rest = endpoint.port as u64 | (protocol as u64) << 16;
        tables.wildcard_ipv6(Address([0, 0]), virtual_address(service), rest)
    } else {
        let was_by_mark = service.load(service::MODE) & service::MARK != 0;
        match look_up(tables, geometry, virtual_key(endpoint, protocol as u8)) {
            Some(entry) if was_by_mark && !entry.has(Entry::REMOVED) => entry.0,
            _ => tables.wildcard((protocol as u64) << 48, endpoint.pack(protocol)),
        }
    };
    let entry = Entry(found);
    if found == 0 || entry.has(Entry::REAL) {
        removed
    } else {
        entry.service()
    }
}

/// The ports, wire order, of the services that may be meant by a packet for `port` (host order), the likelier first.
#[inline(always)]
const fn ports(protocol: u8, port: u16) -> [u16; 2] {
    let may_be_ftp = protocol == TCP && (port == FTP_DATA || port >= UNPRIVILEGED);
    [if may_be_ftp { FTP.to_be() } else { 0 }, 0]
}
