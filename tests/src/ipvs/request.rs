//! The way of a packet (`ip_vs_in_hook` and `ip_vs_out_hook` in `ip_vs_core.c`).

use super::{Conn, Forwarding, Ipvs, Packet, State, Verdict, schedule::Made, sctp::Association};

impl Ipvs {
    /// What becomes of a packet, and all that it does to tables and counters.
    pub fn packet(&mut self, packet: &Packet) -> Verdict {
        if !self.is_hooked(packet.destination.ip()) {
            return Verdict::Pass;
        }
        if let Some(at) = self.find_out(packet)
            && self.forwarding_of(at) == Forwarding::Masq
        {
            return self.reply(at, packet);
        }
        self.request(packet).unwrap_or_else(|verdict| verdict)
    }

    fn forwarding_of(&self, conn: usize) -> Forwarding {
        self.dests[self.conns[conn].dest].server.forwarding
    }

    /// A server's packet (`handle_response`). It does not matter whether the server is still there.
    fn reply(&mut self, at: usize, packet: &Packet) -> Verdict {
        let mut conn = self.conns[at].clone();
        self.count(conn.dest, |stats| {
            stats.out_packets += 1;
            stats.out_bytes += packet.length;
        });
        self.set_state(&mut conn, packet, true);
        conn.expires = self.now + conn.timeout;
        let virtual_ = conn.virtual_;
        self.conns[at] = conn;
        Verdict::ToClient(virtual_)
    }

    /// A client's packet. What it does without a connection is the error.
    fn request(&mut self, packet: &Packet) -> Result<Verdict, Verdict> {
        let at = match self.current(packet)? {
            Some(at) => at,
            None => {
                let Made { conn, one_packet } = self.schedule(packet)?;
                if one_packet {
                    return Ok(self.forward_alone(conn, packet));
                }
                self.conns.push(conn);
                self.conns.len() - 1
            }
        };
        let mut conn = self.conns[at].clone();
        let verdict = self.forward(&mut conn, packet);
        conn.expires = self.now + conn.timeout;
        self.conns[at] = conn;
        Ok(verdict)
    }

    /// The place of the connection that a client's packet belongs to. Where it is to be made anew, the old
    /// one stays in the table, and is counted, until time goes on.
    fn current(&mut self, packet: &Packet) -> Result<Option<usize>, Verdict> {
        let Some(at) = self.find_in(packet) else {
            return Ok(None);
        };
        if packet.opens() && self.is_made_anew(at) {
            if self.conns[at].controls == 0 {
                self.expire_now(at);
            }
            return Ok(None);
        }
        if self.dests[self.conns[at].dest].is_available() {
            return Ok(Some(at));
        }
        if self.sysctls.expire_nodest_conn {
            self.expire_now(at);
            return Ok(None);
        }
        Err(Verdict::Drop)
    }

    /// Whether a SYN or INIT opens a connection anew (`is_new_conn_expected`).
    fn is_made_anew(&self, at: usize) -> bool {
        let conn = &self.conns[at];
        let mode = self.sysctls.conn_reuse_mode;
        let weight = self.dests[conn.dest].server.weight;
        if self.sysctls.expire_nodest_conn && weight == 0 {
            return true;
        }
        if mode == 0 || conn.control.is_some() {
            return false;
        }
        match conn.state {
            State::TimeWait | State::Close | State::Sctp(Association::Closed) => true,
            State::FinWait => mode & 2 != 0 && conn.no_output,
            _ => false,
        }
    }

    /// Counts a client's packet and sends it to its server.
    fn forward(&mut self, conn: &mut Conn, packet: &Packet) -> Verdict {
        self.count(conn.dest, |stats| {
            stats.in_packets += 1;
            stats.in_bytes += packet.length;
        });
        self.set_state(conn, packet, false);
        Verdict::ToServer(conn.server)
    }

    /// The same for a connection of one packet.
    fn forward_alone(&mut self, mut conn: Conn, packet: &Packet) -> Verdict {
        let verdict = self.forward(&mut conn, packet);
        self.end(&conn);
        verdict
    }
}
