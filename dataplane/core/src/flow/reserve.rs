//! Making sure that the server's replies lead to one flow only.
//!
//! Needed where a reply's hash does not lead to the flow, because the server's socket belongs to several
//! services. The reply's two endpoints then are the key of a pointer, which only one flow can have. If
//! another flow has it already (same client endpoint,
//! another service, same server socket: in IPVS the older connection dies), the newer one takes
//! another source port.
//!
//! A pointer belongs to its flow from before the flow lives until whoever ends the flow has removed it.
//! What remains under a key after that (an ender died, a line was given back) is a leftover, and may be
//! replaced, in one step, so that of two CPUs one gets the key.
//!
//! Bound: [`PORT_TRIES`] source ports.

use super::find;
use super::open::Wish;
use crate::abi::dest;
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::flow::{CONTROL, Control, Owner};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::side;
use crate::tables::{Line, Tables};

/// Source ports tried when the client's own is taken.
pub const PORT_TRIES: u32 = 32;

/// What the server will see as its peer: the client itself, or its address with another port; 0 if no
/// port is left. `line` is claimed by the caller.
#[inline(never)]
pub(super) fn reserve<T: Tables>(tables: &T, wish: &Wish, line: u32, dest: u32) -> u64 {
    let (Some(config), Some(settings), Some(flow)) =
        (tables.config(0), tables.dest(dest), tables.flow(line))
    else {
        return 0;
    };
    let server = settings.load(dest::ENDPOINT);
    // The flows of the service that had the server first may be older than the sharing, and have no
    // pointer.
    let older = match side::real(tables, config, server, tag(wish.client)) {
        Some(entry) if entry.is_shared() => entry.service(),
        _ => return wish.client,
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

/// Takes back what [`reserve`] has stored.
#[inline(always)]
pub(super) fn unreserve<T: Tables>(tables: &T, owner: u64, local: u64) {
    let owner = Owner(owner);
    if owner.has(Owner::SERVER_POINTER)
        && let Some(settings) = tables.dest(owner.dest())
    {
        tables.pointer_remove(&PointerKey([settings.load(dest::ENDPOINT), local]));
    }
}

/// Stores the pointer of a reply, in place of a leftover if need be; false if another flow has these
/// replies, or there is no room. `older` is a service whose flows may have no pointers and are looked
/// for by their hash.
#[inline(always)]
pub fn point<T: Tables>(tables: &T, older: u16, key: PointerKey, pointer: Pointer) -> bool {
    let PointerKey([server, local]) = key;
    if find::line_by_server(tables, older, server, local) != 0 {
        return false;
    }
    match tables.pointer(&key) {
        None => tables.pointer_insert(&key, pointer),
        Some(old) => is_leftover(tables, old) && tables.pointer_replace(&key, old, pointer),
    }
}

/// Whether nobody will use or remove the pointer any more. Its line has the pointer's generation while
/// the flow is being made and lives, and the next one, claimed, while it is being ended.
#[inline(always)]
fn is_leftover<T: Tables>(tables: &T, pointer: Pointer) -> bool {
    let Some(line) = tables.flow(pointer.line()) else {
        return true;
    };
    let control = Control(line.load(CONTROL));
    match control.generation().wrapping_sub(pointer.generation()) & 0x00ff_ffff {
        0 => control.is_free(),
        1 => control.is_free() || control.is_live(),
        _ => true,
    }
}
