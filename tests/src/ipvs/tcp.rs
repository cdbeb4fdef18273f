//! States of connections, and how long each may be idle (`ip_vs_proto_tcp.c`, `ip_vs_proto_udp.c`). Those of
//! SCTP are in [`super::sctp`].

use std::fmt;

use super::{ACK, FIN, Packet, RST, SECOND, SYN, sctp::Association};

/// A state; of TCP, but for the last ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// None yet.
    None,
    /// Open in both directions.
    Established,
    /// The server has sent a SYN.
    SynSent,
    /// The client has sent a SYN.
    SynRecv,
    /// One side has finished.
    FinWait,
    /// Both sides have finished.
    TimeWait,
    /// Reset.
    Close,
    /// The client has finished first.
    CloseWait,
    /// Waiting for the last acknowledgement.
    LastAck,
    /// Waiting for a connection.
    Listen,
    /// Only under attack.
    SynAck,
    /// The one state of UDP.
    Udp,
    /// One of SCTP.
    Sctp(Association),
}

use State::{
    Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA, Listen as LI,
    None as NO, SynAck as SA, SynRecv as SR, SynSent as SS, TimeWait as TW,
};

impl State {
    /// Whether connections in it count as active (`tcp_state_active_table`, `set_sctp_state`).
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            ES | SS | SR | SA | Self::Sctp(Association::Established)
        )
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            NO => "NONE",
            ES => "ESTABLISHED",
            SS => "SYN_SENT",
            SR => "SYN_RECV",
            FW => "FIN_WAIT",
            TW => "TIME_WAIT",
            CL => "CLOSE",
            CW => "CLOSE_WAIT",
            LA => "LAST_ACK",
            LI => "LISTEN",
            SA => "SYNACK",
            Self::Udp => "UDP",
            Self::Sctp(association) => return association.fmt(f),
        })
    }
}

/// Which packets a row of the table is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// From the client.
    Input,
    /// From the server.
    Output,
    /// From the client of a server whose replies are not seen.
    InputOnly,
}

/// The states in the order of the table's columns.
const COLUMNS: [State; 11] = [NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA];

type Row = (Direction, u8, [State; 11]);

/// What follows what (`tcp_states`). The first row that a segment's flags are of counts.
const TABLE: [Row; 12] = {
    use Direction::{Input, InputOnly, Output};
    [
        (Input, RST, [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR]),
        (Input, SYN, [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]),
        (Input, FIN, [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW]),
        (Input, ACK, [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]),
        (Output, RST, [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]),
        (Output, SYN, [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR]),
        (Output, FIN, [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]),
        (Output, ACK, [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]),
        (InputOnly, RST, [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]),
        (InputOnly, SYN, [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]),
        (InputOnly, FIN, [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]),
        (InputOnly, ACK, [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]),
    ]
};

/// The state after a segment (`set_tcp_state`). One without any of the flags closes the connection.
pub(super) fn next(state: State, direction: Direction, segment: &Packet) -> State {
    let column = COLUMNS.iter().position(|one| *one == state);
    let column = column.expect("a state of TCP");
    let mut rows = TABLE.iter();
    let row = rows.find(|(of, flag, _)| *of == direction && segment.has(*flag));
    row.map_or(CL, |(_, _, states)| states[column])
}

/// The timeouts that can be set, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) established: u64,
    pub(super) fin_wait: u64,
    pub(super) udp: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            established: 900 * SECOND,
            fin_wait: 120 * SECOND,
            udp: 300 * SECOND,
        }
    }
}

impl Timeouts {
    /// How long a connection may be idle in a state, milliseconds (`tcp_timeouts`, `udp_timeouts`).
    pub(super) const fn of(&self, state: State) -> u64 {
        match state {
            NO => 2 * SECOND,
            ES => self.established,
            FW => self.fin_wait,
            SS | TW | LI | SA => 120 * SECOND,
            SR | CW => 60 * SECOND,
            CL => 10 * SECOND,
            LA => 30 * SECOND,
            State::Udp => self.udp,
            State::Sctp(association) => association.timeout(),
        }
    }
}
