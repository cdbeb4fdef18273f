//! TCP connections of the client, and those that end with one request.

use std::net::SocketAddr;

use ferrovs_tests::ipvs::{ACK, FIN, Protocol, RST, SYN, Verdict};

use super::{Fault, Rig, Said, Socket, name};

/// Bytes of a segment's headers; timestamps are on.
const HEADERS: u64 = 52;
/// Those of one with SYN.
const SYN_HEADERS: u64 = 60;
/// "GET / HTTP/1.0" and so on.
const REQUEST: u64 = 29;
/// What is answered to it.
const RESPONSE: u64 = 57;
/// Milliseconds that a server remembers what it has closed first.
const REMEMBERED: u64 = 60_000;
/// Milliseconds before a SYN is sent again.
const AGAIN: u64 = 1000;
/// After so many times the client would give up.
const TRIES: u32 = 4;
/// Milliseconds before it is certain that a neighbour does not answer.
const NO_NEIGHBOUR: u64 = 3000;

/// A connection that was made.
pub(super) struct Open {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) number: u64,
}

impl Rig {
    pub(super) fn segment(&mut self, client: SocketAddr, flags: u8, data: u64) -> Verdict {
        let headers = if flags & SYN != 0 {
            SYN_HEADERS
        } else {
            HEADERS
        };
        self.client_sends(Protocol::Tcp, client, flags, headers + data)
    }

    pub(super) fn answer(
        &mut self,
        server: SocketAddr,
        client: SocketAddr,
        flags: u8,
        data: u64,
    ) -> Verdict {
        let headers = if flags & SYN != 0 {
            SYN_HEADERS
        } else {
            HEADERS
        };
        self.server_sends(Protocol::Tcp, server, client, flags, headers + data)
    }

    /// Connects; `recorded` is what came of it in the recording, which tells whether the server remembered an
    /// older connection with the same ends.
    pub(super) fn connect(&mut self, recorded: &str) -> Result<Open, Said> {
        let client = self.client();
        for tried in 0.. {
            let server = match self.segment(client, SYN, 0) {
                Verdict::ToServer(server) => server,
                Verdict::Unreachable => return Err("ECONNREFUSED".to_owned()),
                Verdict::Drop => {
                    self.ipvs.advance(self.patience);
                    return Err("ETIMEDOUT".to_owned());
                }
                Verdict::Pass => return Err(self.directors_own_answer()),
                verdict @ Verdict::ToClient(_) => panic!("{verdict:?} for a client's SYN"),
            };
            match self.fault(server) {
                None => {}
                Some(Fault::Closed) => {
                    self.answer(server, client, RST | ACK, 0);
                    return Err("ECONNREFUSED".to_owned());
                }
                Some(Fault::Down) => {
                    self.ipvs.advance(AGAIN);
                    self.segment(client, SYN, 0);
                    self.ipvs.advance(NO_NEIGHBOUR - AGAIN);
                    self.segment(client, SYN, 0);
                    return Err("EHOSTUNREACH".to_owned());
                }
                Some(Fault::Astray) => {
                    self.ipvs.advance(AGAIN);
                    self.segment(client, SYN, 0);
                    self.ipvs.advance(self.patience - AGAIN);
                    return Err("ETIMEDOUT".to_owned());
                }
            }
            if tried < TRIES && self.is_rejected(server, client, recorded) {
                self.reject(server, client);
                continue;
            }
            assert_eq!(
                self.answer(server, client, SYN | ACK, 0),
                Verdict::ToClient(self.target)
            );
            assert_eq!(self.segment(client, ACK, 0), Verdict::ToServer(server));
            return Ok(self.opened(server, client));
        }
        unreachable!("the last try is accepted or fails")
    }

    /// One request from each of the ports 40000 to 40023, of which it is not known to which of these servers they
    /// went: any of them may remember any port.
    pub(crate) fn seq_ports_somewhere(&mut self, hosts: &[u8]) {
        for port in 40_000..40_024 {
            let client = SocketAddr::new(self.bind, port);
            for &host in hosts {
                let server = SocketAddr::from(([192, 168, 2, host], 80));
                let open = self.opened(server, client);
                self.close(&open);
            }
        }
    }

