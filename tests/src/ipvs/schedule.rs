//! Making a connection: the service's scheduler picks a server (`ip_vs_schedule` in `ip_vs_core.c`).

use super::{
    Conn, Ipvs, Packet, Protocol, RST, Verdict, conn::Ends, sched::Sight, sctp::chunk, service::FTP,
};

/// The source port of FTP's data connections, which are not scheduled.
const FTP_DATA: u16 = 20;

/// A connection that was made.
pub(super) struct Made {
    pub(super) conn: Conn,
    /// Whether it ends with its packet and is in no table.
    pub(super) one_packet: bool,
}

impl Ipvs {
    /// Makes a connection for a client's packet (`tcp_conn_schedule`, `udp_conn_schedule`,
    /// `sctp_conn_schedule`), or says what
    /// becomes of the packet without one.
    pub(super) fn schedule(&mut self, packet: &Packet) -> Result<Made, Verdict> {
        let is_sloppy = match packet.protocol {
            Protocol::Tcp => self.sysctls.sloppy_tcp,
            Protocol::Sctp => self.sysctls.sloppy_sctp,
            _ => true,
        };
        let ends = packet.has(RST) || packet.says(chunk::ABORT);
        if ends || !(packet.opens() || is_sloppy) {
            return Err(Verdict::Pass);
        }
        let service = self.service_of(packet).ok_or(Verdict::Pass)?;
        if packet.source.port() == FTP_DATA {
            return Err(Verdict::Pass);
        }
        if self.services[service].settings.persistence.is_some() {
            return self.schedule_persistently(service, packet);
        }
        let key = self.services[service].key;
        let port = packet.destination.port();
        if key.mark() == 0 && port != key.port() {
            return Err(leave(key.port(), port));
        }
        let dest = self.pick(service, packet);
        let dest = dest.ok_or_else(|| leave(key.port(), port))?;
        let server_port = match self.dests[dest].server.address.port() {
            0 => port,
            own => own,
        };
        let conn = self.new_conn(Ends::of(packet), server_port, dest, false);
        Ok(self.made(service, conn))
    }

    /// The number of the server that the service's scheduler picks.
    pub(super) fn pick(&mut self, service: usize, packet: &Packet) -> Option<usize> {
        let service = &mut self.services[service];
        let sight = Sight {
            dests: &self.dests,
            list: &service.list,
            packet,
            flags: service.settings.flags,
            now: self.now,
        };
        service.schedule.pick(&sight, &mut self.dice)
    }

    /// Counts a new connection (`ip_vs_conn_stats`).
    pub(super) fn made(&mut self, service: usize, conn: Conn) -> Made {
        self.count(conn.dest, |stats| stats.conns += 1);
        let settings = &self.services[service].settings;
        Made {
            one_packet: settings.one_packet && conn.protocol == Protocol::Udp,
            conn,
        }
    }
}

impl Ends {
    /// Those of a client's packet.
    pub(super) const fn of(packet: &Packet) -> Self {
        Self {
            protocol: packet.protocol,
            client: packet.source,
            virtual_: packet.destination,
        }
    }
}

/// What becomes of a packet for which there is no server (`ip_vs_leave`).
pub(super) const fn leave(service_port: u16, port: u16) -> Verdict {
    if service_port == FTP && port != FTP {
        Verdict::Pass
    } else {
        Verdict::Unreachable
    }
}
