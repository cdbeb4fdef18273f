//! Scheduling (`ip_vs_schedule`, `ip_vs_sched_persist`): the service's consent, the server that its client is
//! kept with or the scheduler's choice, and a flow with it.

use super::ends::{is_ipv6, virtual_address};
use super::load;
use super::open::{Outcome, Wish};
use super::persist;
use super::retire::retire;
use crate::abi::call::Call;
use crate::abi::endpoint::{Endpoint, FTP, FTP_DATA, tag};
use crate::abi::flow::Control;
use crate::abi::reason::Reason;
use crate::abi::{service, state};
use crate::frame::Frame;
use crate::outward;
use crate::sched::{self, Peers};
use crate::tables::{Line, Tables};
use crate::verdict::Hook;

/// Opens the flow that `wish` describes with the server that was found, as [`find_server`] or
/// [`call_out`](super::call_out::call_out) says.
///
/// Called after them, not by them: each has the stack for itself while it runs, and the packet has it again when it goes on.
#[inline(always)]
pub fn finish<T: Tables>(tables: &T, wish: &Wish, found: u64) -> Outcome {
    // Not before: the scheduler counts it.
    if wish.old != 0 {
        retire(tables, wish.old, Control(wish.old_control), wish.now);
    }
    if wish.dest == 0 && !outward::is_wanted(tables, wish) {
        return Outcome::unpack(found);
    }
    let outcome = open(tables, wish);
    if wish.state != state::ONE_PACKET {
        let call = Call(found);
        if !call.is_none() {
            persist::tie(tables, outcome.line, wish, call);
        }
    } else if outcome.line != 0
        && let Some(counts) = tables.counts(wish.dest)
    {
        // A connection of its own, which ends at once; the line remembers where replies to it go.
        load::pass(counts);
    }
    outcome
}

/// Opens the flow of `wish`. The search for an endpoint of the pool is not a step of [`Tables::open`], so that it has
/// that one's part of the stack.
#[inline(always)]
fn open<T: Tables>(tables: &T, wish: &Wish) -> Outcome {
    let outcome = tables.open(*wish);
    if !outcome.is_draft {
        return outcome;
    }
    let leased = tables.lease(outcome.line);
    tables.complete(outcome.line, wish.state, leased)
}

/// Puts into `wish`, which is of the packet in `frame`, at `hook`, the server that its client, or its call, is kept with, or whom
/// the scheduler picks, and says which [call](Call) that is; if there is no server, why, packed.
#[inline(never)]
pub fn find_server<F: Frame, T: Tables>(frame: &F, tables: &T, wish: &mut Wish, hook: Hook) -> u64 {
    if tag(wish.virtual_) == outward::SERVICE {
        // The one that it goes to anyhow.
        return Outcome::NO_SERVICE.pack();
    }
    let consent = tables.consent(*wish);
    let alone = consent.has(Consent::ALONE) && wish.state == state::UDP;
    if alone && hook == Hook::Xdp {
        // Whether XDP could send it on is only known when it is scheduled, and then tc would do so once more.
        return Outcome::refused(Reason::Deferred).pack();
    }
    wish.virtual_ = Endpoint::unpack(wish.virtual_).pack(consent.service);
    wish.dest = consent.dest;
    wish.kept = consent.has(Consent::PERSISTS);
    let mut call = Call::NONE;
    if consent.has(Consent::CALLS) {
        call = frame.call(tables, consent.service, wish.payload, wish.whole_address());
        if call.is_none() {
            return Outcome::refused(Reason::NoCallId).pack();
        }
        wish.dest = tables.kept(wish.of(call));
    }
    if consent.has(Consent::ASKS) && wish.dest == 0 {
        wish.dest = tables.choose(wish.hashed(), wish.client, wish.virtual_);
        if wish.dest == 0 {
            return consent.refusal().pack();
        }
        if wish.kept {
            let kept = tables.persist(wish.of(call));
            wish.dest = kept.line;
            if kept.line == 0 {
                return kept.pack();
            }
            if !call.is_none() {
                frame.note_call(tables, wish.payload, call);
            }
        }
    }
    if alone {
        wish.state = state::ONE_PACKET;
        // Its template has no connection to be kept on for.
        wish.kept = false;
    }
    if wish.dest == 0 {
        return consent.refusal().pack();
    }
    call.0
}

/// What a service says to a new flow.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Consent {
    /// The service's number: that of a removed one's successor, if there is one.
    pub service: u16,
    /// The number of the server that the client is kept with; 0: none.
    pub dest: u32,
    flags: u32,
}

impl Consent {
    /// The service keeps calls in place of clients: their server is still to be found.
    pub const CALLS: u32 = 1 << 27;
    /// The service schedules each datagram for itself.
    pub const ALONE: u32 = 1 << 28;
    /// The service keeps clients with their servers.
    pub const PERSISTS: u32 = 1 << 29;
    /// The scheduler is to be asked.
    pub const ASKS: u32 = 1 << 30;
    /// Where there is no server, the packet is dropped; otherwise it is left to the director.
    pub const DROPS: u32 = 1 << 31;
    const FLAGS: u32 = Self::CALLS | Self::ALONE | Self::PERSISTS | Self::ASKS | Self::DROPS;

    /// Whether it has this flag.
    #[inline(always)]
    pub const fn has(self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// What becomes of the packet if it has no server.
    #[inline(always)]
    const fn refusal(self) -> Outcome {
        if self.has(Self::DROPS) {
            Outcome::refused(Reason::NoDestination)
        } else {
            Outcome::NO_SERVICE
        }
    }

    /// In one number, for a call that returns only that: bits 0..27 server, 27..32 flags, 32..48 service.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        (self.dest & !Self::FLAGS | self.flags) as u64 | (self.service as u64) << 32
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        Self {
            service: (word >> 32) as u16,
            dest: word as u32 & !Self::FLAGS,
            flags: word as u32 & Self::FLAGS,
        }
    }
}

/// Asks the service of `wish` for its consent, and for the server that its client is kept with.
#[inline(always)]
pub fn consent<T: Tables>(tables: &T, wish: &mut Wish) -> Consent {
    let mut mode = mode(tables, wish);
    if mode & service::ACCEPTS == 0 {
        // What takes the place of a removed service's flow may be another's.
        let successor = tables.successor(wish.client, wish.virtual_);
        wish.virtual_ = Endpoint::unpack(wish.virtual_).pack(successor);
        mode = self::mode(tables, wish);
    }
    let mut consent = Consent {
        service: tag(wish.virtual_),
        dest: 0,
        flags: 0,
    };
    if mode & service::ACCEPTS == 0 || is_ftp_data(wish) {
        return consent;
    }
    let own = own_endpoint(tables, wish);
    let is_other =
        mode & service::OTHER_PORTS != 0 && own.port != Endpoint::unpack(wish.virtual_).port;
    if !is_other || own.host_port() != FTP {
        // Else it might have been FTP's data, and is for the director itself (`ip_vs_leave`).
        consent.flags = Consent::DROPS;
    }
    if mode & service::ONE_PACKET != 0 {
        consent.flags |= Consent::ALONE;
    }
    if mode & service::PERSISTS != 0 {
        consent.flags |= Consent::PERSISTS;
        if mode & service::CALLS != 0 {
            consent.flags |= Consent::CALLS;
        } else {
            consent.dest = tables.kept(*wish);
        }
    } else if is_other {
        return consent;
    }
    if consent.dest == 0 {
        consent.flags |= Consent::ASKS;
    }
    consent
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
    sched::pick(tables, number, service, peers)
}
