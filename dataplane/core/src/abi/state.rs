//! Numbers of flow states: TCP's as IPVS numbers them (`IP_VS_TCP_S_*`), then other protocols'.

/// No state yet.
pub const NONE: u8 = 0;
/// Both directions open.
pub const ESTABLISHED: u8 = 1;
/// The server has sent a SYN.
pub const SYN_SENT: u8 = 2;
/// The client has sent a SYN.
pub const SYN_RECV: u8 = 3;
/// One side has finished.
pub const FIN_WAIT: u8 = 4;
/// Both sides have finished.
pub const TIME_WAIT: u8 = 5;
/// Reset or given up.
pub const CLOSE: u8 = 6;
/// The client has finished first.
pub const CLOSE_WAIT: u8 = 7;
/// Waiting for the last acknowledgement.
pub const LAST_ACK: u8 = 8;
/// Listening: unused in practice, kept for the numbering.
pub const LISTEN: u8 = 9;
/// Under SYN-flood defence: the server has answered.
pub const SYNACK: u8 = 10;
/// The one state of a UDP flow.
pub const UDP: u8 = 11;
/// Not a flow but a template ([`crate::flow::persist`]).
pub const TEMPLATE: u8 = 12;
/// SCTP: no state yet, and the first of SCTP: the others follow as IPVS numbers them (`IP_VS_SCTP_S_*`).
pub const SCTP_NONE: u8 = 13;
/// SCTP: the client has sent its first INIT.
pub const SCTP_INIT1: u8 = 14;
/// SCTP: the client has sent another INIT.
pub const SCTP_INIT: u8 = 15;
/// SCTP: the server has answered with a cookie.
pub const SCTP_COOKIE_SENT: u8 = 16;
/// SCTP: the client has sent the cookie back.
pub const SCTP_COOKIE_REPLIED: u8 = 17;
/// SCTP: the server has sent an INIT.
pub const SCTP_COOKIE_WAIT: u8 = 18;
/// SCTP: the client has answered with a cookie.
pub const SCTP_COOKIE: u8 = 19;
/// SCTP: the server has sent the cookie back.
pub const SCTP_COOKIE_ECHOED: u8 = 20;
/// SCTP: both directions open.
pub const SCTP_ESTABLISHED: u8 = 21;
/// SCTP: the server has sent a SHUTDOWN.
pub const SCTP_SHUTDOWN_SENT: u8 = 22;
/// SCTP: the client has sent a SHUTDOWN.
pub const SCTP_SHUTDOWN_RECEIVED: u8 = 23;
/// SCTP: the server has acknowledged a SHUTDOWN.
pub const SCTP_SHUTDOWN_ACK_SENT: u8 = 24;
/// SCTP: the server has refused the first INIT.
pub const SCTP_REJECTED: u8 = 25;
/// SCTP: ended, or given up.
pub const SCTP_CLOSED: u8 = 26;

/// States there can be.
pub const MAX: usize = 32;

/// Default timeout of each state, seconds (`tcp_timeouts`, `udp_timeouts`, `sctp_timeouts` of IPVS), in
/// the order of their numbers; 0: no such state. Templates are ended by the daemon alone, so programs
/// think that they have eight years.
pub const DEFAULT_TIMEOUTS: [u32; MAX] = [
    2,
    900,
    120,
    60,
    120,
    120,
    10,
    60,
    30,
    120,
    120,
    300,
    250_000_000,
    2,
    4,
    61,
    61,
    61,
    61,
    61,
    61,
    900,
    61,
    61,
    61,
    4,
    61,
    0,
    0,
    0,
    0,
    0,
];

/// Whether a flow in this state counts as active (`tcp_state_active_table`, `set_sctp_state`; UDP never does).
pub const fn is_active(state: u8) -> bool {
    matches!(
        state,
        ESTABLISHED | SYN_SENT | SYN_RECV | SYNACK | SCTP_ESTABLISHED
    )
}

/// The name IPVS prints (`tcp_state_name_table`, `udp_state_name_table`, `sctp_state_name_table`).
pub const fn name(state: u8) -> &'static str {
    match state {
        ESTABLISHED | SCTP_ESTABLISHED => "ESTABLISHED",
        SYN_SENT => "SYN_SENT",
        SYN_RECV => "SYN_RECV",
        FIN_WAIT => "FIN_WAIT",
        TIME_WAIT => "TIME_WAIT",
        CLOSE => "CLOSE",
        CLOSE_WAIT => "CLOSE_WAIT",
        LAST_ACK => "LAST_ACK",
        LISTEN => "LISTEN",
        SYNACK => "SYNACK",
        UDP => "UDP",
        SCTP_INIT1 => "INIT1",
        SCTP_INIT => "INIT",
        SCTP_COOKIE_SENT => "C-SENT",
        SCTP_COOKIE_REPLIED => "C-REPLIED",
        SCTP_COOKIE_WAIT => "C-WAIT",
        SCTP_COOKIE => "COOKIE",
        SCTP_COOKIE_ECHOED => "C-ECHOED",
        SCTP_SHUTDOWN_SENT => "S-SENT",
        SCTP_SHUTDOWN_RECEIVED => "S-RECEIVED",
        SCTP_SHUTDOWN_ACK_SENT => "S-ACK-SENT",
        SCTP_REJECTED => "REJECTED",
        SCTP_CLOSED => "CLOSED",
        _ => "NONE",
    }
}
