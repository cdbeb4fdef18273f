//! What a capture keeps of a packet.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use super::socket::Frame;

/// Who sends to whom. Ports are 0 for what is neither TCP nor UDP, and for later fragments.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Direction {
    /// The number of the protocol in the IP header.
    pub protocol: u8,
    /// The sender.
    pub source: SocketAddrV4,
    /// The receiver.
    pub destination: SocketAddrV4,
}

impl fmt::Display for Direction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Packet::TCP => "TCP".to_owned(),
            Packet::UDP => "UDP".to_owned(),
            other => format!("protocol {other}"),
        };
        write!(out, "{protocol} {} -> {}", self.source, self.destination)
    }
}

/// One IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// When it passed, since 1970.
    pub time: Duration,
    /// Who sent it to whom.
    pub direction: Direction,
    /// The total length in its IP header, in bytes.
    pub bytes: u32,
    /// How many packets it is on a wire; more than 1 when the kernel has joined them.
    pub segments: u32,
    /// The bytes of IP that those have together.
    pub segment_bytes: u32,
    /// The flags of TCP, `FIN` being bit 0; 0 for other protocols.
    pub tcp_flags: u8,
    /// The bytes of TCP or UDP payload.
    pub payload: u32,
}

const ETHERNET: usize = 14;

impl Packet {
    /// The number of TCP in the IP header.
    pub const TCP: u8 = 6;
    /// The number of UDP in the IP header.
    pub const UDP: u8 = 17;
    /// TCP: the sender has nothing more to say.
    pub const FIN: u8 = 1;
    /// TCP: a connection begins.
    pub const SYN: u8 = 2;
    /// TCP: a connection is refused or broken.
    pub const RST: u8 = 4;

    /// `None` for what is not IPv4 in Ethernet.
    pub(super) fn parse(frame: &Frame<'_>) -> Option<Self> {
        let ethernet_type = frame.bytes.get(12..ETHERNET)?;
        if ethernet_type != [0x08, 0x00] {
            return None;
        }
        let ip = frame.bytes.get(ETHERNET..)?;
        let header: &[u8; 20] = ip.first_chunk()?;
        let header_length = usize::from(header[0] & 0x0f) * 4;
        let bytes = u32::from(u16::from_be_bytes([header[2], header[3]]));
        let later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
        let protocol = header[9];
        let address =
            |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        let transport = match protocol {
            Self::TCP | Self::UDP if !later_fragment => ip.get(header_length..)?,
            _ => &[],
        };
        let port = |at: usize| {
            transport
                .get(at..at + 2)
                .map_or(0, |port| u16::from_be_bytes([port[0], port[1]]))
        };
        let transport_length = match (protocol, transport.get(12)) {
            (Self::TCP, Some(offset)) => usize::from(offset >> 4) * 4,
            (Self::UDP, _) => 8,
            _ => 0,
        };
        let headers = u32::try_from(header_length + transport_length).ok()?;
        let payload = bytes.saturating_sub(headers);
        let segments = match frame.segment_size {
            0 => 1,
            size => payload.div_ceil(u32::from(size)).max(1),
        };
        Some(Self {
            time: frame.time,
            direction: Direction {
                protocol,
                source: SocketAddrV4::new(address(12), port(0)),
                destination: SocketAddrV4::new(address(16), port(2)),
            },
            bytes,
            segments,
            segment_bytes: bytes + (segments - 1) * headers,
            tcp_flags: match protocol {
                Self::TCP => transport.get(13).copied().unwrap_or(0),
                _ => 0,
            },
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp_frame(payload: u16) -> Vec<u8> {
        let mut frame = vec![0; ETHERNET + 40];
        frame[12] = 8;
        frame[ETHERNET] = 0x45;
        frame[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&(40 + payload).to_be_bytes());
        frame[ETHERNET + 9] = Packet::TCP;
        frame[ETHERNET + 12..ETHERNET + 20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        frame[ETHERNET + 20..ETHERNET + 24].copy_from_slice(&[0x30, 0x39, 0, 80]);
        frame[ETHERNET + 32] = 5 << 4;
        frame[ETHERNET + 33] = Packet::SYN;
        frame
    }

    fn parse(bytes: &[u8], segment_size: u16) -> Option<Packet> {
        Packet::parse(&Frame {
            time: Duration::ZERO,
            bytes,
            segment_size,
        })
    }

    #[test]
    fn a_tcp_packet_is_read() {
        let packet = parse(&tcp_frame(5), 0).unwrap();
        assert_eq!(
            packet.direction.to_string(),
            "TCP 10.0.0.1:12345 -> 10.0.0.2:80"
        );
        assert_eq!((packet.bytes, packet.payload, packet.segments), (45, 5, 1));
        assert_eq!((packet.segment_bytes, packet.tcp_flags), (45, Packet::SYN));
    }

    #[test]
    fn joined_packets_are_counted_apart() {
        let packet = parse(&tcp_frame(3000), 1448).unwrap();
        assert_eq!(
            (packet.bytes, packet.segments, packet.segment_bytes),
            (3040, 3, 3120)
        );
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        let mut frame = tcp_frame(0);
        frame[ETHERNET + 7] = 1;
        let packet = parse(&frame, 0).unwrap();
        assert_eq!((packet.direction.source.port(), packet.tcp_flags), (0, 0));
    }

    #[test]
    fn other_frames_and_short_ones_are_none() {
        let mut arp = tcp_frame(0);
        arp[13] = 6;
        assert!(parse(&arp, 0).is_none());
        assert!(parse(&tcp_frame(0)[..30], 0).is_none());
        assert!(parse(&[], 0).is_none());
    }
}
