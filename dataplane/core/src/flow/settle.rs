//! Making a flow of a claimed line in which [`open`](super::open) has left its draft.
//!
//! It is made sure that replies can be told apart ([`reserve`](super::reserve)), the line's tag is set in
//! its bucket's header, and the line is made live. The flow's home bucket is locked all the while.

use super::ends::Words;
use super::lease::NOT_WANTED;
use super::load;
use super::open::Outcome;
use super::place::{self, Place};
use super::reserve::{RESERVED, reserve, unreserve};
use crate::abi::bucket::{DISPLACED, LINES, TAGS, with_tag};
use crate::abi::flow::{CONTROL, Control, OWNER, Owner, Phase};
use crate::abi::reason::Reason;
use crate::abi::state;
use crate::tables::{Line, Tables, count};

/// Tries to set a line's tag against other CPUs that set their lines' in the same header.
const TAG_TRIES: u32 = 16;

/// Makes the draft in line `number` a flow in `state`, or gives the line back. `leased` is what
/// [`lease`](super::lease::lease) said of it.
#[inline(always)]
pub fn settle<T: Tables>(tables: &T, number: u32, state: u8, leased: u64) -> Outcome {
    let (Some(config), Some(line)) = (tables.config(0), tables.flow(number)) else {
        return Outcome::refused(Reason::TableFull);
    };
    let ends = Words::load(line).ends(Owner(line.load(OWNER)));
    let place = place::of(config, ends.client, ends.service());
    let is_template = state == state::TEMPLATE;
    let reserved = if is_template {
        RESERVED
    } else if leased != NOT_WANTED {
        leased
    } else {
        reserve(tables, number)
    };
    let outcome = if reserved != RESERVED {
        Outcome::unpack(reserved)
    } else if !set_tag(tables, number, &place) {
        unreserve(tables, number);
        Outcome::refused(Reason::Contended)
    } else {
        live(tables, number, state);
        Outcome::line(number)
    };
    if outcome.line == 0 {
        release(line);
    }
    outcome
}

/// Tells the headers what will be in the line: its tag, and if it is not in the flow's home bucket,
/// there that one more is elsewhere. So where to look for it is known before it lives. A CPU whose flow's
/// home is another bucket may do the same at the same time; false if others kept the header busy.
#[inline(always)]
fn set_tag<T: Tables>(tables: &T, number: u32, place: &Place) -> bool {
    let Some(header) = tables.flow(number & !(LINES - 1)) else {
        return false;
    };
    for _ in 0..TAG_TRIES {
        let old = header.load(TAGS);
        if header.compare_exchange(TAGS, old, with_tag(old, number % LINES, place.tag)) {
            if number / LINES != place.bucket
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

/// Counts the flow and makes its line live.
#[inline(always)]
fn live<T: Tables>(tables: &T, number: u32, state: u8) {
    let Some(line) = tables.flow(number) else {
        return;
    };
    // Counted before it lives, so that nobody can count it down before.
    if let Some(counts) = tables.counts(Owner(line.load(OWNER)).dest()) {
        load::begin(counts, state);
    }
    let claimed = Control(line.load(CONTROL));
    let control = Control::new(
        Phase::Live,
        state,
        claimed.generation(),
        claimed.last_seen(),
    );
    line.store(CONTROL, control.0);
}

/// Gives a claimed line back.
#[inline(always)]
fn release<L: Line>(line: L) {
    let claimed = Control(line.load(CONTROL));
    let control = Control::new(Phase::Free, 0, claimed.generation(), claimed.last_seen());
    line.store(CONTROL, control.0);
}
