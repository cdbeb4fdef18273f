//! Making sure that the server's replies lead to one flow only.
//!
//! Needed where a reply's hash does not lead to the flow: the server's socket belongs to several
//! services, or the flow does not live in its home bucket. The reply's two endpoints then are the key
//! of a pointer, which only one flow can have. If another flow has it already (same client endpoint,
//! another service, same server socket: in IPVS the older connection dies), the newer one takes
//! another source port.
//!
//! Bound: [`PORT_TRIES`] source ports.

use super::find;
use super::open::Wish;
use crate::abi::bucket::LINES;
use crate::abi::dest;
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::flow::{CONTROL, Control};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::side;
use crate::tables::{Line, Tables};

/// Source ports tried when the client's own is taken.
pub const PORT_TRIES: u32 = 32;

/// What the server will see as its peer: the client itself, or its address with another port; 0 if no
/// port is left. `line` is claimed by the caller; `home` is the flow's preferred line.
#[inline(never)]
pub(super) fn reserve<T: Tables>(tables: &T, wish: &Wish, line: u32, dest: u32, home: u32) -> u64 {
    let (Some(config), Some(settings), Some(flow)) = (
        tables.config(0),
        tables.dest(dest::LINES * dest),
        tables.flow(line),
    ) else {
        return 0;
    };
    let server = settings.load(dest::ENDPOINT);
    let older = match side::real(tables, config, server, tag(wish.client)) {
        Some(entry) if entry.is_shared() => entry.service(),
        _ if line / LINES == home / LINES => return wish.client,
        _ => 0,
    };
    // The flows of the server's oldest service may be older than the sharing, and have no pointer.
    let older = if older == tag(wish.virtual_) {
        0
    } else {
        older
    };
    let pointer = Pointer::new(line, Control(flow.load(CONTROL)).generation());
    let mut local = wish.client;
    for _ in 0..PORT_TRIES {
        if tables.point(older, PointerKey([server, local]), pointer) {
            return local;
        }
        let port = 1024 + (tables.random() & 0xffff) % (65_536 - 1024);
        local = Endpoint {
            port: (port as u16).to_be(),
            ..Endpoint::unpack(wish.client)
        }
        .pack(tag(wish.client));
    }
    0
}

/// Stores a pointer, in place of a stale one if need be; false if another flow has these replies.
/// `older`, if not 0, is a service whose flows may have no pointers and are looked for by their hash.
#[inline(always)]
pub fn point<T: Tables>(tables: &T, older: u16, key: PointerKey, pointer: Pointer) -> bool {
    let PointerKey([server, local]) = key;
    if older != 0 && find::line_by_server(tables, older, server, local) != 0 {
        return false;
    }
    if tables.pointer_insert(&key, pointer) {
        return true;
    }
    if find::pointed_to(tables, server, local) != 0 {
        return false;
    }
    tables.pointer_remove(&key);
    tables.pointer_insert(&key, pointer)
}
