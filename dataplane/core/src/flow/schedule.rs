//! Scheduling (`ip_vs_schedule`, `ip_vs_sched_persist`): the service's consent, the server that its client is
//! kept with or the scheduler's choice, and a flow with it.

use super::ends::{is_ipv6, virtual_address};
use super::open::{Outcome, Wish};
use super::retire::retire;
use crate::abi::endpoint::{Endpoint, FTP, FTP_DATA, tag};
use crate::abi::flow::Control;
use crate::abi::reason::Reason;
use crate::abi::service;
use crate::sched::{self, Peers};
use crate::tables::{Line, Tables};

/// Finds a server for the flow that `wish` describes and opens it.
#[inline(always)]
pub fn schedule<T: Tables>(tables: &T, wish: &mut Wish) -> Outcome {
    let choice = tables.find_server(*wish);
    // Not before: the scheduler counts it.
    if wish.old != 0 {
        retire(tables, wish.old, Control(wish.old_control), wish.now);
    }
    if choice.dest == 0 {
        return Outcome {
            line: 0,
            refusal: choice.refusal,
        };
    }
    wish.virtual_ = Endpoint::unpack(wish.virtual_).pack(choice.service);
    wish.dest = choice.dest;
    wish.kept = choice.kept;
    tables.open(*wish)
}

/// Who is to serve a client.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Choice {
    /// The service's number.
    pub service: u16,
    /// The server's; 0: nobody.
    pub dest: u32,
    /// Whether a template has named it.
    pub kept: bool,
    /// Why nobody does. Neither server nor reason: the service takes no new flows.
    pub refusal: Option<Reason>,
}

impl Choice {
    /// In one number, for a call that returns only that: bits 0..31 server, 31 whether it is kept, 32..48 the reason and
    /// one, 48..64 service.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        let outcome = Outcome {
            line: self.dest & !KEPT | if self.kept { KEPT } else { 0 },
            refusal: self.refusal,
        };
        outcome.pack() | (self.service as u64) << 48
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        let Outcome { line, refusal } = Outcome::unpack(word);
        Self {
            service: (word >> 48) as u16,
            dest: line & !KEPT,
            kept: line & KEPT != 0,
            refusal,
        }
    }
}

const KEPT: u32 = 1 << 31;

/// Finds the server for the flow that `wish` describes: the one that its client is kept with, or whom the scheduler
/// picks; or why there is none.
#[inline(always)]
pub fn find_server<T: Tables>(tables: &T, wish: &mut Wish) -> Choice {
    let mut mode = mode(tables, wish);
    if mode & service::ACCEPTS == 0 {
        // What takes the place of a removed service's flow may be another's.
        let successor = tables.successor(wish.client, wish.virtual_);
        wish.virtual_ = Endpoint::unpack(wish.virtual_).pack(successor);
        mode = self::mode(tables, wish);
    }
    let nobody = Choice {
        service: tag(wish.virtual_),
        dest: 0,
        kept: mode & service::PERSISTS != 0,
        refusal: None,
    };
    if mode & service::ACCEPTS == 0 || is_ftp_data(wish) {
        return nobody;
    }
    let own = own_endpoint(tables, wish);
    let is_other =
        mode & service::OTHER_PORTS != 0 && own.port != Endpoint::unpack(wish.virtual_).port;
    let found = if is_other && !nobody.kept {
        Outcome::refused(Reason::NoDestination)
    } else {
        pick(tables, wish, nobody.kept)
    };
    if is_other && own.host_port() == FTP && found.line == 0 {
        // It might have been FTP's data, and is for the director itself (`ip_vs_leave`).
        return nobody;
    }
    Choice {
        dest: found.line,
        refusal: found.refusal,
        ..nobody
    }
}

/// The mode of the service of `wish`.
#[inline(always)]
fn mode<T: Tables>(tables: &T, wish: &Wish) -> u64 {
    let service = tables.service(tag(wish.virtual_) as u32);
    service.map_or(0, |line| line.load(service::MODE))
}

/// That service's own endpoint.
#[inline(always)]
fn own_endpoint<T: Tables>(tables: &T, wish: &Wish) -> Endpoint {
    let service = tables.service(tag(wish.virtual_) as u32);
    Endpoint::unpack(service.map_or(0, |line| line.load(service::ENDPOINT)))
}

/// Whether a server in FTP's active mode makes the connection, which is none to be balanced (`ip_vs_schedule`).
#[inline(always)]
const fn is_ftp_data(wish: &Wish) -> bool {
    Endpoint::unpack(wish.client).host_port() == FTP_DATA
}

/// The server, by number in place of a line, that the client is kept with, or whom the scheduler picks.
#[inline(always)]
fn pick<T: Tables>(tables: &T, wish: &mut Wish, persists: bool) -> Outcome {
    if persists {
        let kept = tables.persist(*wish);
        if kept.line != 0 {
            return kept;
        }
    }
    wish.dest = tables.choose(wish.hashed(), wish.client, wish.virtual_);
    if wish.dest == 0 {
        return Outcome::refused(Reason::NoDestination);
    }
    if persists {
        return tables.persist(*wish);
    }
    Outcome::line(wish.dest)
}

/// The number of the destination that the service's scheduler picks for a flow from `client` to `virtual_`
/// (words as in [`Wish`]); 0 if none is usable. `address` is what stands for the client's where schedulers
/// hash it.
#[inline(always)]
pub fn choose<T: Tables>(tables: &T, address: u32, client: u64, virtual_: u64) -> u32 {
    let Some(service) = tables.service(tag(virtual_) as u32) else {
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
    sched::pick(tables, service, peers).unwrap_or(0)
}
