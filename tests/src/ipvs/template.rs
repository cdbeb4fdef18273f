//! Persistence: a client's connections follow its template (`ip_vs_sched_persist` in `ip_vs_core.c`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    Ipvs, Packet, Persistence, Protocol, SECOND, Verdict,
    conn::Ends,
    schedule::{Made, leave},
    service::FTP,
};

/// The port that a template shows which holds no longer.
const INVALID: u16 = 65535;

/// The network of a client.
fn network(client: IpAddr, netmask: u32) -> IpAddr {
    match client {
        IpAddr::V4(client) => Ipv4Addr::from_bits(client.to_bits() & netmask).into(),
        IpAddr::V6(client) => {
            let mask = match netmask {
                0 => 0,
                prefix => u128::MAX << (128 - prefix),
            };
            Ipv6Addr::from_bits(client.to_bits() & mask).into()
        }
    }
}

impl Ipvs {
    pub(super) fn schedule_persistently(
        &mut self,
        service: usize,
        packet: &Packet,
    ) -> Result<Made, Verdict> {
        let key = self.services[service].key;
        let port = packet.destination.port();
        let persistence = self.services[service].settings.persistence;
        let persistence = persistence.expect("the service is persistent");
        let call = self.call_of(service, packet)?;
        let ends = self.template_ends(service, packet, &persistence);
        let template = match self.valid_template(&ends, call) {
            Some(template) => template,
            None => {
                let dest = self.pick(service, packet);
                let dest = dest.ok_or_else(|| leave(key.port(), port))?;
                let server_port = if port == key.port() && key.port() != FTP {
                    self.dests[dest].server.address.port()
                } else {
                    0
                };
                let mut template = self.new_conn(ends, server_port, dest, true);
                template.call = call;
                template.timeout = persistence.timeout * SECOND;
                self.conns.push(template);
                self.conns.len() - 1
            }
        };
        let dest = self.conns[template].dest;
        let own_port = self.dests[dest].server.address.port();
        let server_port = if port == key.port() && own_port != 0 {
            own_port
        } else {
            port
        };
        let mut conn = self.new_conn(Ends::of(packet), server_port, dest, false);
        let template = &mut self.conns[template];
        conn.control = Some(template.number);
        template.controls += 1;
        template.expires = self.now + template.timeout;
        Ok(self.made(service, conn))
    }

    /// The call that a packet is of, where calls are told apart (`ip_vs_sip_fill_param`). What is of none is dropped.
    fn call_of(&self, service: usize, packet: &Packet) -> Result<Option<u8>, Verdict> {
        if !self.services[service].settings.sip {
            return Ok(None);
        }
        if packet.protocol != Protocol::Udp || packet.call == 0 {
            return Err(Verdict::Drop);
        }
        Ok(Some(packet.call))
    }

    /// What the template of a packet is found by, besides its call.
    fn template_ends(&self, service: usize, packet: &Packet, persistence: &Persistence) -> Ends {
        let key = self.services[service].key;
        let client = network(packet.source.ip(), persistence.netmask);
        let client = SocketAddr::new(client, 0);
        let port = packet.destination.port();
        if port == key.port() {
            let port = if port == FTP { 0 } else { port };
            return Ends {
                protocol: packet.protocol,
                client,
                virtual_: SocketAddr::new(packet.destination.ip(), port),
            };
        }
        if key.mark() == 0 {
            return Ends {
                protocol: packet.protocol,
                client,
                virtual_: SocketAddr::new(packet.destination.ip(), 0),
            };
        }
        Ends {
            protocol: Protocol::Ip,
            client,
            virtual_: SocketAddr::new(Ipv4Addr::from_bits(key.mark()).into(), 0),
        }
    }

    /// The place of the template with these ends, for this call, if there is one that holds. One whose server is gone, or
    /// takes nobody and shall not be kept to, holds no longer (`ip_vs_check_template`).
    fn valid_template(&mut self, ends: &Ends, call: Option<u8>) -> Option<usize> {
        let at = self.conns.iter().rposition(|conn| {
            conn.is_template
                && conn.protocol == ends.protocol
                && conn.client == ends.client
                && conn.virtual_ == ends.virtual_
                && conn.call == call
        })?;
        let dest = &self.dests[self.conns[at].dest];
        let quiescent = self.sysctls.expire_quiescent_template && dest.server.weight == 0;
        if dest.is_available() && !quiescent {
            return Some(at);
        }
        let mut template = self.conns.remove(at);
        template.virtual_.set_port(INVALID);
        template.server.set_port(INVALID);
        self.conns.push(template);
        None
    }
}
