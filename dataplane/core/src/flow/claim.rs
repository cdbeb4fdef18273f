//! Making a flow.
//!
//! Under the lock of the flow's home bucket: look once more whether another CPU was faster, let the
//! scheduler pick, make sure that replies can be told apart, find a line, write it, make it live.
//!
//! Where a line is found, in this order: the preferred way, any other vacant way of the home bucket,
//! a vacant way of [`ALTERNATIVES`] other buckets (then pointers lead to the flow), the half-open flow
//! of the home bucket that was idle longest. A flow whose client has acknowledged the server's own
//! sequence number is never given up.
//!
//! Bounds: [`SPINS`] tries for the lock, 7 lines for each of 1 + [`ALTERNATIVES`] buckets,
//! [`PORT_TRIES`] source ports.

use super::place::{ALTERNATIVES, Place};
use super::{Flow, find, is_expired, read, retire};
use crate::abi::bucket::{DISPLACED, LINES, LOCK, TAGS, WAYS, with_tag};
use crate::abi::config::ticks;
use crate::abi::dest::{self, Counts};
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::filter::Entry;
use crate::abi::flow::{
    CLIENT, CONTROL, Control, DEST, HANDSHAKE, Handshake, LOCAL, OWNER, Owner, Phase, VIRTUAL,
    WAY_BACK, WayBack,
};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::reason::Reason;
use crate::abi::state;
use crate::tables::{Line, Tables};

/// Tries for a bucket's lock. Its holder needs well under a microsecond.
pub const SPINS: u32 = 512;
/// Source ports tried when the client's own is taken.
pub const PORT_TRIES: u32 = 32;
/// Ticks after which a claimed line counts as abandoned: its claimer died half way.
pub const ABANDONED: u32 = ticks(3);

/// A flow to be.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Wish {
    /// Client endpoint, tag = IP protocol.
    pub client: u64,
    /// Virtual endpoint, tag = service number.
    pub virtual_: u64,
    /// The state it begins in.
    pub state: u8,
    /// Index of the interface its first packet came by.
    pub interface: u32,
    /// Current tick.
    pub now: u32,
}

/// The real server that was picked for a flow.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Pick {
    /// Destination number.
    pub number: u32,
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// What the filter knows about that endpoint.
    pub entry: Entry,
}

/// A flow that was wished for.
pub enum Claimed {
    /// It was made, with this note if something unusual had to be done for it.
    Made(Flow, Option<Reason>),
    /// Another CPU had made it.
    Found(Flow),
    /// It cannot be had.
    Refused(Reason),
}

/// Makes the flow that `wish` describes, with home `place`, for the server that `pick` names.
#[inline(always)]
pub fn claim<T: Tables>(
    tables: &T,
    place: &Place,
    wish: &Wish,
    pick: impl FnOnce() -> Option<Pick>,
) -> Claimed {
    let Some(header) = tables.flow(place.bucket * LINES) else {
        return Claimed::Refused(Reason::TableFull);
    };
    if !lock(header) {
        return Claimed::Refused(Reason::Contended);
    }
    let claimed = under_lock(tables, header, place, wish, pick);
    header.store(LOCK, 0);
    claimed
}

#[inline(always)]
fn lock<L: Line>(header: L) -> bool {
    for _ in 0..SPINS {
        if header.load(LOCK) == 0 && header.compare_exchange(LOCK, 0, 1) {
            return true;
        }
    }
    false
}

