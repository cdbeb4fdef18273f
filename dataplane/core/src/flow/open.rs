//! Opening a flow with the server that [was chosen](super::schedule): a line of the table.
//!
//! Under the lock of the flow's home bucket: look once more whether another CPU was faster, find a line
//! ([`acquire`](super::acquire)), write into it what is known ([`draft`]), make sure that replies can be told
//! apart and make it live ([`settle`](super::settle)). Where an endpoint of the pool may be needed, that is looked for
//! ([`lease`](super::lease)) before [`complete`] does the last part.
//!
//! Off the way of established packets. The eBPF programs make [`open`] a function that is verified by
//! itself; its steps are functions too, so that each needs stack only while it runs (512 bytes are all
//! there is). What they need of the flow to be they read from its line, which is claimed and nobody else's.

use super::acquire::acquire;
use super::ends::{Ends, Words, is_ipv6, server};
use super::lease::NOT_WANTED;
use super::settle::settle;
use super::{handshake, is_expired, one_packet, place, retire};
use crate::abi::bucket::{LINES, LOCK};
use crate::abi::call::Call;
use crate::abi::endpoint::{Endpoint, TEMPLATE, tag};
use crate::abi::flow::{CONTROL, Control, HANDSHAKE, OWNER, Owner, WAY_BACK, WayBack};
use crate::abi::ipv6::Address;
use crate::abi::reason::Reason;
use crate::abi::{dest, state};
use crate::outward;
use crate::sip::Payload;
use crate::tables::{Line, Tables};

/// Tries for a bucket's lock. Its holder needs well under a microsecond.
pub const SPINS: u32 = 64;

/// A flow to be.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Wish {
    /// Client endpoint, tag = IP protocol.
    pub client: u64,
    /// Virtual endpoint, tag = service number.
    pub virtual_: u64,
    /// The client's whole address, if it is an IPv6 one.
    pub address: Address,
    /// Number of the server that it is to have.
    pub dest: u32,
    /// Whether a template has named it.
    pub kept: bool,
    /// The number of the line whose flow it replaces; 0: none.
    pub old: u32,
    /// The control word which that line must have to be given up.
    pub old_control: u64,
    /// The state it begins in.
    pub state: u8,
    /// Index of the interface its first packet came by.
    pub interface: u32,
    /// Current tick.
    pub now: u32,
    /// Where its first packet has its payload, if that is a UDP datagram.
    pub payload: Payload,
}

impl Wish {
    /// For nothing.
    pub const NONE: Self = Self {
        client: 0,
        virtual_: 0,
        address: Address([0, 0]),
        dest: 0,
        kept: false,
        old: 0,
        old_control: 0,
        state: 0,
        interface: 0,
        now: 0,
        payload: Payload::NONE,
    };

    /// The client's whole address, an IPv4 one in the lowest bits.
    #[inline(always)]
    pub const fn whole_address(&self) -> Address {
        if is_ipv6(self.client) {
            self.address
        } else {
            Address([Endpoint::unpack(self.client).address as u64, 0])
        }
    }

    /// The wish for a template: the same, or for a call, with the call in place of the client's endpoint, and the client's
    /// whole address.
    #[inline(always)]
    #[must_use]
    pub const fn of(&self, call: Call) -> Self {
        if call.is_none() {
            return *self;
        }
        Self {
            client: call.endpoint().pack(tag(self.client) | TEMPLATE),
            address: self.whole_address(),
            ..*self
        }
    }

    /// The wish for a template that is to name this very server, whoever it has named so far.
    #[inline(always)]
    #[must_use]
    pub const fn insisting(self, dest: u32) -> Self {
        Self {
            dest,
            state: state::TEMPLATE,
            ..self
        }
    }

    /// What schedulers that hash know the client's address by: itself, or an IPv6 one folded (`addr_fold`
    /// in `ip_vs_sh_hashkey`). Wire order.
    #[inline(always)]
    pub const fn hashed(&self) -> u32 {
        if is_ipv6(self.client) {
            self.address.fold()
        } else {
            Endpoint::unpack(self.client).address
        }
    }
}

/// What became of a wish. Not an enum: the bits that a variant leaves undefined become register moves
/// that the verifier refuses.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Outcome {
    /// The number of the line in which the flow lives, made now or by another CPU; 0 if there is none.
    pub line: u32,
    /// Why there is none. Neither line nor reason: the service takes no new flows.
    pub refusal: Option<Reason>,
    /// The line has a draft that needs an endpoint of the pool: its bucket is locked until [`complete`] has ended.
    pub is_draft: bool,
}

impl Outcome {
    /// The flow lives in this line.
    #[inline(always)]
    pub const fn line(line: u32) -> Self {
        Self {
            line,
            refusal: None,
            is_draft: false,
        }
    }

    /// The flow cannot be had.
    #[inline(always)]
    pub const fn refused(reason: Reason) -> Self {
        Self {
            line: 0,
            refusal: Some(reason),
            is_draft: false,
        }
    }

    /// All in one number, for a call that returns only that.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        let reason = match self.refusal {
            Some(reason) => reason as u64 + 1,
            None => 0,
        };
        self.line as u64 | reason << 32 | (self.is_draft as u64) << 40
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub const fn unpack(word: u64) -> Self {
        let refusal = match (word >> 32) as u8 {
            0 => None,
            reason => Reason::from_number(reason - 1),
        };
        Self {
            line: word as u32,
            refusal,
            is_draft: word >> 40 & 1 != 0,
        }
    }

    /// The service takes no new flows.
    pub const NO_SERVICE: Self = Self {
        line: 0,
        refusal: None,
        is_draft: false,
    };
}

