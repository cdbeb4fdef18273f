//! Services by mark: whose is a packet that carries one.
//!
//! A mark goes before every other service (`ip_vs_service_find`), but not before replies: a rule that marks may well
//! mark these too, and IPVS looks for their connection first (`ip_vs_out_hook`). [`crate::side`] asks here only while
//! there are such services. All their flows have pointers from the server's side ([`crate::flow::reserve`]): two
//! virtual addresses of one service, or two of its ports, may lead a client's port to one server socket.

use crate::abi::config;
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::filter::{Geometry, real_key};
use crate::abi::ipv6::EndpointKey;
use crate::abi::pointer::PointerKey;
use crate::side::look_up;
use crate::tables::{Line, Tables};

/// The service that an IPv4 packet with this mark is for, as an
/// [`crate::abi::filter::Entry`]; its endpoints have the protocol as their tag.
/// 0 if it is for none, or a reply.
#[inline(always)]
pub fn marked<T: Tables>(tables: &T, source: u64, destination: u64, mark: u32) -> u64 {
    match tables.endpoint(&EndpointKey::mark(mark, false)) {
        Some(entry) if !is_reply(tables, source, destination) => entry,
        _ => 0,
    }
}

/// Whether a server has sent the packet to its client. Only of a server of several services, as all of a service by
/// mark are, can it be told for sure; what comes from another service's server is taken for a reply.
#[inline(always)]
fn is_reply<T: Tables>(tables: &T, source: u64, destination: u64) -> bool {
    let Some(config) = tables.config(0) else {
        return false;
    };
    let geometry = Geometry(config.load(config::FILTER));
    let server = Endpoint::unpack(source);
    for port in [server.port, 0] {
        let key = real_key(Endpoint { port, ..server }, tag(source) as u8);
        if let Some(entry) = look_up(tables, geometry, key) {
            let key = PointerKey([server.pack(0), destination]);
            return !entry.is_shared() || tables.pointer(&key).is_some();
        }
    }
    false
}