#[inline(always)]
fn under_lock<T: Tables>(
    tables: &T,
    header: T::Line,
    place: &Place,
    wish: &Wish,
    pick: impl FnOnce() -> Option<Pick>,
) -> Claimed {
    let key = PointerKey([wish.client, wish.virtual_]);
    if let Some(flow) = find::by_client(tables, place, key) {
        if !is_expired(tables, flow.control, wish.now) {
            return Claimed::Found(flow);
        }
        if let Some(line) = tables.flow(flow.number) {
            retire::retire(tables, line, &flow, wish.now);
        }
    }
    let Some(pick) = pick() else {
        return Claimed::Refused(Reason::NoDestination);
    };
    let Some(slot) = acquire(tables, place, wish.now) else {
        return Claimed::Refused(Reason::TableFull);
    };
    let Some(line) = tables.flow(slot.number) else {
        return Claimed::Refused(Reason::TableFull);
    };

    let displaced = slot.number / LINES != place.bucket;
    let pointer = Pointer::new(slot.number, slot.control.generation());
    let Some(local) = reserve(tables, wish, &pick, displaced, pointer) else {
        release(line, slot.control);
        return Claimed::Refused(Reason::PortsExhausted);
    };
    let mut owner = Owner(pick.number as u64);
    if displaced || pick.entry.is_shared() {
        owner = Owner(owner.0 | Owner::SERVER_POINTER);
    }
    if displaced {
        owner = Owner(owner.0 | Owner::CLIENT_POINTER);
        // A leftover of a flow that ended without its pointer being removed may be in the way.
        tables.pointer_remove(&key);
        if !tables.pointer_insert(&key, pointer) {
            if owner.has(Owner::SERVER_POINTER) {
                tables.pointer_remove(&PointerKey([pick.endpoint.pack(0), local]));
            }
            release(line, slot.control);
            return Claimed::Refused(Reason::TableFull);
        }
        header.fetch_add(DISPLACED, 1);
    }

    let generation = slot.control.generation();
    let flow = Flow {
        number: slot.number,
        control: Control::new(Phase::Live, wish.state, generation, wish.now),
        client: wish.client,
        virtual_: wish.virtual_,
        dest: pick.endpoint.pack(0),
        local,
        owner,
        way_back: WayBack::new(0, wish.interface, generation),
        handshake: Handshake::none(generation),
    };
    publish(tables, line, &flow);
    if !displaced {
        let tags = header.load(TAGS);
        header.store(TAGS, with_tag(tags, slot.number % LINES, place.tag));
    }
    let note = match (slot.evicted, local != wish.client, displaced) {
        (true, _, _) => Some(Reason::Evicted),
        (_, true, _) => Some(Reason::PortChanged),
        (_, _, true) => Some(Reason::Displaced),
        _ => None,
    };
    Claimed::Made(flow, note)
}

/// Writes a claimed line and makes it live. The flow is counted first, so that nobody can count it
/// down before.
#[inline(always)]
fn publish<T: Tables>(tables: &T, line: T::Line, flow: &Flow) {
    line.store(CLIENT, flow.client);
    line.store(VIRTUAL, flow.virtual_);
    line.store(DEST, flow.dest);
    line.store(LOCAL, flow.local);
    line.store(OWNER, flow.owner.0);
    line.store(WAY_BACK, flow.way_back.0);
    line.store(HANDSHAKE, flow.handshake.0);
    if let Some(counts) = tables.dest(dest::LINES * flow.owner.dest() + 1) {
        counts.fetch_add(
            dest::COUNTS,
            Counts::unit(state::is_active(flow.control.state())),
        );
    }
    line.store(CONTROL, flow.control.0);
}

/// Gives a claimed line back.
#[inline(always)]
fn release<L: Line>(line: L, claimed: Control) {
    let free = Control::new(Phase::Free, 0, claimed.generation(), claimed.last_seen());
    line.store(CONTROL, free.0);
}

/// A line that the caller has claimed.
struct Slot {
    number: u32,
    control: Control,
    evicted: bool,
}

#[inline(always)]
fn acquire<T: Tables>(tables: &T, place: &Place, now: u32) -> Option<Slot> {
    let home = place.bucket * LINES;
    if let Some(slot) = take_vacant(tables, home + place.way, now) {
        return Some(slot);
    }
    if let Some(slot) = vacant_in(tables, home, now) {
        return Some(slot);
    }
    for n in 0..ALTERNATIVES {
        if let Some(slot) = vacant_in(tables, place.alternative(n) * LINES, now) {
            return Some(slot);
        }
    }
    evict_in(tables, home, now)
}

#[inline(always)]
fn vacant_in<T: Tables>(tables: &T, first: u32, now: u32) -> Option<Slot> {
    for way in 1..=WAYS {
        if let Some(slot) = take_vacant(tables, first + way, now) {
            return Some(slot);
        }
    }
    None
}

