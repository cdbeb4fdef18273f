//! Writing a claimed line and making it live.

use super::open::Wish;
use super::{place, reserve};
use crate::abi::bucket::{DISPLACED, LINES, TAGS, with_tag};
use crate::abi::dest::{self, Counts};
use crate::abi::endpoint::tag;
use crate::abi::filter::Entry;
use crate::abi::flow::{
    CLIENT, CONTROL, Control, DEST, HANDSHAKE, Handshake, LOCAL, OWNER, Owner, Phase, VIRTUAL,
    WAY_BACK, WayBack,
};
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::reason::Reason;
use crate::abi::state;
use crate::side;
use crate::tables::{Line, Tables, count};

/// Makes line `number` the flow of `wish`, of `owner`, whose replies go to `local`.
#[inline(never)]
pub(super) fn install<T: Tables>(tables: &T, wish: &Wish, number: u32, owner: u64, local: u64) {
    let owner = Owner(owner);
    let (Some(line), Some(settings)) =
        (tables.flow(number), tables.dest(dest::LINES * owner.dest()))
    else {
        return;
    };
    let generation = Control(line.load(CONTROL)).generation();
    line.store(CLIENT, wish.client);
    line.store(VIRTUAL, wish.virtual_);
    line.store(DEST, settings.load(dest::ENDPOINT));
    line.store(LOCAL, local);
    line.store(OWNER, owner.0);
    line.store(WAY_BACK, WayBack::new(0, wish.interface, generation).0);
    line.store(HANDSHAKE, Handshake::none(generation).0);
    // Counted before it lives, so that nobody can count it down before.
    if let Some(counts) = tables.dest(dest::LINES * owner.dest() + 1) {
        counts.fetch_add(dest::COUNTS, Counts::unit(state::is_active(wish.state)));
    }
    if let Some(counters) = tables.dest_counters(owner.dest()) {
        counters.add_local(dest::CONNS, 1);
    }
    line.store(
        CONTROL,
        Control::new(Phase::Live, wish.state, generation, wish.now).0,
    );
    if !owner.has(Owner::CLIENT_POINTER) {
        tag_home(tables, wish, number);
    }
    if local != wish.client {
        count(tables, Reason::PortChanged);
    }
}

/// Tells the bucket's header what is in the line. The bucket's lock is held.
#[inline(always)]
fn tag_home<T: Tables>(tables: &T, wish: &Wish, number: u32) {
    if let (Some(config), Some(header)) = (tables.config(0), tables.flow(number & !(LINES - 1))) {
        let place = place::of(config, wish.client, tag(wish.virtual_));
        header.store(TAGS, with_tag(header.load(TAGS), number % LINES, place.tag));
    }
}

/// The owner word of the flow of `wish` with `dest` in line `number`; a flow away from its home gets
/// its pointer from the client's side here. 0 if there is no room for it.
#[inline(never)]
pub(super) fn own<T: Tables>(tables: &T, wish: &Wish, number: u32, dest: u32, home: u32) -> u64 {
    let displaced = number / LINES != home / LINES;
    if displaced && !displace(tables, wish, number, home) {
        return 0;
    }
    let server = tables
        .dest(dest::LINES * dest)
        .map_or(0, |line| line.load(dest::ENDPOINT));
    let mut owner = dest as u64;
    if displaced {
        owner |= Owner::CLIENT_POINTER | Owner::SERVER_POINTER;
    } else if let Some(config) = tables.config(0)
        && side::real(tables, config, server, tag(wish.client)).is_some_and(Entry::is_shared)
    {
        owner |= Owner::SERVER_POINTER;
    }
    owner
}

#[inline(never)]
fn displace<T: Tables>(tables: &T, wish: &Wish, number: u32, home: u32) -> bool {
    let (Some(line), Some(header)) = (tables.flow(number), tables.flow(home & !(LINES - 1))) else {
        return false;
    };
    let generation = Control(line.load(CONTROL)).generation();
    let key = PointerKey([wish.client, wish.virtual_]);
    if !reserve::store(tables, &key, Pointer::new(number, generation)) {
        return false;
    }
    header.fetch_add(DISPLACED, 1);
    count(tables, Reason::Displaced);
    true
}

/// Gives a claimed line back.
#[inline(always)]
pub(super) fn release<T: Tables>(tables: &T, number: u32, now: u32) {
    if let Some(line) = tables.flow(number) {
        let generation = Control(line.load(CONTROL)).generation();
        line.store(CONTROL, Control::new(Phase::Free, 0, generation, now).0);
    }
}
