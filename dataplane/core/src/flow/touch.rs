//! What a packet does to its flow: state, protection, last use.
//!
//! A packet of an open connection writes at most once a tick, so that CPUs do not fight over the line.

use super::tcp::{self, Direction};
use super::{Flow, read};
use crate::abi::dest::{self, Counts};
use crate::abi::flow::{CONTROL, HANDSHAKE, Handshake, WAY_BACK};
use crate::abi::state;
use crate::tables::{Line, Tables};
use crate::wire::{Packet, TCP, Tcp};

/// Tries before giving up against other CPUs that touch the same flow.
const TRIES: u32 = 4;
/// How far behind the server's first sequence number an acknowledgement may be and still prove that
/// the client heard it: more than any server sends before the first acknowledgement. A blind guess
/// hits it once in 2^16.
const HEARD: u32 = 1 << 16;

/// Brings the flow up to date; false if it ended in the meantime.
#[inline(always)]
pub fn touch<T: Tables>(
    tables: &T,
    line: T::Line,
    flow: &Flow,
    packet: &Packet,
    direction: Direction,
    now: u32,
) -> bool {
    let mut seen = *flow;
    for _ in 0..TRIES {
        let old = seen.control;
        let mut new = old;
        if packet.protocol == TCP {
            new = new.with_state(tcp::next(old.state(), direction, packet.tcp));
            if !old.is_protected() && proves_handshake(&seen, packet.tcp, direction) {
                new = new.with_protection();
            }
        }
        if (now.wrapping_sub(old.last_seen()) as i32) > 0 {
            new = new.with_last_seen(now);
        }
        if new == old || line.compare_exchange(CONTROL, old.0, new.0) {
            move_count(tables, flow, old.state(), new.state());
            note_answer(line, &seen, packet, direction);
            return true;
        }
        match read(line, flow.number) {
            Some(again) if again.control.generation() == old.generation() => seen = again,
            _ => return false,
        }
    }
    // Others keep touching it, so it is alive and as fresh as this packet could make it.
    true
}

/// Remembers the way back to the client, unless the flow has ended.
#[inline(always)]
pub fn learn_way_back<L: Line>(line: L, flow: &Flow, next_hop: u32) {
    let new = flow.way_back.with_next_hop(next_hop);
    line.compare_exchange(WAY_BACK, flow.way_back.0, new.0);
}

#[inline(always)]
fn proves_handshake(flow: &Flow, segment: Tcp, direction: Direction) -> bool {
    direction == Direction::ToServer
        && segment.flags & (Tcp::ACK | Tcp::SYN | Tcp::RST) == Tcp::ACK
        && match flow.handshake.expected() {
            Some(expected) => segment.acknowledgement.wrapping_sub(expected) < HEARD,
            None => false,
        }
}

#[inline(always)]
fn move_count<T: Tables>(tables: &T, flow: &Flow, old: u8, new: u8) {
    let (was, is) = (state::is_active(old), state::is_active(new));
    if was != is
        && let Some(counts) = tables.dest(dest::LINES * flow.owner.dest() + 1)
    {
        let change = Counts::unit(is).wrapping_sub(Counts::unit(was));
        counts.fetch_add(dest::COUNTS, change);
    }
}

/// Keeps the sequence number of the server's SYN+ACK.
#[inline(always)]
fn note_answer<L: Line>(line: L, flow: &Flow, packet: &Packet, direction: Direction) {
    if direction == Direction::ToClient
        && packet.protocol == TCP
        && packet.tcp.has(Tcp::SYN | Tcp::ACK)
        && !flow.control.is_protected()
    {
        let generation = flow.control.generation();
        let new = Handshake::answered(packet.tcp.sequence.wrapping_add(1), generation);
        line.compare_exchange(HANDSHAKE, flow.handshake.0, new.0);
    }
}
