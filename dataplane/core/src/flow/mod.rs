//! Flows: finding them, making them, keeping their state, ending them.
//!
//! The life of a line of the flow table, all changes by compare-and-exchange of its control word:
//!
//! ```text
//!            acquire                   settle
//!   Free ─────────────► Claimed ─────────────────► Live ──┐ touch: state, protection, last seen
//!    ▲                  (generation + 1)            │  ▲  │
//!    │                      ▲                       │  └──┘
//!    │      retire          └───────────────────────┤ acquire of an expired or evicted line
//!    └──────────────── Claimed ◄────────────────────┘
//! ```
//!
//! * [`find`] reads, [`open`] makes, [`touch`] keeps, [`retire`] ends, [`sweep`] does so for all.
//! * A reader believes a line only if its control word says live before and after, with one
//!   generation ([`read`]).
//! * Whoever moves a line out of live has won the compare-and-exchange, and alone counts it down.
//! * Flows whose home is one bucket are added under that bucket's lock, so one flow has one line.
//!   Only programs take it, for a bounded time; the daemon never does and may die at any point.

pub mod acquire;
pub mod call_out;
pub mod ends;
pub mod find;
pub mod handshake;
pub mod lease;
pub mod load;
pub mod machine;
pub mod one_packet;
pub mod open;
pub mod persist;
pub mod place;
pub mod reserve;
pub mod retire;
pub mod schedule;
pub mod sctp;
pub mod settle;
pub mod sweep;
pub mod tcp;
pub mod touch;
pub mod way_back;

use crate::abi::config::{self, Sysctls};
use crate::abi::flow::{CONTROL, Control, OWNER, Owner, WAY_BACK, WayBack};
use crate::tables::{Line, Tables};
use ends::Words;

/// What a line says, all words of one generation.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Flow {
    /// Number of the line in the flow table.
    pub number: u32,
    /// Phase, state, generation, last use.
    pub control: Control,
    /// Its endpoints, as they lie in the line.
    pub words: Words,
    /// Destination number and pointer flags.
    pub owner: Owner,
    /// How to get back to the client.
    pub way_back: WayBack,
}

/// The flow in `line`, whose number is `number`; `None` unless it is live and was all the while.
#[inline(always)]
pub fn read<L: Line>(line: L, number: u32) -> Option<Flow> {
    let before = Control(line.load(CONTROL));
    if !before.is_live() {
        return None;
    }
    let flow = Flow {
        number,
        control: before,
        words: Words::load(line),
        owner: Owner(line.load(OWNER)),
        way_back: WayBack(line.load(WAY_BACK)),
    };
    let after = Control(line.load(CONTROL));
    if after.is_live() && after.generation() == before.generation() {
        Some(Flow {
            control: after,
            ..flow
        })
    } else {
        None
    }
}

/// What the administrator chose where IPVS has a sysctl.
#[inline(always)]
pub fn sysctls<T: Tables>(tables: &T) -> Sysctls {
    let line = tables.config(config::SYSCTLS);
    Sysctls(line.map_or(0, |line| line.load(config::MODES)))
}

/// The timeout of a state, ticks.
#[inline(always)]
pub fn timeout<T: Tables>(tables: &T, state: u8) -> u32 {
    let state = (state & 31) as u32;
    match tables.config(config::TIMEOUTS + state / 8) {
        Some(line) => line.load((state & 7) as usize) as u32,
        None => 0,
    }
}

/// Whether a flow with this control word has been idle for longer than its state allows. A last use
/// after `now` (another CPU's clock read) is no idleness.
#[inline(always)]
pub fn is_expired<T: Tables>(tables: &T, control: Control, now: u32) -> bool {
    let idle = now.wrapping_sub(control.last_seen()) as i32;
    idle > 0 && idle as u32 > timeout(tables, control.state())
}
