//! Finding a flow from either direction.
//!
//! Nearly always the first line looked at: the flow's preferred way in its home bucket. Then the ways
//! whose tags match, and only if the bucket's header says that a flow lives elsewhere, the pointers.

use super::place::Place;
use super::{Flow, place, read};
use crate::abi::bucket::{DISPLACED, LINES, TAGS, WAYS, tag_of};
use crate::abi::filter::Entry;
use crate::abi::pointer::{Pointer, PointerKey};
use crate::tables::{Line, Tables};

/// Which two words of a flow identify it from one direction.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Key {
    /// A packet from the client: client and virtual endpoint.
    Client(PointerKey),
    /// A packet from the server: real server's endpoint and the peer it sees.
    Server(PointerKey),
}

impl Key {
    /// The words under which a pointer for this direction is stored.
    #[inline(always)]
    pub const fn pointer_key(&self) -> &PointerKey {
        match self {
            Self::Client(key) | Self::Server(key) => key,
        }
    }

    #[inline(always)]
    fn matches(&self, flow: &Flow) -> bool {
        match self {
            Self::Client(PointerKey([client, virtual_])) => {
                flow.client == *client && flow.virtual_ == *virtual_
            }
            Self::Server(PointerKey([dest, local])) => flow.dest == *dest && flow.local == *local,
        }
    }
}

/// The flow of a client's packet. `place` is its home.
#[inline(always)]
pub fn by_client<T: Tables>(tables: &T, place: &Place, key: PointerKey) -> Option<Flow> {
    at_home(tables, place, &Key::Client(key))
}

/// The flow of a server's packet; `entry` is what the filter knows about the server's endpoint.
#[inline(always)]
pub fn by_server<T: Tables>(
    tables: &T,
    config: T::Line,
    entry: Entry,
    key: PointerKey,
) -> Option<Flow> {
    let PointerKey([_, local]) = key;
    let key = Key::Server(key);
    if entry.is_shared()
        && let Some(flow) = by_pointer(tables, &key)
    {
        return Some(flow);
    }
    at_home(tables, &place::of(config, local, entry.service()), &key)
}

#[inline(always)]
fn at_home<T: Tables>(tables: &T, place: &Place, key: &Key) -> Option<Flow> {
    let first = place.bucket * LINES;
    if let Some(flow) = in_line(tables, first + place.way, key) {
        return Some(flow);
    }
    let header = tables.flow(first)?;
    let tags = header.load(TAGS);
    for way in 1..=WAYS {
        if tag_of(tags, way) == place.tag
            && way != place.way
            && let Some(flow) = in_line(tables, first + way, key)
        {
            return Some(flow);
        }
    }
    if header.load(DISPLACED) != 0 {
        by_pointer(tables, key)
    } else {
        None
    }
}

/// The flow that a pointer leads to. A pointer may outlive its flow; the flow itself decides.
#[inline(always)]
pub(super) fn by_pointer<T: Tables>(tables: &T, key: &Key) -> Option<Flow> {
    let pointer: Pointer = tables.pointer(key.pointer_key())?;
    in_line(tables, pointer.line(), key)
}

#[inline(always)]
fn in_line<T: Tables>(tables: &T, number: u32, key: &Key) -> Option<Flow> {
    read(tables.flow(number)?, number).filter(|flow| key.matches(flow))
}
