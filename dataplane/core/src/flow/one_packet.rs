//! One-packet scheduling (`IP_VS_CONN_F_ONE_PACKET`): each datagram of a client is a connection of its own, which
//! ends with it.
//!
//! What is remembered is where a server's replies go: a line of the flow table for each client, service and server,
//! with the state [`state::ONE_PACKET`]. It is found by the server's packets like a flow, because it lies where a flow
//! of the client and the service would, and by no packet of the client ([`ONE_PACKET`] in its virtual endpoint's
//! tag). It lasts as long as a UDP flow after the last packet either way, counts for no scheduler and no threshold,
//! and gives way to flows as half-open ones do.

use super::find;
use super::open::Wish;
use super::place;
use super::read;
use crate::abi::bucket::{DISPLACED, LINES, TAGS, WAYS, tag_of};
use crate::abi::dest::Leads;
use crate::abi::endpoint::tag;
use crate::abi::flow::ONE_PACKET;
use crate::abi::{dest, state};
use crate::tables::{Line, Tables};

/// The virtual endpoint, packed, under which the line of a wish in `state` is known.
#[inline(always)]
pub const fn known_as(virtual_: u64, state: u8) -> u64 {
    if state == state::ONE_PACKET {
        virtual_ | (ONE_PACKET as u64) << 48
    } else {
        virtual_
    }
}

/// The number of the line in which a wish is fulfilled already, 0 if there is none.
#[inline(always)]
pub(super) fn fulfilled<T: Tables>(tables: &T, wish: &Wish) -> u32 {
    if wish.state != state::ONE_PACKET {
        return find::line_by_client(tables, wish.client, wish.virtual_);
    }
    tables.pair(wish.client, wish.virtual_, wish.dest)
}

/// The number of the line that leads replies to datagrams back where the flow of the wish is to do so, 0 if there
/// is none. To the server, the two would look the same.
#[inline(always)]
pub(super) fn superseded<T: Tables>(tables: &T, wish: &Wish) -> u32 {
    match tables.counts(wish.dest) {
        Some(counts)
            if wish.state == state::UDP && Leads(counts.load(dest::LEADS)).replies() != 0 =>
        {
            tables.pair(wish.client, wish.virtual_, wish.dest)
        }
        _ => 0,
    }
}

/// The number of the line that leads replies of `dest` back to `client`, who has asked for `virtual_` (words as in
/// [`Wish`]); 0 if there is none.
#[inline(always)]
pub fn pair<T: Tables>(tables: &T, client: u64, virtual_: u64, dest: u32) -> u32 {
    let Some(config) = tables.config(0) else {
        return 0;
    };
    let place = place::of(config, client, tag(virtual_));
    let virtual_ = known_as(virtual_, state::ONE_PACKET);
    let tag = place.tag as u32;
    let number = in_bucket(tables, place.bucket, tag, client, virtual_, dest);
    if number != 0 {
        return number;
    }
    match tables.flow(place.bucket * LINES) {
        Some(header) if header.load(DISPLACED) != 0 => {
            let both = place.alternatives();
            match in_bucket(tables, both as u32, tag, client, virtual_, dest) {
                0 => in_bucket(tables, (both >> 32) as u32, tag, client, virtual_, dest),
                number => number,
            }
        }
        _ => 0,
    }
}

/// The same of the lines of a bucket that have this tag. `virtual_` is as the line has it.
#[inline(never)]
fn in_bucket<T: Tables>(
    tables: &T,
    bucket: u32,
    tag: u32,
    client: u64,
    virtual_: u64,
    dest: u32,
) -> u32 {
    let Some(header) = tables.flow(bucket * LINES) else {
        return 0;
    };
    let tags = header.load(TAGS);
    for way in 1..=WAYS {
        let number = bucket * LINES + way;
        if tag_of(tags, way) as u32 == tag && is_pair(tables, number, client, virtual_, dest) {
            return number;
        }
    }
    0
}

#[inline(always)]
fn is_pair<T: Tables>(tables: &T, number: u32, client: u64, virtual_: u64, dest: u32) -> bool {
    let Some(line) = tables.flow(number) else {
        return false;
    };
    read(line, number).is_some_and(|flow| {
        let ends = flow.words.ends(flow.owner);
        ends.client == client && ends.virtual_ == virtual_ && flow.owner.dest() == dest
    })
}
