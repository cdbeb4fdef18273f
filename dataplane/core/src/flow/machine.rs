//! What state follows what: a row of a protocol's state machine, for one kind of packet in one direction.
//!
//! A row is one word, so that the loop that changes a flow's state ([`super::touch`]) is the same few
//! instructions without branches for every protocol. The eBPF programs make [`after`] and [`begin`] functions that
//! are verified by themselves, so that what follows is not judged for each row.

use super::tcp::Direction;
use super::{sctp, sysctls, tcp};
use crate::abi::state;
use crate::tables::Tables;
use crate::wire::{SCTP, TCP, Tcp};

/// No state: what [`begin`] says of a packet that opens nothing.
pub const NOT: u8 = u8::MAX;

/// The state in which a flow begins that a client's packet with these flags opens; [`NOT`] if it opens none
/// (`tcp_conn_schedule`, `sctp_conn_schedule`).
#[inline(always)]
pub fn begin<T: Tables>(tables: &T, protocol: u8, flags: u16) -> u8 {
    let said = Tcp { flags, number: 0 };
    let opens = match protocol {
        TCP => said.opens() || !said.has(Tcp::RST) && sysctls(tables).sloppy_tcp(),
        SCTP => said.opens() || !said.has(Tcp::RST) && sysctls(tables).sloppy_sctp(),
        _ => true,
    };
    match protocol {
        _ if !opens => NOT,
        TCP => tcp::after(Direction::ToServer, said).next(state::NONE),
        // Its first packet makes a state of it, as any other does.
        SCTP => state::SCTP_NONE,
        _ => state::UDP,
    }
}

/// What follows each state of `protocol` by a packet with these flags ([`Tcp::flags`]).
#[inline(always)]
pub const fn after(direction: Direction, protocol: u8, flags: u16) -> Row {
    let said = Tcp { flags, number: 0 };
    match protocol {
        TCP => tcp::after(direction, said),
        SCTP => sctp::after(direction, said.chunk()),
        _ => Row::one(state::UDP),
    }
}

/// Bits of a state in a row.
const STATE: u32 = 4;
/// First bit of the number of the protocol's first state.
const FIRST: u32 = 56;

/// The next state for each of at most fourteen: bits 0..4 that of the first, and so on, counted from the
/// protocol's first state, whose number is in bits 56..64.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Row(pub u64);

impl Row {
    /// For the states from `first` on, what follows each; all of them [states](crate::abi::state).
    #[expect(clippy::indexing_slicing, reason = "runs when the program is compiled")]
    pub const fn new<const N: usize>(first: u8, next: [u8; N]) -> Self {
        assert!(N as u32 * STATE <= FIRST, "too many states");
        let mut row = (first as u64) << FIRST;
        let mut at = 0;
        while at < N {
            row |= ((next[at] - first) as u64) << (at as u32 * STATE);
            at += 1;
        }
        Self(row)
    }

    /// For a protocol whose one state is `state`.
    pub const fn one(state: u8) -> Self {
        Self::new(state, [state])
    }

    /// The state after `state`.
    #[inline(always)]
    pub const fn next(self, state: u8) -> u8 {
        let first = (self.0 >> FIRST) as u8;
        let place = (state.wrapping_sub(first) & 15) as u32;
        first + ((self.0 >> (place * STATE)) & 15) as u8
    }
}
