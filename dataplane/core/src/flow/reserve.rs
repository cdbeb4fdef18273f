//! Making sure that the server's replies lead to one flow only.
//!
//! Needed where a reply's hash does not lead to the flow, because the server's socket belongs to several
//! services, or because the server knows the client by an address of the director ([`lease`](super::lease)). The reply's two endpoints then are the key of a pointer, which only one flow can have. If
//! another flow has it already (same client endpoint,
//! another service, same server socket: in IPVS the older connection dies), the newer one takes
//! another source port.
//!
//! A pointer belongs to its flow from before the flow lives until whoever ends the flow has removed it.
//! What remains under a key after that (an ender died, a line was given back) is a leftover, and may be
//! replaced, in one step, so that of two CPUs one gets the key.
//!
//! Bound: [`PORT_TRIES`] source ports.

use super::ends::{Ends, Words};
use super::find;
use super::open::Outcome;
use crate::abi::endpoint::{Endpoint, tag, with_port};
use crate::abi::flow::{CONTROL, Control, OWNER, Owner};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::reason::Reason;
use crate::side;
use crate::tables::{Line, Tables, count};

/// Source ports tried when the client's own is taken.
pub const PORT_TRIES: u32 = 32;

/// What [`reserve`] and [`lease`](super::lease::lease) say when all is well. No refusal is packed as this.
pub(super) const RESERVED: u64 = 0;

/// Makes sure of the replies to the draft in line `number`, which the caller has claimed. The server will
/// see as its peer the client itself, or its address with another port, which is then noted: [`RESERVED`]. Or why that cannot be, as [`Outcome::pack`] has it.
#[inline(never)]
pub(super) fn reserve<T: Tables>(tables: &T, number: u32) -> u64 {
    let refused = Outcome::refused(Reason::PortsExhausted).pack();
    let Some(line) = tables.flow(number) else {
        return refused;
    };
    if Words::load(line).is_one_way() {
        return RESERVED;
    }
    // The flows of the service that had the server first may be older than the sharing, and have no
    // pointer.
    let older = tables.shared_with(number);
    if older == 0 {
        return RESERVED;
    }
    // Read where it is needed, here as below: stack is short.
    let Ends { dest, client, .. } = Words::load(line).ends(Owner(line.load(OWNER)));
    let pointer = Pointer::new(number, Control(line.load(CONTROL)).generation());
    let mut local = client;
    for _ in 0..PORT_TRIES {
        if tables.point(older, PointerKey([dest, local]), pointer) {
            let owner = Owner(line.load(OWNER));
            line.store(OWNER, owner.with(Owner::SERVER_POINTER).0);
            if local != client {
                Words::load(line).with_local(local).store(line);
                count(tables, Reason::PortChanged);
            }
            return RESERVED;
        }
        let port = 1024 + (tables.random() & 0xffff) % (65_536 - 1024);
        local = with_port(client, (port as u16).to_be());
    }
    refused
}

/// The service that had the server of the draft in line `number` first, if the server is shared; else 0.
#[inline(always)]
pub fn shared_with<T: Tables>(tables: &T, number: u32) -> u16 {
    let (Some(config), Some(line)) = (tables.config(0), tables.flow(number)) else {
        return 0;
    };
    let owner = Owner(line.load(OWNER));
    let Some(settings) = tables.dest(owner.dest()) else {
        return 0;
    };
    let Ends { dest, client, .. } = Words::load(line).ends(owner);
    match side::real(
        tables,
        config,
        settings,
        Endpoint::unpack(dest),
        tag(client),
    ) {
        Some(entry) if entry.is_shared() => entry.service(),
        _ => 0,
    }
}

/// Takes back what [`reserve`] has stored.
#[inline(always)]
pub(super) fn unreserve<T: Tables>(tables: &T, number: u32) {
    let Some(line) = tables.flow(number) else {
        return;
    };
    let owner = Owner(line.load(OWNER));
    if owner.has(Owner::SERVER_POINTER) {
        let ends = Words::load(line).ends(owner);
        tables.pointer_remove(&PointerKey([ends.dest, ends.local]));
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
    store(tables, key, pointer)
}

/// As [`point`], where no flow without a pointer can have these replies.
#[inline(always)]
pub(super) fn store<T: Tables>(tables: &T, key: PointerKey, pointer: Pointer) -> bool {
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
