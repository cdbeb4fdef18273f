//! States of SCTP associations (`ip_vs_proto_sctp.c`).

use std::fmt;

use super::{SECOND, tcp::Direction};

/// Types of chunks (RFC 9260, section 3.2) that the table has rows for. All others are in the row of DATA.
pub mod chunk {
    /// Data.
    pub const DATA: u8 = 0;
    /// Opens an association.
    pub const INIT: u8 = 1;
    /// Answers an INIT.
    pub const INIT_ACK: u8 = 2;
    /// Acknowledges data.
    pub const SACK: u8 = 3;
    /// Ends an association at once.
    pub const ABORT: u8 = 6;
    /// No more data from the sender.
    pub const SHUTDOWN: u8 = 7;
    /// Answers a SHUTDOWN.
    pub const SHUTDOWN_ACK: u8 = 8;
    /// Something is wrong.
    pub const ERROR: u8 = 9;
    /// Brings a cookie back.
    pub const COOKIE_ECHO: u8 = 10;
    /// Answers a COOKIE ECHO.
    pub const COOKIE_ACK: u8 = 11;
    /// The last packet of an association.
    pub const SHUTDOWN_COMPLETE: u8 = 14;
}

/// A state, as the server sees the association.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Association {
    /// None yet.
    None,
    /// The client has sent its first INIT.
    Init1,
    /// The client has sent more of them.
    Init,
    /// The server has sent a cookie.
    CookieSent,
    /// The client has sent it back.
    CookieReplied,
    /// The server has sent an INIT.
    CookieWait,
    /// The client has sent a cookie.
    Cookie,
    /// The server has sent it back.
    CookieEchoed,
    /// Open in both directions.
    Established,
    /// The server has sent a SHUTDOWN.
    ShutdownSent,
    /// The client has sent a SHUTDOWN.
    ShutdownReceived,
    /// The server has acknowledged a SHUTDOWN.
    ShutdownAckSent,
    /// The server has refused.
    Rejected,
    /// Over.
    Closed,
}

use Association::{
    Closed as CL, Cookie as CO, CookieEchoed as CE, CookieReplied as CR, CookieSent as CS,
    CookieWait as CW, Established as ES, Init as IN, Init1 as I1, None as NO, Rejected as RJ,
    ShutdownAckSent as SA, ShutdownReceived as SR, ShutdownSent as SS,
};

impl Association {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 14] = [NO, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL];

    /// How long an association may be idle in it, milliseconds (`sctp_timeouts`).
    pub(super) const fn timeout(self) -> u64 {
        match self {
            NO => 2 * SECOND,
            I1 | RJ => 4 * SECOND,
            ES => 900 * SECOND,
            _ => 61 * SECOND,
        }
    }

    /// The state after a packet that begins with a chunk of this type, from the server or from the client.
    #[must_use]
    pub fn after(self, from_server: bool, chunk: u8) -> Self {
        next(
            self,
            if from_server {
                Direction::Output
            } else {
                Direction::Input
            },
            chunk,
        )
    }
}

impl fmt::Display for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            NO => "NONE",
            I1 => "INIT1",
            IN => "INIT",
            CS => "C-SENT",
            CR => "C-REPLIED",
            CW => "C-WAIT",
            CO => "COOKIE",
            CE => "C-ECHOED",
            ES => "ESTABLISHED",
            SS => "S-SENT",
            SR => "S-RECEIVED",
            SA => "S-ACK-SENT",
            RJ => "REJECTED",
            CL => "CLOSED",
        })
    }
}

/// What a chunk does to a state, in each direction; a row of the table.
type Row = (u8, [Association; 14]);

/// From the client (`sctp_states`, `INPUT`). DATA is last: it stands for all types without a row.
const INPUT: [Row; 10] = [
    (
        chunk::INIT,
        [I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN],
    ),
    (
        chunk::INIT_ACK,
        [CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::COOKIE_ECHO,
        [CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::COOKIE_ACK,
        [ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN,
        [SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN_ACK,
        [CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL],
    ),
    (
        chunk::SHUTDOWN_COMPLETE,
        [CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL],
    ),
    (
        chunk::ERROR,
        [CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::ABORT,
        [CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL],
    ),
    (
        chunk::DATA,
        [ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
];

/// From the server (`OUTPUT`).
const OUTPUT: [Row; 10] = [
    (
        chunk::INIT,
        [CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW],
    ),
    (
        chunk::INIT_ACK,
        [CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::COOKIE_ECHO,
        [CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::COOKIE_ACK,
        [ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN,
        [SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN_ACK,
        [SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN_COMPLETE,
        [CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::ERROR,
        [CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::ABORT,
        [CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL],
    ),
    (
        chunk::DATA,
        [ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
];

/// From the client of a server whose replies are not seen (`INPUT_ONLY`).
const INPUT_ONLY: [Row; 10] = [
    (
        chunk::INIT,
        [I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN],
    ),
    (
        chunk::INIT_ACK,
        [CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::COOKIE_ECHO,
        [ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::COOKIE_ACK,
        [ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN,
        [SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::SHUTDOWN_ACK,
        [CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL],
    ),
    (
        chunk::SHUTDOWN_COMPLETE,
        [CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL],
    ),
    (
        chunk::ERROR,
        [CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
    (
        chunk::ABORT,
        [CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL],
    ),
    (
        chunk::DATA,
        [ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL],
    ),
];

/// The state after a packet (`set_sctp_state`).
pub(super) fn next(state: Association, direction: Direction, chunk: u8) -> Association {
    let table = match direction {
        Direction::Input => &INPUT,
        Direction::Output => &OUTPUT,
        Direction::InputOnly => &INPUT_ONLY,
    };
    let column = Association::ALL.iter().position(|one| *one == state);
    let row = table.iter().find(|(of, _)| *of == chunk);
    let (_, states) = row.unwrap_or(&table[table.len() - 1]);
    states[column.expect("a state of SCTP")]
}
