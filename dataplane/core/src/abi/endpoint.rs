//! An address, a port and a 16-bit tag in one word, so that two endpoints compare in one step.
//!
//! Bits 0..32 hold the IPv4 address and bits 32..48 the port, both as the native integer whose memory
//! bytes are the wire's bytes; bits 48..64 the tag, whose meaning depends on the word. Of an IPv6
//! address bits 0..32 hold the [digest](super::ipv6::Address::digest).

/// Bit of a tag that names a protocol: the endpoint's address is an IPv6 one.
pub const IPV6: u16 = 1 << 8;

/// Bit of a tag that names a protocol: the endpoint is not a client's but a template's
/// ([`crate::flow::persist`]).
pub const TEMPLATE: u16 = 1 << 9;

/// An IPv4 socket address as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Endpoint {
    /// IPv4 address: the integer whose memory bytes are the wire's (network byte order in memory).
    pub address: u32,
    /// Port, likewise.
    pub port: u16,
}

impl Endpoint {
    /// From an address in dotted order and a port in host byte order.
    pub const fn new(address: [u8; 4], port: u16) -> Self {
        Self {
            address: u32::from_ne_bytes(address),
            port: port.to_be(),
        }
    }

    /// The address's four bytes in dotted order.
    pub const fn octets(self) -> [u8; 4] {
        self.address.to_ne_bytes()
    }

    /// The port in host byte order.
    pub const fn host_port(self) -> u16 {
        u16::from_be(self.port)
    }

    /// The endpoint and a tag as one word.
    pub const fn pack(self, tag: u16) -> u64 {
        self.address as u64 | (self.port as u64) << 32 | (tag as u64) << 48
    }

    /// The endpoint in a packed word, whatever its tag.
    pub const fn unpack(word: u64) -> Self {
        Self {
            address: word as u32,
            port: (word >> 32) as u16,
        }
    }
}

/// The packed word with another port, wire order.
pub const fn with_port(word: u64, port: u16) -> u64 {
    word & !(0xffff << 32) | (port as u64) << 32
}

/// FTP's control port, host order. Its data connections go to other ports.
pub const FTP: u16 = 21;
/// The port from which a server in active mode makes FTP's data connections, host order.
pub const FTP_DATA: u16 = 20;

/// The tag of a packed word.
pub const fn tag(word: u64) -> u16 {
    (word >> 48) as u16
}
