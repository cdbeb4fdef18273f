//! Packets as fields, and the bytes they are. Checksums are summed up from scratch, word by word or bit by bit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

pub(crate) type Mac = [u8; 6];

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const DONT_FRAGMENT: u16 = 0x4000;

/// The hosts of the cases have an address of each family. A case names them by the IPv4 one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What stands before the IPv4 address in a host's IPv6 address. Its three words cancel each other out, so
/// that the schedulers that hash, which fold an IPv6 address, treat a host of either family alike.
const IPV6_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf0, 0xe0, 0x20f1, 0xd58, 0, 0);

impl Family {
    pub(crate) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The address of a host.
    pub(crate) fn address(self, host: Ipv4Addr) -> IpAddr {
        match self {
            Self::V4 => host.into(),
            Self::V6 => Ipv6Addr::from(IPV6_PREFIX.to_bits() | u128::from(host.to_bits())).into(),
        }
    }

    /// The length of a network's prefix.
    pub(crate) const fn prefix(self, length: u8) -> u8 {
        match self {
            Self::V4 => length,
            Self::V6 => 96 + length,
        }
    }

    /// The address of a host's socket.
    pub(crate) fn socket(self, host: SocketAddrV4) -> SocketAddr {
        SocketAddr::new(self.address(*host.ip()), host.port())
    }

    /// The host with this address.
    pub(crate) fn host(self, address: IpAddr) -> Ipv4Addr {
        match (self, address) {
            (Self::V4, IpAddr::V4(address)) => address,
            (Self::V6, IpAddr::V6(address)) => {
                let host = Ipv4Addr::from_bits(address.to_bits() as u32);
                if self.address(host) == IpAddr::V6(address) {
                    return host;
                }
                // Nobody's: of a broken packet.
                let bits = address.to_bits();
                let fold = |folded: u32, word: u32| folded ^ (bits >> (word * 32)) as u32;
                Ipv4Addr::from_bits(!(0..4).fold(0, fold))
            }
            other => panic!("an address of another family: {other:?}"),
        }
    }

    /// The host's socket with this address.
    pub(crate) fn host_of(self, address: SocketAddr) -> SocketAddrV4 {
        SocketAddrV4::new(self.host(address.ip()), address.port())
    }
}

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
    /// With a first chunk of this type, of which the payload is all that follows its header.
    Sctp {
        /// The verification tag.
        tag: u32,
        /// The first chunk's type.
        chunk: u8,
        /// What its header says about its length, if not the truth.
        length: Option<u16>,
        /// Whether there is a checksum, or zero in its place.
        checksum: bool,
    },
    /// The payload alone, as this IP protocol.
    Other(u8),
    /// ICMP or, by the family, ICMPv6: see [`Packet::quotation`].
    Icmp,
}

/// An ICMP message: its header, and the packet that it quotes.
#[derive(Clone, Debug)]
pub(crate) struct Quotation {
    /// Type and code, as ICMP has them.
    pub kind: u8,
    pub code: u8,
    /// The second half of the header.
    pub rest: u32,
    pub packet: Box<Packet>,
    /// Bytes of the packet that are quoted, if not all.
    pub bytes: Option<usize>,
}

impl Quotation {
    /// The same as ICMPv6 has it, if it has it.
    fn in_ipv6(&self) -> Option<Self> {
        let (kind, code) = match (self.kind, self.code) {
            (3, 4) => (2, 0),
            (3, code) => (1, code),
            (11, code) => (3, code),
            (12, code) => (4, code),
            (8, code) => (128, code),
            _ => return None,
        };
        // Its header is 20 bytes longer.
        let bytes = self.bytes.map(|bytes| bytes + 20);
        Some(Self {
            kind,
            code,
            packet: Box::new(self.packet.in_ipv6()?),
            bytes,
            ..self.clone()
        })
    }
}

/// A packet by its fields. Fields that end in `_error` are added to a right checksum to make it wrong.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub link: Link,
    pub family: Family,
    /// Of the innermost Ethernet header, if not the family's.
    pub ethertype: Option<u16>,
    /// The IP version, if not the family's.
    pub version: Option<u8>,
    /// Header length in 32-bit words, if not the true one.
    pub header_words: Option<u8>,
    /// What the IP header says about the length, if not the truth: IPv4's total length or IPv6's length
    /// of the payload.
    pub total_length: Option<u16>,
    pub id: u16,
    /// Flags and fragment offset.
    pub fragment: u16,
    pub ttl: u8,
    /// IP options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// IPv6 extension headers: kinds and contents, but for the kind of the next header.
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    pub transport: Transport,
    /// TCP options, a multiple of four bytes.
    pub tcp_options: Vec<u8>,
    pub payload: Vec<u8>,
    /// Of a fragment: which bytes behind the IP header it has of the whole packet; the end may be beyond.
    pub piece: Option<(usize, usize)>,
    /// Of [`Transport::Icmp`].
    pub quotation: Option<Quotation>,
    /// Bytes behind the IP packet: what Ethernet pads short frames with.
    pub padding: usize,
    pub ip_error: u16,
    pub transport_error: u16,
    /// Bytes of the frame that arrive, if not all.
    pub cut: Option<usize>,
}

