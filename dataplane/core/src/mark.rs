//! Services by mark: whose is a packet that carries one.
//!
//! A mark goes before every other service (`ip_vs_service_find`), but not before replies: a rule that marks may well
//! mark these too, and IPVS looks for their connection first (`ip_vs_out_hook`). [`crate::side`] asks here only while
//! there are such services. All their flows have pointers from the server's side ([`crate::flow::reserve`]): two
//! virtual addresses of one service, or two of its ports, may lead a client's port to one server socket.

use crate::abi::config;
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::filter::{Entry, Geometry, real_key};
use crate::abi::ipv6::EndpointKey;
use crate::abi::pointer::PointerKey;
use crate::flow::find;
use crate::side::look_up;
use crate::tables::{Line, Tables};

/// The number of the service that an IPv4 packet with this mark is for; its endpoints have the protocol as their tag.
/// 0 if it is for none, or a reply.
#[inline(always)]
pub fn marked<T: Tables>(tables: &T, source: u64, destination: u64, mark: u32) -> u16 {
    let Some(entry) = tables.endpoint(&EndpointKey::mark(mark, false)).map(Entry) else {
        return 0;
    };
    let number = entry.service();
    let virtual_ = Endpoint::unpack(destination).pack(number);
    // A removed service has the packets of its flows, and no others.
    if entry.has(Entry::REMOVED) && find::line_by_client(tables, source, virtual_) == 0
        || is_reply(tables, source, destination)
    {
        return 0;
    }
    number
}

/// Whether a server of a service by mark has sent the packet to its client.
#[inline(always)]
fn is_reply<T: Tables>(tables: &T, source: u64, destination: u64) -> bool {
    let Some(config) = tables.config(0) else {
        return false;
    };
    let geometry = Geometry(config.load(config::FILTER));
    let server = Endpoint::unpack(source);
    for port in [server.port, 0] {
        let key = real_key(Endpoint { port, ..server }, tag(source) as u8);
        if look_up(tables, geometry, key).is_some() {
            return tables
                .pointer(&PointerKey([server.pack(0), destination]))
                .is_some();
        }
    }
    false
}
