//! Servers as clients of the world: what those of some networks send to elsewhere, by connections that they make
//! themselves, leaves from an address of the director, and the answers find back. (LVS-NAT administrators do it by
//! `iptables -t nat ... SNAT`; it is no part of IPVS.) IPv4.
//!
//! Such a connection is a flow like others, of the service and the destination with number 0, which no other has. The
//! virtual endpoint of it is the server's peer, and so is the destination's; that its packets have the pool's address in
//! place of the client's is what makes it go through ([`lease`](crate::flow::lease)). Each has a way of its own, which the
//! kernel's routing table is asked for.
//!
//! [`crate::wildcard`] asks here for what is of no endpoint, only while there are such networks.

use crate::abi::WORDS;
use crate::abi::config;
use crate::abi::dest::{self, FORWARDS};
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::filter::Entry;
use crate::abi::pointer::PointerKey;
use crate::flow::lease::is_of_pool;
use crate::flow::open::Wish;
use crate::tables::{Line, Tables};

/// The service of such flows.
pub const SERVICE: u16 = 0;
/// Their destination.
pub const DEST: u32 = 0;

/// Networks there may be.
pub const NETWORKS: usize = WORDS;

/// Whether an IPv4 packet of these endpoints, whose tags are the protocol, is of such a connection, or may make one: an
/// [`Entry`] with [`Entry::OUTWARD`]; else 0.
#[inline(always)]
pub fn outward<T: Tables>(tables: &T, source: u64, destination: u64) -> u64 {
    let (from, to) = (Endpoint::unpack(source), Endpoint::unpack(destination));
    let entry = Entry::new(SERVICE, true).with(Entry::OUTWARD);
    let reply = PointerKey([from.pack(0), destination]);
    if is_of_pool(tables, to.address) && tables.pointer(&reply).is_some() {
        return entry.with(Entry::REAL).0;
    }
    if is_inside(tables, from.address) && !is_inside(tables, to.address) {
        return entry.0;
    }
    0
}

/// Whether an address (wire order) is in one of the networks.
#[inline(always)]
fn is_inside<T: Tables>(tables: &T, address: u32) -> bool {
    let Some(networks) = tables.config(config::OUTWARD) else {
        return false;
    };
    for word in 0..NETWORKS {
        let network = networks.load(word);
        let mask = (network >> 32) as u32;
        if mask != 0 && address & mask == network as u32 {
            return true;
        }
    }
    false
}

/// Whether `wish` is of such a connection, and they are still made.
#[inline(always)]
pub fn is_wanted<T: Tables>(tables: &T, wish: &Wish) -> bool {
    let settings = tables.dest(DEST);
    tag(wish.virtual_) == SERVICE
        && wish.client != 0
        && settings.is_some_and(|settings| settings.load(dest::MODE) & FORWARDS != 0)
}
