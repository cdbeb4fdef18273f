//! What a sender is told: ICMP messages (RFC 792, RFC 1191, RFC 4443).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ferrovs_core::abi::answer::Kind;

use super::Answer;

/// Precedence of messages that concern the network itself: `IPTOS_PREC_INTERNETCONTROL`, which RFC 1812, section
/// 4.3.2.5, has for ICMP errors.
const INTERNETWORK_CONTROL: u8 = 0xc0;
/// Those bits of a type of service that an answer takes over (`IPTOS_TOS_MASK`).
const SERVICE: u8 = 0x1e;

/// A message and whom it is for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Message {
    /// Who says it; `None`: whatever address the kernel has for this.
    pub source: Option<IpAddr>,
    /// Who is told.
    pub destination: IpAddr,
    /// The interface that he was met at.
    pub interface: u32,
    /// Type of service, or traffic class.
    pub service: u8,
    /// From the ICMP header on. The checksum is there for IPv4; for IPv6 the kernel computes it.
    pub bytes: Vec<u8>,
}

/// The message for an answer; `None` if it quotes no whole IP header or says what we do not know.
pub(super) fn of(answer: &Answer) -> Option<Message> {
    let (kind, packet) = (answer.request.kind()?, answer.packet.as_slice());
    let mtu = answer.request.mtu();
    let (destination, source, service, mut bytes) = if answer.request.is_ipv6() {
        let header: &[u8; 40] = packet.first_chunk()?;
        let head = match kind {
            Kind::PortUnreachable => icmp(1, 4, 0),
            Kind::TooBig => icmp(2, 0, mtu),
            Kind::TimeExceeded => icmp(3, 0, 0),
        };
        // RFC 4443 has no precedence for it, and the kernel's own (`icmp6_send`) has none.
        (ipv6(header, 8), ipv6(header, 24), 0, head)
    } else {
        let header: &[u8; 20] = packet.first_chunk()?;
        let head = match kind {
            Kind::PortUnreachable => icmp(3, 3, 0),
            Kind::TooBig => icmp(3, 4, mtu.min(u32::from(u16::MAX))),
            Kind::TimeExceeded => icmp(11, 0, 0),
        };
        let service = header[1] & SERVICE | INTERNETWORK_CONTROL;
        (ipv4(header, 12), ipv4(header, 16), service, head)
    };
    bytes.extend_from_slice(packet);
    if destination.is_ipv4() {
        let [high, low] = checksum(&bytes).to_be_bytes();
        (bytes[2], bytes[3]) = (high, low);
    }
    Some(Message {
        source: (!answer.request.is_by_director()).then_some(source),
        destination,
        interface: answer.interface,
        service,
        bytes,
    })
}

/// A header with its checksum left out.
fn icmp(kind: u8, code: u8, rest: u32) -> Vec<u8> {
    let [a, b, c, d] = rest.to_be_bytes();
    vec![kind, code, 0, 0, a, b, c, d]
}

fn ipv4(header: &[u8; 20], at: usize) -> IpAddr {
    Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]).into()
}

fn ipv6(header: &[u8; 40], at: usize) -> IpAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    Ipv6Addr::from(octets).into()
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| {
        let low = word.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([word[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use ferrovs_core::abi::answer::Request;

    use super::*;

    /// UDP from 169.254.179.60:40001 to 169.254.179.1:53, three bytes.
    const DATAGRAM: [u8; 31] = [
        0x45, 0x02, 0, 31, 0, 1, 0, 0, 64, 17, 0, 0, 169, 254, 179, 60, 169, 254, 179, 1, 0x9c,
        0x41, 0, 53, 0, 11, 0, 0, b'a', b'b', b'c',
    ];

    fn answer(request: Request, packet: &[u8]) -> Answer {
        Answer {
            request,
            interface: 3,
            packet: packet.to_vec(),
        }
    }

    #[test]
    fn an_ipv4_sender_is_told_by_whom_it_asked() {
        let message = of(&answer(Request::port_unreachable(false), &DATAGRAM)).unwrap();
        assert_eq!(message.source, Some(Ipv4Addr::new(169, 254, 179, 1).into()));
        assert_eq!(message.destination, Ipv4Addr::new(169, 254, 179, 60));
        assert_eq!((message.interface, message.service), (3, 0xc2));
        assert_eq!(message.bytes[..2], [3, 3]);
        assert_eq!(message.bytes[4..8], [0; 4]);
        assert_eq!(message.bytes[8..], DATAGRAM);
        assert_eq!(checksum(&message.bytes), 0, "{:02x?}", message.bytes);
    }

    #[test]
    fn the_director_speaks_for_itself() {
        let request = Request::port_unreachable(false).by_director();
        assert_eq!(of(&answer(request, &DATAGRAM)).unwrap().source, None);
    }

    #[test]
    fn the_mtu_stands_where_each_family_has_it() {
        let told = of(&answer(Request::too_big(false, 1_400), &DATAGRAM)).unwrap();
        assert_eq!(told.bytes[..2], [3, 4]);
        assert_eq!(told.bytes[4..8], [0, 0, 5, 0x78]);
        let mut packet = [0; 48];
        packet[0] = 0x60;
        packet[8] = 0xfd;
        packet[23] = 9;
        packet[24] = 0xfe;
        packet[39] = 1;
        let told = of(&answer(Request::too_big(true, 0x0001_2345), &packet)).unwrap();
        assert_eq!(told.bytes[..8], [2, 0, 0, 0, 0, 1, 0x23, 0x45]);
        assert_eq!(told.destination, "fd00::9".parse::<IpAddr>().unwrap());
        assert_eq!(told.source, Some("fe00::1".parse().unwrap()));
        let told = of(&answer(Request::port_unreachable(true), &packet)).unwrap();
        assert_eq!(told.bytes[..8], [1, 4, 0, 0, 0, 0, 0, 0]);
        let told = of(&answer(Request::time_exceeded(true), &packet)).unwrap();
        assert_eq!(told.bytes[..8], [3, 0, 0, 0, 0, 0, 0, 0]);
        let told = of(&answer(Request::time_exceeded(false), &DATAGRAM)).unwrap();
        assert_eq!(
            (&told.bytes[..2], &told.bytes[4..8]),
            (&[11, 0][..], &[0; 4][..])
        );
    }

    #[test]
    fn nobody_is_told_what_cannot_be_told() {
        assert_eq!(
            of(&answer(Request::port_unreachable(false), &DATAGRAM[..19])),
            None
        );
        assert_eq!(
            of(&answer(Request::port_unreachable(true), &DATAGRAM)),
            None
        );
        assert_eq!(of(&answer(Request(9), &DATAGRAM)), None);
    }
}