/// One's complement sum of big-endian 16-bit words (RFC 1071), not complemented.
pub(crate) fn sum(bytes: &[u8], start: u16) -> u16 {
    let mut total = u64::from(start);
    for pair in bytes.chunks(2) {
        total += u64::from(pair[0]) * 256 + u64::from(pair.get(1).copied().unwrap_or(0));
    }
    while total > 0xffff {
        total = total % 0x1_0000 + total / 0x1_0000;
    }
    total as u16
}

/// CRC32c (RFC 9260, appendix A), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        for bit in 0..8 {
            let carry = crc & 1 != u32::from(byte >> bit & 1);
            crc = crc >> 1 ^ if carry { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
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
            family: Family::V4,
            ethertype: None,
            version: None,
            header_words: None,
            total_length: None,
            id: 1,
            fragment: 0,
            ttl: 64,
            options: Vec::new(),
            extensions: Vec::new(),
            source,
            destination,
            transport,
            tcp_options: Vec::new(),
            payload: Vec::new(),
            piece: None,
            quotation: None,
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

    /// The fragment of it that has these bytes.
    pub(crate) fn piece(mut self, start: usize, end: usize) -> Self {
        self.piece = Some((start, end));
        self
    }

    /// Whether it is a fragment, but not the first.
    pub(crate) fn is_later(&self) -> bool {
        self.piece.is_some_and(|(start, _)| start > 0)
    }

    /// Bytes of headers that each fragment has.
    pub(crate) fn header_length(&self) -> u16 {
        self.ip_length() - self.transport_bytes().len() as u16
    }

    /// Flags and offset, as IPv4 has them.
    fn fragment_word(&self) -> u16 {
        let whole = self.whole_transport().len();
        self.piece.map_or(self.fragment, |(start, end)| {
            let more = if end < whole { 0x2000 } else { 0 };
            self.fragment | (start as u16 / 8) | more
        })
    }

    /// The extension headers, and that of a fragment.
    fn all_extensions(&self) -> Vec<(u8, Vec<u8>)> {
        let mut extensions = self.extensions.clone();
        if self.piece.is_some() {
            let word = self.fragment_word();
            let [high, low] = (word << 3 | u16::from(word & 0x2000 != 0)).to_be_bytes();
            let [a, b] = self.id.to_be_bytes();
            extensions.push((44, vec![0, high, low, 0xab, 0xcd, a, b]));
        }
        extensions
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
            Transport::Sctp { .. } => 132,
            Transport::Other(protocol) => protocol,
            Transport::Icmp => match self.family {
                Family::V4 => 1,
                Family::V6 => 58,
            },
        }
    }

    /// The packet, or, of an error, an answer to the packet that it quotes, as long as the error: of the same flow.
    pub(crate) fn as_answer(&self) -> Self {
        let Some(Quotation { packet: quoted, .. }) = &self.quotation else {
            return self.clone();
        };
        let header = match self.family {
            Family::V4 => 0,
            Family::V6 => 40,
        };
        Self {
            transport: quoted.transport,
            source: quoted.destination,
            destination: quoted.source,
            quotation: None,
            total_length: Some(self.ip_length() - header),
            ..self.clone()
        }
    }

    /// The packet's length with its IP header, as that says.
    pub(crate) fn ip_length(&self) -> u16 {
        let transport = self.transport_bytes().len();
        match self.family {
            Family::V4 => {
                let length = 20 + self.options.len() + transport;
                self.total_length.unwrap_or(length as u16)
            }
            Family::V6 => 40 + self.ipv6_payload(),
        }
    }

    fn ipv6_payload(&self) -> u16 {
        let extensions = self.all_extensions();
        let extensions: usize = extensions
            .iter()
            .map(|(_, content)| 1 + content.len())
            .sum();
        let length = extensions + self.transport_bytes().len();
        self.total_length.unwrap_or(length as u16)
    }

    /// The same between the same hosts' IPv6 addresses; `None` if it has something that only IPv4 has, or
    /// is cut where that matters.
    pub(crate) fn in_ipv6(&self) -> Option<Self> {
        let is_plain = self.ethertype.is_none()
            && self.version.is_none()
            && self.header_words.is_none()
            && self.total_length.is_none()
            && self.fragment & !DONT_FRAGMENT == 0
            && self.options.is_empty()
            && self.ip_error == 0
            && self.cut.is_none();
        let quotation = match &self.quotation {
            Some(quotation) => Some(quotation.in_ipv6()?),
            None => None,
        };
        is_plain.then(|| Self {
            family: Family::V6,
            quotation,
            ..self.clone()
        })
    }

    /// The frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.link_bytes();
        bytes.extend(match self.family {
            Family::V4 => self.ip_header(),
            Family::V6 => self.ipv6_headers(),
        });
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
        let ethertype = match self.family {
            Family::V4 => IPV4,
            Family::V6 => IPV6,
        };
        bytes.extend(self.ethertype.unwrap_or(ethertype).to_be_bytes());
        bytes
    }

    fn ip_header(&self) -> Vec<u8> {
        let true_words = 5 + self.options.len() as u8 / 4;
        let mut header = vec![
            self.version.unwrap_or(4) << 4 | self.header_words.unwrap_or(true_words),
            0,
        ];
        header.extend(self.ip_length().to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend(self.fragment_word().to_be_bytes());
        header.extend([self.ttl, self.protocol(), 0, 0]);
        header.extend(self.source.ip().octets());
        header.extend(self.destination.ip().octets());
        header.extend(&self.options);
        let checksum = spoilt(!sum(&header, 0), self.ip_error);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header
    }

    fn ipv6_headers(&self) -> Vec<u8> {
        // Traffic class and flow label have a value, so that it is seen to stay.
        let mut header = vec![self.version.unwrap_or(6) << 4 | 2, 0x45, 0x67, 0x89];
        header.extend(self.ipv6_payload().to_be_bytes());
        let extensions = self.all_extensions();
        let kinds = extensions.iter().map(|(kind, _)| *kind);
        let mut kinds = kinds.chain([self.protocol()]);
        header.extend(kinds.next());
        header.push(self.ttl);
        header.extend(self.address_bytes());
        for (_, content) in &extensions {
            header.extend(kinds.next());
            header.extend(content);
        }
        header
    }

    /// Both addresses, as the header has them.
    fn address_bytes(&self) -> Vec<u8> {
        let ends = [self.source, self.destination];
        let bytes = |end: SocketAddrV4| match self.family.address(*end.ip()) {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        ends.map(bytes).concat()
    }

    /// What is behind the IP header.
    fn transport_bytes(&self) -> Vec<u8> {
        let whole = self.whole_transport();
        match self.piece {
            Some((start, end)) => whole[start..end.min(whole.len())].to_vec(),
            None => whole,
        }
    }

    fn whole_transport(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        if !matches!(self.transport, Transport::Other(_) | Transport::Icmp) {
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
            Transport::Sctp {
                tag,
                chunk,
                length,
                checksum,
            } => {
                segment.extend(tag.to_be_bytes());
                segment.extend([0; 4]);
                let true_length = 4 + self.payload.len() as u16;
                segment.extend([chunk, 0]);
                segment.extend(length.unwrap_or(true_length).to_be_bytes());
                segment.extend(&self.payload);
                if checksum {
                    let crc = crc32c(&segment) ^ u32::from(self.transport_error);
                    segment[8..12].copy_from_slice(&crc.to_le_bytes());
                }
            }
            Transport::Other(_) => segment.extend(&self.payload),
            Transport::Icmp => {
                let quotation = self.quotation.as_ref().unwrap();
                segment.extend([quotation.kind, quotation.code, 0, 0]);
                segment.extend(quotation.rest.to_be_bytes());
                let quoted = Self {
                    link: Link::Bare,
                    ..(*quotation.packet).clone()
                };
                let mut quoted = quoted.bytes();
                quoted.truncate(quotation.bytes.unwrap_or(usize::MAX));
                segment.extend(quoted);
                segment.extend(&self.payload);
                let checksum = match self.family {
                    Family::V4 => !sum(&segment, 0),
                    Family::V6 => self.checksum(&segment),
                };
                let checksum = spoilt(checksum, self.transport_error);
                segment[2..4].copy_from_slice(&checksum.to_be_bytes());
            }
        }
        segment
    }

    /// Checksum over pseudo-header and segment, whose checksum field is zero.
    fn checksum(&self, segment: &[u8]) -> u16 {
        // IPv6's has the same fields, some of them longer (RFC 8200, section 8.1): the sum is the same.
        let mut pseudo = self.address_bytes();
        pseudo.extend([0, self.protocol()]);
        pseudo.extend((segment.len() as u16).to_be_bytes());
        !sum(segment, sum(&pseudo, 0))
    }
}

/// The address with another port.
pub(crate) fn at(address: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(address, port)
}
