//! Datagrams of the client.

use std::net::SocketAddr;

use ferrovs_tests::ipvs::{Protocol, Verdict};

use super::{Rig, Said, name};

/// Bytes of IP and UDP headers.
const HEADERS: u64 = 28;
/// What a server answers.
const ANSWER: u64 = 3;
/// Milliseconds that the client waits for an answer.
const PATIENCE: u64 = 1000;

impl Rig {
    /// A datagram from a new socket.
    pub(crate) fn datagram(&mut self, data: u64) -> Said {
        let client = self.client();
        self.datagram_from(client, data)
    }

    /// A datagram from this socket.
    pub(crate) fn datagram_from(&mut self, client: SocketAddr, data: u64) -> Said {
        let verdict = self.client_sends(Protocol::Udp, client, 0, HEADERS + data);
        let said = match verdict {
            Verdict::Unreachable => "ECONNREFUSED".to_owned(),
            Verdict::ToServer(server) => {
                let answer = self.server_sends(Protocol::Udp, server, client, 0, HEADERS + ANSWER);
                self.answers.push((server, answer));
                if answer == Verdict::ToClient(self.target) {
                    name(server)
                } else {
                    self.ipvs.advance(PATIENCE);
                    "TIMEOUT".to_owned()
                }
            }
            Verdict::Drop => {
                self.ipvs.advance(PATIENCE);
                "TIMEOUT".to_owned()
            }
            other => panic!("{other:?} for a datagram"),
        };
        self.ipvs.advance(self.gap);
        said
    }
}
