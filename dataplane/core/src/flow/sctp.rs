//! The SCTP state machine of IPVS (`ip_vs_proto_sctp.c`, `sctp_states`).
//!
//! When is an association's flow protected from giving way to others? Its client has to have heard the
//! server: the INIT ACK of the server names a random tag, and whatever the client says after that, its COOKIE
//! ECHO first of all, has that tag as its verification tag (RFC 9260, section 8.5). Who forges the client's address
//! guesses it no more often than a sequence number of TCP ([`super::touch`]).

use super::machine::Row;
use super::tcp::Direction;
use crate::abi::state::{
    SCTP_CLOSED as CL, SCTP_COOKIE as CO, SCTP_COOKIE_ECHOED as CE, SCTP_COOKIE_REPLIED as CR,
    SCTP_COOKIE_SENT as CS, SCTP_COOKIE_WAIT as CW, SCTP_ESTABLISHED as ES, SCTP_INIT as IN,
    SCTP_INIT1 as I1, SCTP_NONE as NO, SCTP_REJECTED as RJ, SCTP_SHUTDOWN_ACK_SENT as SA,
    SCTP_SHUTDOWN_RECEIVED as SR, SCTP_SHUTDOWN_SENT as SS,
};
use crate::wire::sctp::chunk;

const fn row(next: [u8; 14]) -> Row {
    Row::new(NO, next)
}

// From:                       NO  I1  IN  CS  CR  CW  CO  CE  ES  SS  SR  SA  RJ  CL
const DATA: Row = row([ES, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
const IN_INIT: Row = row([I1, IN, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, IN, IN]);
const IN_INIT_ACK: Row = row([CW, CW, CW, CS, CR, CO, CO, CE, ES, SS, SR, SA, RJ, CL]);
const IN_ECHO: Row = row([CR, IN, IN, CR, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
const IN_ACK: Row = row([ES, I1, IN, CS, CR, CW, CO, ES, ES, SS, SR, SA, RJ, CL]);
const IN_SHUTDOWN: Row = row([SR, I1, IN, CS, CR, CW, CO, CE, SR, SS, SR, SA, RJ, CL]);
const IN_DOWN_ACK: Row = row([CL, IN, IN, CS, CR, CW, CO, CE, ES, CL, SR, CL, RJ, CL]);
const IN_COMPLETE: Row = row([CL, CL, CL, CS, CR, CW, CO, CE, ES, SS, SR, CL, RJ, CL]);
const IN_ERROR: Row = row([CL, I1, IN, CS, CR, CW, CO, CL, ES, SS, SR, SA, RJ, CL]);
const IN_ABORT: Row = row([CL, CL, CL, CL, CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL]);
const OUT_INIT: Row = row([CW, CW, CW, CW, CW, CW, CW, CW, ES, CW, CW, CW, CW, CW]);
const OUT_INIT_ACK: Row = row([CS, CS, CS, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
const OUT_ECHO: Row = row([CE, CE, CE, CE, CE, CE, CE, CE, ES, SS, SR, SA, RJ, CL]);
const OUT_ACK: Row = row([ES, ES, ES, ES, ES, ES, ES, ES, ES, SS, SR, SA, RJ, CL]);
const OUT_SHUTDOWN: Row = row([SS, SS, SS, SS, SS, SS, SS, SS, SS, SS, SR, SA, RJ, CL]);
const OUT_DOWN_ACK: Row = row([SA, SA, SA, SA, SA, CW, CO, CE, ES, SA, SA, SA, RJ, CL]);
const OUT_COMPLETE: Row = row([CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
const OUT_ERROR: Row = row([CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);
const OUT_ABORT: Row = row([CL, RJ, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL, CL]);
const ONE_DATA: Row = row([ES, I1, IN, CS, CR, ES, CO, CE, ES, SS, SR, SA, RJ, CL]);
const ONE_INIT: Row = row([I1, IN, IN, IN, IN, IN, CO, CE, ES, SS, SR, SA, IN, IN]);
const ONE_INIT_ACK: Row = row([CE, CE, CE, CE, CE, CE, CO, CE, ES, SS, SR, SA, RJ, CL]);
const ONE_ECHO: Row = row([ES, ES, ES, ES, ES, ES, CO, CE, ES, SS, SR, SA, RJ, CL]);
const ONE_ACK: Row = row([ES, I1, IN, ES, ES, CW, ES, ES, ES, SS, SR, SA, RJ, CL]);
const ONE_DOWN_ACK: Row = row([CL, IN, IN, CS, CR, CW, CO, CE, CL, CL, SR, CL, RJ, CL]);
const ONE_COMPLETE: Row = row([CL, CL, CL, CL, CL, CW, CO, CE, ES, SS, CL, CL, RJ, CL]);
const ONE_ERROR: Row = row([CL, I1, IN, CS, CR, CW, CO, CE, ES, SS, SR, SA, RJ, CL]);

/// What follows each state by a packet that says `chunk` ([`crate::wire::sctp`]).
#[inline(always)]
pub const fn after(direction: Direction, chunk: u8) -> Row {
    match (direction, chunk) {
        (Direction::ToServer, chunk::INIT) => IN_INIT,
        (Direction::ToServer, chunk::INIT_ACK) => IN_INIT_ACK,
        (Direction::ToServer, chunk::COOKIE_ECHO) => IN_ECHO,
        (Direction::ToServer, chunk::COOKIE_ACK) => IN_ACK,
        (Direction::ToServer, chunk::SHUTDOWN) => IN_SHUTDOWN,
        (Direction::ToServer, chunk::SHUTDOWN_ACK) => IN_DOWN_ACK,
        (Direction::ToServer, chunk::SHUTDOWN_COMPLETE) => IN_COMPLETE,
        (Direction::ToServer, chunk::ERROR) => IN_ERROR,
        (Direction::ToServer | Direction::OneWay, chunk::ABORT) => IN_ABORT,
        (Direction::ToClient, chunk::INIT) => OUT_INIT,
        (Direction::ToClient, chunk::INIT_ACK) => OUT_INIT_ACK,
        (Direction::ToClient, chunk::COOKIE_ECHO) => OUT_ECHO,
        (Direction::ToClient, chunk::COOKIE_ACK) => OUT_ACK,
        (Direction::ToClient, chunk::SHUTDOWN) => OUT_SHUTDOWN,
        (Direction::ToClient, chunk::SHUTDOWN_ACK) => OUT_DOWN_ACK,
        (Direction::ToClient, chunk::SHUTDOWN_COMPLETE) => OUT_COMPLETE,
        (Direction::ToClient, chunk::ERROR) => OUT_ERROR,
        (Direction::ToClient, chunk::ABORT) => OUT_ABORT,
        (Direction::OneWay, chunk::INIT) => ONE_INIT,
        (Direction::OneWay, chunk::INIT_ACK) => ONE_INIT_ACK,
        (Direction::OneWay, chunk::COOKIE_ECHO) => ONE_ECHO,
        (Direction::OneWay, chunk::COOKIE_ACK) => ONE_ACK,
        (Direction::OneWay, chunk::SHUTDOWN) => IN_SHUTDOWN,
        (Direction::OneWay, chunk::SHUTDOWN_ACK) => ONE_DOWN_ACK,
        (Direction::OneWay, chunk::SHUTDOWN_COMPLETE) => ONE_COMPLETE,
        (Direction::OneWay, chunk::ERROR) => ONE_ERROR,
        (Direction::OneWay, _) => ONE_DATA,
        _ => DATA,
    }
}
