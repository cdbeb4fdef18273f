//! Calls that a server makes itself (`ip_vs_new_conn_out`, by way of `ip_vs_sip_conn_out`): a datagram from the socket of a
//! service with the persistence engine sip, to somebody with whom it has no flow, opens one as if that one had asked
//! first. It then comes from the virtual address, answers find back, and the call stays with the server.
//!
//! Off every other way: asked for only what would otherwise be left to the kernel.

use super::open::Wish;
use crate::abi::call::Call;
use crate::abi::endpoint::Endpoint;
use crate::abi::ipv6::EndpointKey;
use crate::abi::{dest, service, state};
use crate::family::{Family, Ipv4, Ipv6};
use crate::frame::Frame;
use crate::tables::{Line, Tables};
use crate::wire::{Link, Parsed, UDP};

/// Puts into `wish` which server makes a call, if the packet in `frame`, of this family behind this link header, is a datagram
/// of such a one, and to whom; where it came in, the wish says before. The packet is read anew: most need not bring along what is asked here.
#[inline(always)]
pub fn caller<F: Frame, T: Tables>(frame: &F, tables: &T, link: Link, ipv6: bool, wish: &mut Wish) {
    if ipv6 {
        caller_of::<Ipv6, F, T>(frame, tables, link, wish);
    } else {
        caller_of::<Ipv4, F, T>(frame, tables, link, wish);
    }
}

/// Returns early where there is none; the result means nothing else.
#[inline(always)]
fn caller_of<A: Family, F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    link: Link,
    wish: &mut Wish,
) -> Option<()> {
    let Parsed::Packet(mut packet) = A::parse(frame, link) else {
        return None;
    };
    let config = tables.config(0)?;
    if packet.protocol != UDP {
        return None;
    }
    let network = packet.network();
    // Without a route the packet would leave by where it came from.
    if !A::is_routed(frame, tables, network, wish.interface) {
        return None;
    }
    let server = A::source(frame, network)?;
    let peer = A::peer(frame, config, &mut packet)?;
    let key = EndpointKey::caller(server, packet.source.port, UDP);
    wish.dest = tables.endpoint(&key)? as u32;
    wish.client = packet.destination.pack(UDP as u16 | A::TAG);
    wish.address = A::address(peer);
    wish.state = tables.begin(UDP, 0);
    wish.now = tables.now();
    wish.payload = packet.datagram();
    Some(())
}

/// Completes `wish`, which says which server has sent the datagram in `frame` to whom ([`caller`]), and says of which
/// [call](Call) it is. If it opens no flow, the wish has no server afterwards: the datagram is left to the kernel.
#[inline(always)]
pub fn call_out<F: Frame, T: Tables>(frame: &F, tables: &T, wish: &mut Wish) -> u64 {
    let dest = wish.dest;
    wish.dest = 0;
    let Some(settings) = tables.dest(dest) else {
        return 0;
    };
    let of = settings.load(dest::MODE);
    let Some(line) = tables.service(of as u16 as u32) else {
        return 0;
    };
    let mode = line.load(service::MODE);
    if of & dest::FORWARDS == 0 || mode & service::ACCEPTS == 0 || mode & service::CALLS == 0 {
        return 0;
    }
    wish.virtual_ = Endpoint::unpack(line.load(service::ENDPOINT)).pack(of as u16);
    wish.kept = mode & service::PERSISTS != 0;
    let mut call = Call::NONE;
    if wish.kept {
        call = frame.call(tables, of as u16, wish.payload, wish.whole_address());
        if call.is_none() {
            return 0;
        }
        let kept = tables.persist(wish.of(call).insisting(dest));
        if kept.line == 0 {
            return 0;
        }
        frame.note_call(tables, wish.payload, call);
    }
    if mode & service::ONE_PACKET != 0 {
        wish.state = state::ONE_PACKET;
        wish.kept = false;
    }
    wish.dest = dest;
    call.0
}
