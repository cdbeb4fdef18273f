//! TCP connections that stay open.

use std::net::SocketAddr;

use ferrovs_tests::ipvs::{ACK, RST, Verdict};

use super::{Rig, Said, name, tcp::Open};

/// "PING" and an end of line; "141" and one.
const PING: u64 = 5;
const PONG: u64 = 4;

/// A connection that stays open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    client: SocketAddr,
    target: SocketAddr,
    number: u64,
    /// Whether the client was told that it is no more.
    is_reset: bool,
    /// Whether something was lost.
    is_behind: bool,
}

impl Rig {
    /// A connection that stays open, and a `PING` on it.
    pub(crate) fn open(&mut self, recorded: &str) -> Said {
        match self.connect(recorded) {
            Ok(Open { client, number, .. }) => {
                self.held.push(Some(Held {
                    client,
                    target: self.target,
                    number,
                    is_reset: false,
                    is_behind: false,
                }));
                let said = self.ping(self.held.len() - 1);
                self.ipvs.advance(self.gap);
                said.expect("it has just been opened")
            }
            Err(said) => said,
        }
    }

    /// A `PING` on an open connection; nothing if the client has closed it.
    pub(crate) fn ping(&mut self, place: usize) -> Option<Said> {
        let held = self.held[place]?;
        if held.is_reset {
            return Some("W:EPIPE".to_owned());
        }
        let before = std::mem::replace(&mut self.target, held.target);
        let said = self.pong(&held);
        self.target = before;
        self.held[place] = Some(Held {
            is_reset: said == "R:ECONNRESET",
            is_behind: said == "R:ETIMEDOUT",
            ..held
        });
        Some(said)
    }

    fn pong(&mut self, held: &Held) -> Said {
        let Held { client, number, .. } = *held;
        let server = match self.segment(client, ACK, PING) {
            Verdict::ToServer(server) => server,
            Verdict::Pass => return "R:ECONNRESET".to_owned(),
            Verdict::Drop => return self.no_pong(client),
            other => panic!("{other:?} for an open connection"),
        };
        if self.fault(server).is_some() {
            return self.no_pong(client);
        }
        let socket = self.socket(server, client);
        if socket.is_none_or(|socket| socket.number != number) {
            // The server knows another connection with these ends, and says where that one is.
            self.answer(server, client, ACK, 0);
            return self.no_pong(client);
        }
        if held.is_behind {
            // What was lost before is sent again first, after a while.
            self.ipvs.advance(self.patience);
        }
        let back = Verdict::ToClient(self.target);
        assert_eq!(self.answer(server, client, ACK, 0), back);
        assert_eq!(self.answer(server, client, ACK, PONG), back);
        assert_eq!(self.segment(client, ACK, 0), Verdict::ToServer(server));
        name(server)
    }

    /// The client sends it again, in vain.
    fn no_pong(&mut self, client: SocketAddr) -> Said {
        self.ipvs.advance(self.patience / 2);
        self.segment(client, ACK, PING);
        self.ipvs.advance(self.patience / 2);
        "R:ETIMEDOUT".to_owned()
    }

    /// Resets an open connection.
    pub(crate) fn reset(&mut self, place: usize) {
        if let Some(held) = self.held[place].take() {
            let before = std::mem::replace(&mut self.target, held.target);
            if let Verdict::ToServer(server) = self.segment(held.client, RST | ACK, 0) {
                self.forget(server, held.client);
            }
            self.target = before;
        }
    }
}
