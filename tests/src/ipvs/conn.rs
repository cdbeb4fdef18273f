//! Connections and templates (`struct ip_vs_conn`, `ip_vs_conn.c`).

use std::net::SocketAddr;

use super::{
    Forwarding, Ipvs, Packet, Protocol, SECOND, State,
    sctp::{self, Association},
    tcp::{self, Direction},
};

/// How long a connection lasts of which no packet has told the state, milliseconds.
const FIRST_TIMEOUT: u64 = 3 * SECOND;

/// A connection, or the template of persistent ones.
#[derive(Clone, Debug)]
pub struct Conn {
    /// Its protocol.
    pub protocol: Protocol,
    /// The client; of a template its network, port 0.
    pub client: SocketAddr,
    /// What the client asked for. Of a template of a mark, the mark as an address; port 65535 if the
    /// template holds no longer.
    pub virtual_: SocketAddr,
    /// The real server's address and port.
    pub server: SocketAddr,
    /// Its state; a template has none.
    pub state: State,
    /// Whether it is a template.
    pub is_template: bool,
    /// Of a template that the engine sip made: which call it is for.
    pub call: Option<u8>,
    /// Whether a connection of this template was answered (`IP_VS_CTPL_S_ASSURED`).
    pub is_assured: bool,
    /// When it ends.
    pub expires: u64,
    /// How often its end was put off.
    pub put_off: u64,
    pub(super) number: u64,
    /// The number of its server.
    pub(super) dest: usize,
    /// How long it lasts after a packet.
    pub(super) timeout: u64,
    /// Whether it is counted as inactive (`IP_VS_CONN_F_INACTIVE`).
    pub(super) is_inactive: bool,
    /// Whether no reply is expected (`IP_VS_CONN_F_NOOUTPUT`).
    pub(super) no_output: bool,
    /// The number of its template.
    pub(super) control: Option<u64>,
    /// How many connections have it as their template.
    pub(super) controls: u64,
}

impl Conn {
    /// Whether it follows a template.
    #[must_use]
    pub const fn has_template(&self) -> bool {
        self.control.is_some()
    }

    /// Whether this is the template of `conn`.
    #[must_use]
    pub fn controls(&self, conn: &Self) -> bool {
        conn.control == Some(self.number)
    }
}

/// The ends of a connection to be, or of a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) protocol: Protocol,
    pub(super) client: SocketAddr,
    pub(super) virtual_: SocketAddr,
}

impl Ipvs {
    /// The place of the connection of a client's packet (`ip_vs_conn_in_get`).
    pub(super) fn find_in(&self, packet: &Packet) -> Option<usize> {
        self.conns.iter().rposition(|conn| {
            !conn.is_template
                && conn.protocol == packet.protocol
                && conn.client == packet.source
                && conn.virtual_ == packet.destination
        })
    }

    /// The place of the connection of a server's packet (`ip_vs_conn_out_get`).
    pub(super) fn find_out(&self, packet: &Packet) -> Option<usize> {
        self.conns.iter().rposition(|conn| {
            conn.protocol == packet.protocol
                && conn.client == packet.destination
                && conn.server == packet.source
        })
    }

    /// A new connection or template, which counts for its server (`ip_vs_conn_new`, `ip_vs_bind_dest`)
    /// but is not in the table yet.
    pub(super) fn new_conn(
        &mut self,
        ends: Ends,
        server_port: u16,
        dest: usize,
        is_template: bool,
    ) -> Conn {
        let bound = &mut self.dests[dest];
        if is_template {
            bound.persistent += 1;
        } else {
            bound.inactive += 1;
        }
        bound.update_overload();
        self.conns_ever += 1;
        Conn {
            protocol: ends.protocol,
            client: ends.client,
            virtual_: ends.virtual_,
            server: SocketAddr::new(bound.server.address.ip(), server_port),
            state: match ends.protocol {
                _ if is_template => State::None,
                Protocol::Udp => State::Udp,
                Protocol::Sctp => State::Sctp(Association::None),
                _ => State::None,
            },
            is_template,
            call: None,
            is_assured: false,
            expires: self.now + FIRST_TIMEOUT,
            put_off: 0,
            number: self.conns_ever,
            dest,
            timeout: FIRST_TIMEOUT,
            is_inactive: true,
            no_output: bound.server.forwarding != Forwarding::Masq,
            control: None,
            controls: 0,
        }
    }

    /// Ends a connection that is in the table no longer: nobody counts it any more
    /// (`ip_vs_unbind_dest`, `ip_vs_control_del`).
    pub(super) fn end(&mut self, conn: &Conn) {
        if let Some(template) = self.template_of(conn) {
            template.controls -= 1;
        }
        let dest = &mut self.dests[conn.dest];
        if conn.is_template {
            dest.persistent -= 1;
        } else if conn.is_inactive {
            dest.inactive -= 1;
        } else {
            dest.active -= 1;
        }
        dest.update_overload();
    }

    /// The template of a connection.
    pub(super) fn template_of(&mut self, conn: &Conn) -> Option<&mut Conn> {
        let number = conn.control?;
        self.conns.iter_mut().find(|other| other.number == number)
    }

    /// What a packet does to its connection (`set_tcp_state`, `set_sctp_state`, `udp_state_transition`).
    pub(super) fn set_state(&mut self, conn: &mut Conn, packet: &Packet, from_server: bool) {
        let mut is_answered = from_server;
        if conn.protocol != Protocol::Udp {
            let direction = if from_server {
                conn.no_output = false;
                Direction::Output
            } else if conn.no_output {
                Direction::InputOnly
            } else {
                Direction::Input
            };
            let old = conn.state;
            conn.state = match old {
                State::Sctp(old) => State::Sctp(sctp::next(old, direction, packet.flags)),
                old => tcp::next(old, direction, packet),
            };
            let is_established = matches!(
                conn.state,
                State::Established | State::Sctp(Association::Established)
            );
            is_answered = conn.state != old && is_established;
            if conn.state != old {
                self.count_state(conn);
            }
        }
        conn.timeout = self.timeouts.of(conn.state);
        if is_answered && let Some(template) = self.template_of(conn) {
            template.is_assured = true;
        }
    }

    /// Counts a connection as active or inactive, as its state says.
    fn count_state(&mut self, conn: &mut Conn) {
        let dest = &mut self.dests[conn.dest];
        if !conn.is_inactive && !conn.state.is_active() {
            dest.active -= 1;
            dest.inactive += 1;
            conn.is_inactive = true;
        } else if conn.is_inactive && conn.state.is_active() {
            dest.active += 1;
            dest.inactive -= 1;
            conn.is_inactive = false;
        }
    }
}