    /// What the director's own sockets say to a SYN.
    fn directors_own_answer(&self) -> Said {
        let mut listeners = self.listeners.iter();
        let listener = listeners.find(|(address, _)| *address == self.target);
        listener.map_or("ECONNREFUSED", |(_, name)| name).to_owned()
    }

    fn opened(&mut self, server: SocketAddr, client: SocketAddr) -> Open {
        self.sockets_ever += 1;
        self.forget(server, client);
        self.sockets.push(Socket {
            server,
            client,
            closed_until: None,
            number: self.sockets_ever,
        });
        Open {
            client,
            server,
            number: self.sockets_ever,
        }
    }

    pub(super) fn forget(&mut self, server: SocketAddr, client: SocketAddr) {
        let is = |socket: &Socket| socket.server == server && socket.client == client;
        self.sockets.retain(|socket| !is(socket));
    }

    pub(super) fn socket(&self, server: SocketAddr, client: SocketAddr) -> Option<Socket> {
        let mut sockets = self.sockets.iter();
        let found = sockets.find(|socket| socket.server == server && socket.client == client);
        found.copied()
    }

    /// Whether the server does not take a SYN because it knows a connection with the same ends. An open one
    /// always keeps it from that, a closed one sometimes (it depends on sequence numbers). Which ports the
    /// client chose by itself, a recording does not tell, so any of them may have been used before.
    fn is_rejected(&mut self, server: SocketAddr, client: SocketAddr, recorded: &str) -> bool {
        let answered = recorded.starts_with(|first: char| first.is_ascii_digit());
        let differs = answered && recorded != name(server);
        match self.socket(server, client) {
            Some(socket) => match socket.closed_until {
                None => true,
                Some(until) => {
                    let rejects = until > self.ipvs.now() && differs;
                    self.rejections += u32::from(rejects);
                    rejects
                }
            },
            None => {
                let rejects = self.port == 0 && differs;
                self.surprises += u32::from(rejects);
                rejects
            }
        }
    }

    /// The server acknowledges what the client has not sent; the client resets that, and tries again.
    fn reject(&mut self, server: SocketAddr, client: SocketAddr) {
        assert_eq!(
            self.answer(server, client, ACK, 0),
            Verdict::ToClient(self.target)
        );
        assert_eq!(self.segment(client, RST, 0), Verdict::ToServer(server));
        self.forget(server, client);
        self.ipvs.advance(AGAIN);
    }

    /// One request, after which the server closes.
    pub(crate) fn short(&mut self, recorded: &str) -> Said {
        let said = match self.connect(recorded) {
            Ok(open) => self.request(&open),
            Err(said) => said,
        };
        self.ipvs.advance(self.gap);
        said
    }

    fn request(&mut self, open: &Open) -> Said {
        let Open { client, server, .. } = *open;
        let there = Verdict::ToServer(server);
        let back = Verdict::ToClient(self.target);
        assert_eq!(self.segment(client, ACK, REQUEST), there);
        assert_eq!(self.answer(server, client, ACK, 0), back);
        assert_eq!(self.answer(server, client, ACK, RESPONSE), back);
        assert_eq!(self.segment(client, ACK, 0), there);
        assert_eq!(self.answer(server, client, FIN | ACK, 0), back);
        assert_eq!(self.segment(client, FIN | ACK, 0), there);
        assert_eq!(self.answer(server, client, ACK, 0), back);
        self.close(open);
        name(server)
    }

    /// The server has closed first, and remembers.
    fn close(&mut self, open: &Open) {
        let until = self.ipvs.now() + REMEMBERED;
        for socket in &mut self.sockets {
            if socket.number == open.number {
                socket.closed_until = Some(until);
            }
        }
    }
}