/// Claims the line if it is free, abandoned, or its flow has expired.
#[inline(always)]
fn take_vacant<T: Tables>(tables: &T, number: u32, now: u32) -> Option<Slot> {
    let line = tables.flow(number)?;
    let seen = Control(line.load(CONTROL));
    if seen.is_live() {
        if !is_expired(tables, seen, now) {
            return None;
        }
        let flow = read(line, number)?;
        if !is_expired(tables, flow.control, now) {
            return None;
        }
        let control = retire::take(tables, line, &flow, now)?;
        return Some(Slot {
            number,
            control,
            evicted: false,
        });
    }
    let idle = now.wrapping_sub(seen.last_seen()) as i32;
    if !seen.is_free() && idle <= ABANDONED as i32 {
        return None;
    }
    let control = Control::new(Phase::Claimed, 0, seen.generation().wrapping_add(1), now);
    if line.compare_exchange(CONTROL, seen.0, control.0) {
        Some(Slot {
            number,
            control,
            evicted: false,
        })
    } else {
        None
    }
}

/// Claims the line of the unprotected flow that was idle longest.
#[inline(always)]
fn evict_in<T: Tables>(tables: &T, first: u32, now: u32) -> Option<Slot> {
    let mut victim = 0;
    let mut longest = -1;
    for way in 1..=WAYS {
        let seen = Control(tables.flow(first + way)?.load(CONTROL));
        let idle = now.wrapping_sub(seen.last_seen()) as i32;
        if seen.is_live() && !seen.is_protected() && idle > longest {
            victim = way;
            longest = idle;
        }
    }
    if victim == 0 {
        return None;
    }
    let number = first + victim;
    let line = tables.flow(number)?;
    let flow = read(line, number)?;
    if flow.control.is_protected() {
        return None;
    }
    let control = retire::take(tables, line, &flow, now)?;
    Some(Slot {
        number,
        control,
        evicted: true,
    })
}

/// Makes sure that the server's replies lead to this flow only: the word that the server will see as
/// its peer. It is the client itself unless that is taken by a flow of another service with the same
/// server socket; then another source port.
#[inline(always)]
fn reserve<T: Tables>(
    tables: &T,
    wish: &Wish,
    pick: &Pick,
    displaced: bool,
    pointer: Pointer,
) -> Option<u64> {
    if !displaced && !pick.entry.is_shared() {
        return Some(wish.client);
    }
    let dest = pick.endpoint.pack(0);
    let mut local = wish.client;
    for _ in 0..PORT_TRIES {
        if is_unclaimed(tables, wish, pick, local)
            && insert(tables, &PointerKey([dest, local]), pointer)
        {
            return Some(local);
        }
        let client = Endpoint::unpack(wish.client);
        let port = 1024 + (tables.random() & 0xffff) % (65_536 - 1024);
        local = Endpoint {
            port: (port as u16).to_be(),
            ..client
        }
        .pack(tag(wish.client));
    }
    None
}

/// Whether no flow from before the server was shared, which has no pointer, sees these replies.
#[inline(always)]
fn is_unclaimed<T: Tables>(tables: &T, wish: &Wish, pick: &Pick, local: u64) -> bool {
    if !pick.entry.is_shared() || pick.entry.service() == tag(wish.virtual_) {
        return true;
    }
    let Some(config) = tables.config(0) else {
        return false;
    };
    let key = PointerKey([pick.endpoint.pack(0), local]);
    find::by_server(tables, config, Entry::new(pick.entry.service(), false), key).is_none()
}

/// Stores a pointer, in place of a stale one if need be.
#[inline(always)]
fn insert<T: Tables>(tables: &T, key: &PointerKey, pointer: Pointer) -> bool {
    if tables.pointer_insert(key, pointer) {
        return true;
    }
    if find::by_pointer(tables, &find::Key::Server(*key)).is_some() {
        return false;
    }
    tables.pointer_remove(key);
    tables.pointer_insert(key, pointer)
}
