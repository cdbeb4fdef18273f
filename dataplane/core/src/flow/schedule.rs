//! Scheduling (`ip_vs_schedule`, `ip_vs_sched_persist`): the service's consent, the server that its client is
//! kept with or the scheduler's choice, and a flow with it.

use super::ends::{is_ipv6, virtual_address};
use super::open::{Outcome, Wish};
use super::retire::retire;
use crate::abi::endpoint::{Endpoint, tag};
use crate::abi::flow::Control;
use crate::abi::reason::Reason;
use crate::abi::service;
use crate::sched::{self, Peers};
use crate::tables::{Line, Tables};

/// Finds a server for the flow that `wish` describes and opens it.
#[inline(always)]
pub fn schedule<T: Tables>(tables: &T, wish: &mut Wish) -> Outcome {
    let service = tables.service(tag(wish.virtual_) as u32);
    let mode = service.map_or(0, |line| line.load(service::MODE));
    let refusal = if mode & service::ACCEPTS == 0 {
        Some(Outcome::NO_SERVICE)
    } else {
        find_server(tables, wish, mode & service::PERSISTS != 0)
    };
    // Not before: the scheduler counts it.
    if wish.old != 0 {
        retire(tables, wish.old, Control(wish.old_control), wish.now);
    }
    match refusal {
        Some(refusal) => refusal,
        None => tables.open(*wish),
    }
}

/// Puts into `wish` the server that its client is kept with, or whom the scheduler picks; or why there is none.
#[inline(always)]
fn find_server<T: Tables>(tables: &T, wish: &mut Wish, persists: bool) -> Option<Outcome> {
    wish.kept = persists;
    if persists {
        wish.dest = tables.persist(*wish).line;
    }
    if wish.dest != 0 {
        return None;
    }
    wish.dest = tables.choose(wish.hashed(), wish.client, wish.virtual_);
    if wish.dest == 0 {
        return Some(Outcome::refused(Reason::NoDestination));
    }
    if persists {
        let kept = tables.persist(*wish);
        if kept.line == 0 {
            return Some(kept);
        }
        wish.dest = kept.line;
    }
    None
}

/// The number of the destination that the service's scheduler picks for a flow from `client` to `virtual_`
/// (words as in [`Wish`]); 0 if none is usable. `address` is what stands for the client's where schedulers
/// hash it.
#[inline(always)]
pub fn choose<T: Tables>(tables: &T, address: u32, client: u64, virtual_: u64) -> u32 {
    let number = tag(virtual_) as u32;
    let Some(service) = tables.service(number) else {
        return 0;
    };
    let virtual_address = if is_ipv6(client) {
        virtual_address(service).fold()
    } else {
        Endpoint::unpack(virtual_).address
    };
    let peers = Peers {
        client: u32::from_be(address),
        port: Endpoint::unpack(client).host_port(),
        virtual_: u32::from_be(virtual_address),
    };
    sched::pick(tables, number, service, peers).unwrap_or(0)
}
