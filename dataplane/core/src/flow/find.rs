//! Finding a flow from either direction.
//!
//! Most often the first line looked at: the flow's preferred way in its home bucket. Then, in
//! functions of their own, the ways whose tags match, and only if the bucket's header says that a
//! flow lives elsewhere, those of the two other buckets. Replies of a server socket that several
//! services share are found by pointers.
//!
//! A key is the two words that identify a flow from one direction, as a pointer's key has them: client
//! and virtual endpoint, or real server and the peer it sees, each a pair of neighbouring words in the
//! line. Which of the two it is, its first tag tells. Of IPv6 they lead to a line but do not identify its
//! flow: [`Family::is`] compares the client's whole address too.

use super::ends::{Words, is_ipv6};
use super::place::{self, Place};
use super::{Flow, read};
use crate::abi::bucket::{DISPLACED, LINES, TAGS, WAYS, tag_of};
use crate::abi::endpoint::tag;
use crate::abi::filter::Entry;
use crate::abi::flow::{CLIENT, CONTROL, Control, DEST, OWNER, Owner};
use crate::abi::pointer::PointerKey;
use crate::family::Family;
use crate::tables::{Line, Tables};

/// The flow of a packet of this `client`. `place` is its home.
#[inline(always)]
pub fn by_client<A: Family, T: Tables>(
    tables: &T,
    place: &Place,
    key: PointerKey,
    client: A::Client,
) -> Option<Flow> {
    at_home::<A, T>(tables, place, key, client)
}

/// The flow of a server's packet to `client`; `entry` is what the filter knows about the server's endpoint.
#[inline(always)]
pub fn by_server<A: Family, T: Tables>(
    tables: &T,
    config: T::Line,
    entry: Entry,
    key: PointerKey,
    client: A::Client,
) -> Option<Flow> {
    let PointerKey([dest, local]) = key;
    if entry.has(Entry::SHARED | Entry::POOLED)
        && (entry.is_shared() || A::is_of_pool(tables, local))
        && let Some(flow) = in_line::<A, T>(tables, pointed_to(tables, dest, local), key, client)
    {
        return Some(flow);
    }
    at_home::<A, T>(
        tables,
        &place::of(config, local, entry.service()),
        key,
        client,
    )
}

/// The number of the line of a client's flow, 0 if there is none: [`by_client`] as a function of its
/// own, for where stack is dearer than time.
#[inline(never)]
pub fn line_by_client<T: Tables>(tables: &T, client: u64, virtual_: u64) -> u32 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    let place = place::of(config, client, tag(virtual_));
    elsewhere(tables, &place, client, virtual_)
}

/// The number of the line of a server's flow with `service`, by its hash; 0 if there is none.
#[inline(always)]
pub fn line_by_server<T: Tables>(tables: &T, service: u16, dest: u64, local: u64) -> u32 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    elsewhere(tables, &place::of(config, local, service), dest, local)
}

/// The number of the line of a flow that a pointer leads to, 0 if there is none. A pointer may outlive
/// its flow; the flow itself decides.
#[inline(never)]
pub fn pointed_to<T: Tables>(tables: &T, first: u64, second: u64) -> u32 {
    let Some(pointer) = tables.pointer(&PointerKey([first, second])) else {
        return 0;
    };
    if holds(tables, pointer.line(), first, second) {
        pointer.line()
    } else {
        0
    }
}

#[inline(always)]
fn at_home<A: Family, T: Tables>(
    tables: &T,
    place: &Place,
    key: PointerKey,
    client: A::Client,
) -> Option<Flow> {
    let preferred = place.bucket * LINES + place.way;
    if let Some(flow) = in_line::<A, T>(tables, preferred, key, client) {
        return Some(flow);
    }
    let PointerKey([first, second]) = key;
    in_line::<A, T>(tables, elsewhere(tables, place, first, second), key, client)
}

/// The number of the flow's line, wherever it is; 0 if there is none.
#[inline(always)]
fn elsewhere<T: Tables>(tables: &T, place: &Place, first: u64, second: u64) -> u32 {
    let number = tables.tagged(place.bucket, place.tag as u32, first, second);
    if number != 0 {
        return number;
    }
    match tables.flow(place.bucket * LINES) {
        Some(header) if header.load(DISPLACED) != 0 => displaced(
            tables,
            place.alternatives(),
            place.tag as u32,
            first,
            second,
        ),
        _ => 0,
    }
}

/// The number of the flow's line, if it is in one of these two buckets; else 0.
#[inline(never)]
fn displaced<T: Tables>(tables: &T, buckets: u64, tag: u32, first: u64, second: u64) -> u32 {
    match tables.tagged(buckets as u32, tag, first, second) {
        0 => tables.tagged((buckets >> 32) as u32, tag, first, second),
        number => number,
    }
}

/// The number of the flow's line, if it is one of those in the bucket that have this tag; else 0.
#[inline(always)]
pub fn tagged<T: Tables>(tables: &T, bucket: u32, tag: u32, first: u64, second: u64) -> u32 {
    let Some(header) = tables.flow(bucket * LINES) else {
        return 0;
    };
    let tags = header.load(TAGS);
    for way in 1..=WAYS {
        let number = bucket * LINES + way;
        if tag_of(tags, way) as u32 == tag && holds(tables, number, first, second) {
            return number;
        }
    }
    0
}

/// Whether the line holds the flow of this key.
#[inline(always)]
fn holds<T: Tables>(tables: &T, number: u32, first: u64, second: u64) -> bool {
    let Some(line) = tables.flow(number) else {
        return false;
    };
    let from_server = tag(first) == 0;
    let before = Control(line.load(CONTROL));
    let same = if is_ipv6(if from_server { second } else { first }) {
        let ends = Words::load(line).ends(Owner(line.load(OWNER)));
        if from_server {
            ends.dest == first && ends.local == second
        } else {
            ends.client == first && ends.virtual_ == second
        }
    } else {
        let word = if from_server { DEST } else { CLIENT };
        line.load(word) == first && line.load(word + 1) == second
    };
    let after = Control(line.load(CONTROL));
    same && before.is_live() && after.is_live() && before.generation() == after.generation()
}

/// The flow of this key, if line `number` has it.
#[inline(always)]
pub fn in_line<A: Family, T: Tables>(
    tables: &T,
    number: u32,
    key: PointerKey,
    client: A::Client,
) -> Option<Flow> {
    // Line 0 is a header, so 0 can mean "none".
    if number == 0 {
        return None;
    }
    let flow = read(tables.flow(number)?, number)?;
    if A::is(&flow, key, client) {
        Some(flow)
    } else {
        None
    }
}
