//! Packets, and what may become of them.

use std::net::SocketAddr;

use super::sctp::chunk;

/// TCP's flag: no more data from the sender.
pub const FIN: u8 = 1;
/// TCP's flag: opens a connection.
pub const SYN: u8 = 2;
/// TCP's flag: ends a connection at once.
pub const RST: u8 = 4;
/// TCP's flag: acknowledges something.
pub const ACK: u8 = 16;

/// What is balanced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// No protocol: that of templates of a firewall mark (`IPPROTO_IP`).
    Ip,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A packet that arrives at the director, a whole one.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// Where it is from.
    pub source: SocketAddr,
    /// Where it is to go. A client's packet is for an address of the director.
    pub destination: SocketAddr,
    /// TCP's flags; of SCTP, the type of its first [`chunk`]; nothing for UDP.
    pub flags: u8,
    /// Bytes, IP header included.
    pub length: u64,
    /// The firewall mark; 0: none.
    pub mark: u32,
    /// Which Call-ID a message of SIP has that is a datagram's payload; 0: none.
    pub call: u8,
}

impl Packet {
    /// Whether it is a segment of TCP and all these flags are set.
    #[must_use]
    pub const fn has(&self, flags: u8) -> bool {
        matches!(self.protocol, Protocol::Tcp) && self.flags & flags == flags
    }

    /// Whether it is a packet of SCTP that begins with a chunk of this type.
    #[must_use]
    pub const fn says(&self, chunk: u8) -> bool {
        matches!(self.protocol, Protocol::Sctp) && self.flags == chunk
    }

    /// Whether it opens a connection (`is_new_conn`).
    #[must_use]
    pub const fn opens(&self) -> bool {
        self.has(SYN) || self.says(chunk::INIT)
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// IPVS leaves it alone (`NF_ACCEPT`): it goes to the director's own sockets, or on untranslated.
    Pass,
    /// It is dropped, and nobody is told.
    Drop,
    /// It is dropped, and the sender is told that the port cannot be reached (`ip_vs_leave`).
    Unreachable,
    /// It goes to a real server, from the client.
    ToServer(SocketAddr),
    /// It goes to the client, from this virtual address.
    ToClient(SocketAddr),
}