/// Opens the flow that `wish` describes.
#[inline(always)]
pub fn open<T: Tables>(tables: &T, wish: &Wish) -> Outcome {
    let number = tag(wish.virtual_);
    let Some(config) = tables.config(0) else {
        return Outcome::NO_SERVICE;
    };
    let place = place::of(config, wish.client, number);
    let bucket = place.bucket * LINES;
    let Some(header) = tables.flow(bucket) else {
        return Outcome::refused(Reason::TableFull);
    };
    if !lock(header) {
        return Outcome::refused(Reason::Contended);
    }
    let outcome = under_lock(tables, wish, bucket + place.way, place.alternatives());
    if !outcome.is_draft {
        header.store(LOCK, 0);
    }
    outcome
}

/// Makes a flow in `state` of the draft that [`open`] has left in line `number`, with what [`lease`](super::lease::lease)
/// said of it, or gives the line back.
#[inline(always)]
pub fn complete<T: Tables>(tables: &T, number: u32, state: u8, leased: u64) -> Outcome {
    let (Some(config), Some(line)) = (tables.config(0), tables.flow(number)) else {
        return Outcome::refused(Reason::TableFull);
    };
    let ends = Words::load(line).ends(Owner(line.load(OWNER)));
    let place = place::of(config, ends.client, ends.service());
    let outcome = settle(tables, number, state, leased);
    if let Some(header) = tables.flow(place.bucket * LINES) {
        header.store(LOCK, 0);
    }
    outcome
}

/// Locks the bucket with this header; false if others kept it busy for too long.
#[inline(always)]
pub(super) fn lock<L: Line>(header: L) -> bool {
    for _ in 0..SPINS {
        if header.load(LOCK) == 0 && header.compare_exchange(LOCK, 0, 1) {
            return true;
        }
    }
    false
}

#[inline(always)]
fn under_lock<T: Tables>(tables: &T, wish: &Wish, home: u32, alternatives: u64) -> Outcome {
    if let Some(line) = already_open(tables, wish) {
        return Outcome::line(line);
    }
    let line = acquire(tables, home, alternatives, wish.now);
    if line == 0 {
        return Outcome::refused(Reason::TableFull);
    }
    if !draft(tables, wish, line, home) {
        return Outcome::refused(Reason::TableFull);
    }
    let settings = tables.dest(wish.dest);
    if settings.is_some_and(|settings| settings.load(dest::MODE) & dest::FULL != 0) {
        return Outcome {
            is_draft: true,
            ..Outcome::line(line)
        };
    }
    settle(tables, line, wish.state, NOT_WANTED)
}

/// Writes into a claimed line what `wish` says of the flow whose preferred line is `home`.
#[inline(never)]
pub(super) fn draft<T: Tables>(tables: &T, wish: &Wish, number: u32, home: u32) -> bool {
    let (Some(config), Some(line), Some(settings), Some(service)) = (
        tables.config(0),
        tables.flow(number),
        tables.dest(wish.dest),
        tables.service(tag(wish.virtual_) as u32),
    ) else {
        return false;
    };
    let digest = if is_ipv6(wish.client) {
        Endpoint::unpack(wish.client).address
    } else {
        0
    };
    let mut owner = Owner::new(wish.dest, digest);
    if wish.kept {
        owner = owner.with(Owner::KEPT);
    }
    if number / LINES != home / LINES {
        owner = owner.with(Owner::DISPLACED);
    }
    let ends = Ends {
        client: wish.client,
        virtual_: one_packet::known_as(wish.virtual_, wish.state),
        dest: if tag(wish.virtual_) == outward::SERVICE {
            // Where the packet goes anyhow.
            Endpoint::unpack(wish.virtual_).pack(0)
        } else {
            let port = Endpoint::unpack(wish.virtual_).port;
            server(config, settings, service, port)
        },
        local: wish.client,
    };
    let generation = Control(line.load(CONTROL)).generation();
    ends.words(wish.address).store(line);
    line.store(OWNER, owner.0);
    line.store(WAY_BACK, WayBack::new(0, wish.interface, generation).0);
    line.store(HANDSHAKE, handshake::expect(tables, wish, generation).0);
    true
}

/// The line in which another CPU has opened the flow meanwhile. One that has expired is ended, and so is what leads
/// replies to the client's datagrams back where the flow will.
#[inline(always)]
fn already_open<T: Tables>(tables: &T, wish: &Wish) -> Option<u32> {
    let mut number = one_packet::fulfilled(tables, wish);
    let is_it = number != 0;
    if !is_it {
        number = one_packet::superseded(tables, wish);
    }
    if number == 0 {
        return None;
    }
    let control = Control(tables.flow(number)?.load(CONTROL));
    if !control.is_live() {
        // Ended since.
        return None;
    }
    let is_over = if is_it {
        is_expired(tables, control, wish.now)
    } else {
        control.state() == state::ONE_PACKET
    };
    if is_over {
        retire::retire(tables, number, control, wish.now);
        return None;
    }
    is_it.then_some(number)
}
