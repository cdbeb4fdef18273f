//! Packets as fields, and the bytes they are. Checksums are summed up from scratch, word by word.

use std::net::{Ipv4Addr, SocketAddrV4};

pub(crate) type Mac = [u8; 6];

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

const IPV4: u16 = 0x0800;
const VLAN: u16 = 0x8100;

/// What stands before the IP header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Link {
    Bare,
    Ethernet {
        destination: Mac,
        source: Mac,
    },
    Tagged {
        destination: Mac,
        source: Mac,
        tag: u16,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    Tcp {
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
    },
    /// With a checksum, or with zero in its place.
    Udp { checksum: bool },
    /// The payload alone, as this IP protocol.
    Other(u8),
}

/// A packet by its fields. Fields that end in `_error` are added to a right checksum to make it wrong.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub link: Link,
    /// Of the innermost Ethernet header.
    pub ethertype: u16,
    pub version: u8,
    /// Header length in 32-bit words, if not the true one.
    pub header_words: Option<u8>,
    /// IP total length, if not the true one.
    pub total_length: Option<u16>,
    pub id: u16,
    /// Flags and fragment offset.
    pub fragment: u16,
    pub ttl: u8,
    /// IP options, a multiple of four bytes.
    pub options: Vec<u8>,
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    pub transport: Transport,
    /// TCP options, a multiple of four bytes.
    pub tcp_options: Vec<u8>,
    pub payload: Vec<u8>,
    /// Bytes behind the IP packet: what Ethernet pads short frames with.
    pub padding: usize,
    pub ip_error: u16,
    pub transport_error: u16,
    /// Bytes of the frame that arrive, if not all.
    pub cut: Option<usize>,
}

/// One's complement sum of big-endian 16-bit words (RFC 1071), not complemented.
fn sum(bytes: &[u8], start: u16) -> u16 {
    let mut total = u64::from(start);
    for pair in bytes.chunks(2) {
        total += u64::from(pair[0]) * 256 + u64::from(pair.get(1).copied().unwrap_or(0));
    }
    while total > 0xffff {
        total = total % 0x1_0000 + total / 0x1_0000;
    }
    total as u16
}

/// `checksum` made wrong by `error` in one's complement arithmetic; 0 leaves it right.
fn spoilt(checksum: u16, error: u16) -> u16 {
    if error == 0 {
        checksum
    } else {
        sum(&error.to_be_bytes(), checksum)
    }
}

impl Packet {
    pub(crate) fn new(
        link: Link,
        source: SocketAddrV4,
        destination: SocketAddrV4,
        transport: Transport,
    ) -> Self {
        Self {
            link,
            ethertype: IPV4,
            version: 4,
            header_words: None,
            total_length: None,
            id: 1,
            fragment: 0,
            ttl: 64,
            options: Vec::new(),
            source,
            destination,
            transport,
            tcp_options: Vec::new(),
            payload: Vec::new(),
            padding: 0,
            ip_error: 0,
            transport_error: 0,
            cut: None,
        }
    }

    /// With so many bytes of payload, no two neighbours alike.
    pub(crate) fn payload(mut self, length: usize) -> Self {
        self.payload = (0..length).map(|at| (at * 37 + at / 251) as u8).collect();
        self
    }

    pub(crate) fn options(mut self, bytes: usize) -> Self {
        self.options = vec![1; bytes];
        self
    }

    pub(crate) fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Tcp { .. } => 6,
            Transport::Udp { .. } => 17,
            Transport::Other(protocol) => protocol,
        }
    }

    /// What the IP header says about the packet's length.
    pub(crate) fn ip_length(&self) -> u16 {
        let true_length = 20 + self.options.len() + self.transport_bytes().len();
        self.total_length.unwrap_or(true_length as u16)
    }

    /// The frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.link_bytes();
        bytes.extend(self.ip_header());
        bytes.extend(self.transport_bytes());
        bytes.extend(std::iter::repeat_n(0xee, self.padding));
        bytes.truncate(self.cut.unwrap_or(usize::MAX));
        bytes
    }

    fn link_bytes(&self) -> Vec<u8> {
        let (destination, source, tag) = match self.link {
            Link::Bare => return Vec::new(),
            Link::Ethernet {
                destination,
                source,
            } => (destination, source, None),
            Link::Tagged {
                destination,
                source,
                tag,
            } => (destination, source, Some(tag)),
        };
        let mut bytes = [destination, source].concat();
        if let Some(tag) = tag {
            bytes.extend(VLAN.to_be_bytes());
            bytes.extend(tag.to_be_bytes());
        }
        bytes.extend(self.ethertype.to_be_bytes());
        bytes
    }

    fn ip_header(&self) -> Vec<u8> {
        let true_words = 5 + self.options.len() as u8 / 4;
        let mut header = vec![
            self.version << 4 | self.header_words.unwrap_or(true_words),
            0,
        ];
        header.extend(self.ip_length().to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol(), 0, 0]);
        header.extend(self.source.ip().octets());
        header.extend(self.destination.ip().octets());
        header.extend(&self.options);
        let checksum = spoilt(!sum(&header, 0), self.ip_error);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header
    }

    fn transport_bytes(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        if !matches!(self.transport, Transport::Other(_)) {
            segment.extend(self.source.port().to_be_bytes());
            segment.extend(self.destination.port().to_be_bytes());
        }
        match self.transport {
            Transport::Tcp {
                flags,
                sequence,
                acknowledgement,
            } => {
                segment.extend(sequence.to_be_bytes());
                segment.extend(acknowledgement.to_be_bytes());
                let words = 5 + self.tcp_options.len() as u8 / 4;
                segment.extend([words << 4, flags, 0x10, 0x00, 0, 0, 0, 0]);
                segment.extend(&self.tcp_options);
                segment.extend(&self.payload);
                let checksum = spoilt(self.checksum(&segment), self.transport_error);
                segment[16..18].copy_from_slice(&checksum.to_be_bytes());
            }
            Transport::Udp { checksum } => {
                segment.extend((8 + self.payload.len() as u16).to_be_bytes());
                segment.extend([0, 0]);
                segment.extend(&self.payload);
                if checksum {
                    let checksum = match self.checksum(&segment) {
                        0 => 0xffff,
                        other => spoilt(other, self.transport_error),
                    };
                    segment[6..8].copy_from_slice(&checksum.to_be_bytes());
                }
            }
            Transport::Other(_) => segment.extend(&self.payload),
        }
        segment
    }

    /// Checksum over pseudo-header and segment, whose checksum field is zero.
    fn checksum(&self, segment: &[u8]) -> u16 {
        let mut pseudo = Vec::new();
        pseudo.extend(self.source.ip().octets());
        pseudo.extend(self.destination.ip().octets());
        pseudo.extend([0, self.protocol()]);
        pseudo.extend((segment.len() as u16).to_be_bytes());
        !sum(segment, sum(&pseudo, 0))
    }
}

/// The address with another port.
pub(crate) fn at(address: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}
