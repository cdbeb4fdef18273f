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

/// States there can be.
pub const MAX: usize = 32;

/// Default timeout of each state, seconds (`tcp_timeouts`, `udp_timeouts` of IPVS), in
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
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
];

/// Whether a flow in this state counts as active (`tcp_state_active_table`; UDP never does).
pub const fn is_active(state: u8) -> bool {
    matches!(state, ESTABLISHED | SYN_SENT | SYN_RECV | SYNACK)
}

/// The name IPVS prints (`tcp_state_name_table`, `udp_state_name_table`).
pub const fn name(state: u8) -> &'static str {
    match state {
        ESTABLISHED => "ESTABLISHED",
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
        _ => "NONE",
    }
}
