//! Client and servers around the model, as in the recordings: TCP and UDP as far as the director sees them.
//!
//! ```text
//!  client 169.254.179.60..83, fd00:a::60 ── [ director: 169.254.179.1 ] ── servers 192.168.2.141, 143, 145, 147
//! ```

mod held;
mod tcp;
mod udp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ferrovs_tests::ipvs::{Ipvs, Packet, Protocol, Verdict};

pub(crate) use held::Held;

pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 1);
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 60);

/// Ports that the client takes when it is not told which; the recordings show the kernel's own, from
/// 32768 on.
pub(crate) const CHOSEN_PORTS: std::ops::Range<u16> = 10_000..30_000;

/// What an answer or an error looks like.
pub(crate) type Said = String;

/// What a server holds for a client's address and port, whichever service the client meant.
#[derive(Clone, Copy, Debug)]
struct Socket {
    server: SocketAddr,
    client: SocketAddr,
    /// Until when the server remembers a connection that it has closed; none: it is open.
    closed_until: Option<u64>,
    /// Which connection it is.
    number: u64,
}

/// What is the matter with a server's address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Nobody listens.
    Closed,
    /// Nobody answers, not even to ARP.
    Down,
    /// Its replies do not come by the director, or not back to the client.
    Astray,
}

/// Client, servers, and the model between them.
pub(crate) struct Rig {
    pub(crate) ipvs: Ipvs,
    pub(crate) target: SocketAddr,
    /// The client's address.
    pub(crate) bind: IpAddr,
    /// The client's port; 0: it chooses one.
    pub(crate) port: u16,
    /// Milliseconds that the client waits for an answer.
    pub(crate) patience: u64,
    /// Milliseconds between connections.
    pub(crate) gap: u64,
    /// What ports of TCP services are marked with.
    pub(crate) marks: Vec<(u16, u32)>,
    pub(crate) faults: Vec<(SocketAddr, Fault)>,
    /// Whether all replies go astray.
    pub(crate) astray: bool,
    /// Sockets of the director itself.
    pub(crate) listeners: Vec<(SocketAddr, &'static str)>,
    pub(crate) held: Vec<Option<Held>>,
    /// How often a server did not take a connection because it remembered an old one from the same port,
    /// where the client had chosen that port by itself.
    pub(crate) surprises: u32,
    /// How often where the client was told which.
    pub(crate) rejections: u32,
    /// Servers that were sent datagrams, and what became of their answers.
    pub(crate) answers: Vec<(SocketAddr, Verdict)>,
    sockets: Vec<Socket>,
    next_port: u16,
    sockets_ever: u64,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self {
            ipvs: Ipvs::new(),
            target: SocketAddr::new(VIP.into(), 80),
            bind: CLIENT.into(),
            port: 0,
            patience: 3000,
            gap: 20,
            marks: Vec::new(),
            faults: Vec::new(),
            astray: false,
            listeners: Vec::new(),
            held: Vec::new(),
            surprises: 0,
            rejections: 0,
            answers: Vec::new(),
            sockets: Vec::new(),
            next_port: CHOSEN_PORTS.start,
            sockets_ever: 0,
        }
    }

    /// Another program begins: nothing of what the last one was told counts.
    pub(crate) fn restart(&mut self) {
        self.bind = CLIENT.into();
        self.port = 0;
        self.patience = 3000;
        self.gap = 20;
        self.held.clear();
    }

    /// The client's end of a new connection.
    pub(crate) fn client(&mut self) -> SocketAddr {
        let port = match self.port {
            0 => {
                self.next_port += 1;
                assert!(CHOSEN_PORTS.contains(&self.next_port), "no port is left");
                self.next_port
            }
            port => port,
        };
        SocketAddr::new(self.bind, port)
    }

    fn fault(&self, server: SocketAddr) -> Option<Fault> {
        if self.astray {
            return Some(Fault::Astray);
        }
        let mut faults = self.faults.iter();
        let (_, fault) = faults.find(|(address, _)| *address == server)?;
        Some(*fault)
    }

    /// A client's packet.
    fn client_sends(
        &mut self,
        protocol: Protocol,
        client: SocketAddr,
        flags: u8,
        length: u64,
    ) -> Verdict {
        self.ipvs.advance(1);
        let destination = self.target;
        let mut marks = self.marks.iter();
        let mark = marks.find(|(port, _)| *port == destination.port());
        self.ipvs.packet(&Packet {
            protocol,
            source: client,
            destination,
            flags,
            length,
            mark: mark.map_or(0, |(_, mark)| *mark),
            call: 0,
        })
    }

    /// A server's packet.
    fn server_sends(
        &mut self,
        protocol: Protocol,
        server: SocketAddr,
        client: SocketAddr,
        flags: u8,
        length: u64,
    ) -> Verdict {
        self.ipvs.packet(&Packet {
            protocol,
            source: server,
            destination: client,
            flags,
            length,
            mark: 0,
            call: 0,
        })
    }
}

/// What a server answers.
fn name(server: SocketAddr) -> String {
    let host = match server.ip() {
        IpAddr::V4(ip) => ip.octets()[3].to_string(),
        // The last group of digits reads like the number.
        IpAddr::V6(ip) => format!("{:x}", ip.segments()[7]),
    };
    match server.port() {
        81 => format!("{host}-81"),
        _ => host,
    }
}
