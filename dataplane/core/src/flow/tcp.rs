//! The TCP state machine of IPVS (`ip_vs_proto_tcp.c`, `tcp_states`, `tcp_state_idx`).

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

/// A row of the table: the next state for each of the eleven states, four bits each, state 0 lowest.
const fn row(next: [u64; 11]) -> u64 {
    let [a, b, c, d, e, f, g, h, i, j, k] = next;
    a | b << 4
        | c << 8
        | d << 12
        | e << 16
        | f << 20
        | g << 24
        | h << 28
        | i << 32
        | j << 36
        | k << 40
}

// State numbers of [`crate::abi::state`], short enough for a table.
const ES: u64 = 1;
const SS: u64 = 2;
const SR: u64 = 3;
const FW: u64 = 4;
const TW: u64 = 5;
const CL: u64 = 6;
const CW: u64 = 7;
const LA: u64 = 8;
const LI: u64 = 9;

// From:                   NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
const IN_SYN: u64 = row([SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR]);
const IN_FIN: u64 = row([CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW]);
const IN_ACK: u64 = row([ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES]);
const IN_RST: u64 = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR]);
const ONE_FIN: u64 = row([CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW]);
const ONE_RST: u64 = row([CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL]);
const OUT_SYN: u64 = row([SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR]);
const OUT_FIN: u64 = row([TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW]);
const OUT_ACK: u64 = row([ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES]);
const OUT_RST: u64 = row([CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL]);

/// The state after a segment. A segment without any of RST, SYN, FIN and ACK changes nothing.
#[inline(always)]
pub const fn next(state: u8, direction: Direction, tcp: Tcp) -> u8 {
    let row = match direction {
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
        _ => return state,
    };
    ((row >> ((state & 15) * 4)) & 15) as u8
}

#[cfg(test)]
mod tests {
    use super::Direction::{OneWay, ToClient, ToServer};
    use super::*;
    use crate::abi::state;

    fn run(steps: &[(Direction, u8)]) -> u8 {
        steps.iter().fold(state::NONE, |now, &(direction, flags)| {
            next(
                now,
                direction,
                Tcp {
                    flags,
                    ..Tcp::default()
                },
            )
        })
    }

    const OPEN: [(Direction, u8); 3] = [
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
