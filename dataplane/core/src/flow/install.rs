//! Writing a claimed line and making it live.

use super::open::Wish;
use super::{load, place};
use crate::abi::bucket::{DISPLACED, LINES, TAGS, with_tag};
use crate::abi::dest::{self, Counts};
use crate::abi::endpoint::tag;
use crate::abi::filter::Entry;
use crate::abi::flow::{
    CLIENT, CONTROL, Control, DEST, HANDSHAKE, Handshake, LOCAL, OWNER, Owner, Phase, VIRTUAL,
    WAY_BACK, WayBack,
};
use crate::abi::reason::Reason;
use crate::abi::state;
use crate::side;
use crate::tables::{Line, Tables, count};

/// Tries to set a line's tag against other CPUs that set their lines' in the same header.
const TAG_TRIES: u32 = 16;

/// Makes line `number` the flow of `wish`, of `owner`, whose replies go to `local`; false if other CPUs
/// kept the bucket's header busy.
#[inline(never)]
pub(super) fn install<T: Tables>(
    tables: &T,
    wish: &Wish,
    number: u32,
    owner: u64,
    local: u64,
) -> bool {
    let owner = Owner(owner);
    let (Some(line), Some(settings)) = (tables.flow(number), tables.dest(owner.dest())) else {
        return false;
    };
    // Where to look for it is known before it lives.
    if !set_tag(tables, wish, number, owner) {
        return false;
    }
    let generation = Control(line.load(CONTROL)).generation();
    line.store(CLIENT, wish.client);
    line.store(VIRTUAL, wish.virtual_);
    line.store(DEST, settings.load(dest::ENDPOINT));
    line.store(LOCAL, local);
    line.store(OWNER, owner.0);
    line.store(WAY_BACK, WayBack::new(0, wish.interface, generation).0);
    line.store(HANDSHAKE, Handshake::none(generation).0);
    // Counted before it lives, so that nobody can count it down before.
    if let Some(counts) = tables.counts(owner.dest()) {
        load::change(counts, Counts::unit(state::is_active(wish.state)));
        counts.fetch_add(dest::CONNS, 1);
    }
    line.store(
        CONTROL,
        Control::new(Phase::Live, wish.state, generation, wish.now).0,
    );
    if local != wish.client {
        count(tables, Reason::PortChanged);
    }
    true
}

/// Tells the headers what will be in the line: its tag, and if it is not in the flow's home bucket,
/// there that one more is elsewhere. A CPU whose flow's home is another bucket may do the same at the
/// same time.
#[inline(always)]
fn set_tag<T: Tables>(tables: &T, wish: &Wish, number: u32, owner: Owner) -> bool {
    let (Some(config), Some(header)) = (tables.config(0), tables.flow(number & !(LINES - 1)))
    else {
        return false;
    };
    let place = place::of(config, wish.client, tag(wish.virtual_));
    for _ in 0..TAG_TRIES {
        let old = header.load(TAGS);
        if header.compare_exchange(TAGS, old, with_tag(old, number % LINES, place.tag)) {
            if owner.has(Owner::DISPLACED)
                && let Some(home) = tables.flow(place.bucket * LINES)
            {
                home.fetch_add(DISPLACED, 1);
                count(tables, Reason::Displaced);
            }
            return true;
        }
    }
    false
}

/// The owner word of the flow of `wish` with `dest` in line `number`, whose preferred line is `home`.
#[inline(never)]
pub(super) fn own<T: Tables>(tables: &T, wish: &Wish, number: u32, dest: u32, home: u32) -> u64 {
    let mut owner = dest as u64;
    if number / LINES != home / LINES {
        owner |= Owner::DISPLACED;
    }
    if let (Some(config), Some(settings)) = (tables.config(0), tables.dest(dest))
        && side::real(
            tables,
            config,
            settings.load(dest::ENDPOINT),
            tag(wish.client),
        )
        .is_some_and(Entry::is_shared)
    {
        owner |= Owner::SERVER_POINTER;
    }
    owner
}

/// Gives a claimed line back.
#[inline(always)]
pub(super) fn release<T: Tables>(tables: &T, number: u32, now: u32) {
    if let Some(line) = tables.flow(number) {
        let generation = Control(line.load(CONTROL)).generation();
        line.store(CONTROL, Control::new(Phase::Free, 0, generation, now).0);
    }
}
