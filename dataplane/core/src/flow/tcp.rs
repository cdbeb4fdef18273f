//! The TCP state machine of IPVS (`ip_vs_proto_tcp.c`, `tcp_states`, `tcp_state_idx`).

use super::machine::Row;
use crate::abi::state::{
    CLOSE as CL, CLOSE_WAIT as CW, ESTABLISHED as ES, FIN_WAIT as FW, LAST_ACK as LA, LISTEN as LI,
    NONE as NO, SYN_RECV as SR, SYN_SENT as SS, SYNACK as SA, TIME_WAIT as TW,
};
use crate::wire::Tcp;

/// Which way a packet goes.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Direction {
    /// From the client to the real server (IPVS: input).
    ToServer,
    /// From the real server to the client (IPVS: output).
    ToClient,
    /// From the client to a real server whose answers do not pass here (IPVS: input only).
    OneWay,
}

impl Direction {
    /// That of this number.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::ToServer,
            1 => Self::ToClient,
            _ => Self::OneWay,
        }
    }
}

const fn row(next: [u8; 11]) -> Row {
    Row::new(NO, next)
}

// From:                   NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
const IN_SYN: Row = row([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
const IN_FIN: Row = row([CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW]);
const IN_ACK: Row = row([ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
const IN_RST: Row = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR]);
const ONE_FIN: Row = row([CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
const ONE_RST: Row = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
const OUT_SYN: Row = row([SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR]);
const OUT_FIN: Row = row([TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]);
const OUT_ACK: Row = row([ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]);
const OUT_RST: Row = row([CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]);

/// A segment without any of RST, SYN, FIN and ACK changes nothing.
const OTHER: Row = row([NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA]);

/// What follows each state by a segment.
#[inline(always)]
pub const fn after(direction: Direction, tcp: Tcp) -> Row {
    match direction {
        Direction::ToServer if tcp.has(Tcp::RST) => IN_RST,
        Direction::OneWay if tcp.has(Tcp::RST) => ONE_RST,
        Direction::ToServer | Direction::OneWay if tcp.has(Tcp::SYN) => IN_SYN,
        Direction::ToServer if tcp.has(Tcp::FIN) => IN_FIN,
        Direction::OneWay if tcp.has(Tcp::FIN) => ONE_FIN,
        Direction::ToServer | Direction::OneWay if tcp.has(Tcp::ACK) => IN_ACK,
        Direction::ToClient if tcp.has(Tcp::RST) => OUT_RST,
        Direction::ToClient if tcp.has(Tcp::SYN) => OUT_SYN,
        Direction::ToClient if tcp.has(Tcp::FIN) => OUT_FIN,
        Direction::ToClient if tcp.has(Tcp::ACK) => OUT_ACK,
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{OneWay, ToClient, ToServer};
    use super::*;
    use crate::abi::state;

    fn run(steps: &[(Direction, u16)]) -> u8 {
        steps.iter().fold(state::NONE, |now, &(direction, flags)| {
            let segment = Tcp {
                flags,
                ..Tcp::default()
            };
            after(direction, segment).next(now)
        })
    }

    const OPEN: [(Direction, u16); 3] = [
        (ToServer, Tcp::SYN),
        (ToClient, Tcp::SYN | Tcp::ACK),
        (ToServer, Tcp::ACK),
    ];

    #[test]
    fn handshake() {
        assert_eq!(run(&OPEN[..1]), state::SYN_RECV);
        assert_eq!(run(&OPEN[..2]), state::SYN_RECV);
        assert_eq!(run(&OPEN), state::ESTABLISHED);
    }

    #[test]
    fn server_closes_first() {
        let fin = Tcp::FIN | Tcp::ACK;
        let steps = [&OPEN[..], &[(ToClient, fin)]].concat();
        assert_eq!(run(&steps), state::FIN_WAIT);
        assert_eq!(
            run(&[&steps[..], &[(ToServer, fin)]].concat()),
            state::TIME_WAIT
        );
    }

    #[test]
    fn client_closes_first() {
        let fin = Tcp::FIN | Tcp::ACK;
        let steps = [&OPEN[..], &[(ToServer, fin)]].concat();
        assert_eq!(run(&steps), state::CLOSE_WAIT);
        assert_eq!(
            run(&[&steps[..], &[(ToClient, fin)]].concat()),
            state::TIME_WAIT
        );
    }

    #[test]
    fn reset_closes() {
        assert_eq!(
            run(&[&OPEN[..], &[(ToServer, Tcp::RST)]].concat()),
            state::CLOSE
        );
        assert_eq!(
            run(&[(ToServer, Tcp::SYN), (ToClient, Tcp::RST | Tcp::ACK)]),
            state::CLOSE
        );
    }

    #[test]
    fn where_answers_pass_elsewhere_a_fin_waits_for_one() {
        let fin = Tcp::FIN | Tcp::ACK;
        let mut steps = vec![(OneWay, Tcp::SYN), (OneWay, Tcp::ACK)];
        assert_eq!(run(&steps), state::ESTABLISHED);
        steps.push((OneWay, fin));
        assert_eq!(run(&steps), state::FIN_WAIT);
        steps.push((OneWay, Tcp::ACK));
        assert_eq!(run(&steps), state::FIN_WAIT);
        steps.push((OneWay, Tcp::RST));
        assert_eq!(run(&steps), state::CLOSE);
    }

    #[test]
    fn no_flags_change_nothing() {
        assert_eq!(
            run(&[&OPEN[..], &[(ToServer, 0)]].concat()),
            state::ESTABLISHED
        );
    }
}
