//! What a packet does to its flow: state, protection, last use.
//!
//! A packet of an open connection writes at most once a tick, so that CPUs do not fight over the line.

use super::Flow;
use super::tcp::Direction;
use crate::abi::dest::{self, Counts};
use crate::abi::flow::{CONTROL, Control, HANDSHAKE, Handshake};
use crate::abi::state;
use crate::tables::{Line, Tables};
use crate::wire::{Packet, Tcp};

/// Tries before giving up against other CPUs that touch the same flow.
const TRIES: u32 = 4;
/// How far behind the server's first sequence number an acknowledgement may be and still prove that
/// the client heard it: more than any server sends before the first acknowledgement. A blind guess
/// hits it once in 2^16. So it does of SCTP, whose tag the client repeats as it is.
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
    if changes_nothing(flow.control, packet.tcp, direction, now) {
        return true;
    }
    let row = tables.after(direction, packet.protocol, packet.tcp.flags);
    let mut old = flow.control;
    for _ in 0..TRIES {
        let mut new = old.with_state(row.next(old.state()));
        if !old.is_protected() && proves_handshake(line, packet.tcp, direction) {
            new = new.with_protection();
        }
        if (now.wrapping_sub(old.last_seen()) as i32) > 0 {
            new = new.with_last_seen(now);
        }
        if new == old || line.compare_exchange(CONTROL, old.0, new.0) {
            move_count(tables, flow, old.state(), new.state());
            if !new.is_protected() && answers(packet, direction) {
                tables.note_handshake(flow.number, flow.control.generation(), packet.tcp.number);
            }
            return true;
        }
        let again = Control(line.load(CONTROL));
        if !again.is_live() || again.generation() != old.generation() {
            return false;
        }
        old = again;
    }
    // Others keep touching it, so it is alive and as fresh as this packet could make it.
    true
}

/// Whether the packet leaves its flow as it is, as most do: one that begins, ends and proves nothing, of an open
/// connection that was used this very tick. These need no row of the state machine.
#[inline(always)]
fn changes_nothing(control: Control, segment: Tcp, direction: Direction, now: u32) -> bool {
    let open = match control.state() {
        state::ESTABLISHED => control.is_protected() || direction != Direction::ToServer,
        state::UDP => true,
        _ => false,
    };
    open && control.last_seen() == now && segment.flags & (Tcp::SYN | Tcp::FIN | Tcp::RST) == 0
}

/// Whether the client says what only he can say who has heard the server. UDP has no flags that could.
#[inline(always)]
fn proves_handshake<L: Line>(line: L, segment: Tcp, direction: Direction) -> bool {
    direction == Direction::ToServer
        && segment.flags & (Tcp::ACK | Tcp::SYN | Tcp::RST) == Tcp::ACK
        && match Handshake(line.load(HANDSHAKE)).expected() {
            Some(expected) => segment.number.wrapping_sub(expected) < HEARD,
            None => false,
        }
}

#[inline(always)]
fn move_count<T: Tables>(tables: &T, flow: &Flow, old: u8, new: u8) {
    let (was, is) = (state::is_active(old), state::is_active(new));
    if was != is
        && let Some(counts) = tables.counts(flow.owner.dest())
    {
        let change = Counts::unit(is).wrapping_sub(Counts::unit(was));
        counts.fetch_add(dest::COUNTS, change);
    }
}

/// Whether this is the server's answer to the client's first segment or INIT.
#[inline(always)]
fn answers(packet: &Packet, direction: Direction) -> bool {
    direction == Direction::ToClient && packet.tcp.has(Tcp::SYN | Tcp::ACK)
}
