//! What a packet looks like in a tunnel: headers by the RFCs, checksums summed up from scratch over everything.

use std::net::{IpAddr, Ipv4Addr};

use ferrovs_model::{Encapsulation, TunnelChecksum};

use crate::packet::{Family, Link, Packet, sum};

/// The packet in a tunnel between `ends`, director and server, which are of its own family. `found` is the frame
/// as it was seen: which source port GUE takes from the dynamic ones is left to it.
pub(crate) fn wrapped(
    packet: &Packet,
    encapsulation: Encapsulation,
    ends: [Ipv4Addr; 2],
    found: &[u8],
) -> Vec<u8> {
    let mut frame = packet.bytes();
    let link = match packet.link {
        Link::Bare => 0,
        Link::Ethernet { .. } => 14,
        Link::Tagged { .. } => 18,
    };
    let padding = frame.split_off(link + usize::from(packet.ip_length()));
    let content = frame.split_off(link);
    let (protocol, ethertype, header) = match packet.family {
        Family::V4 => (4, 0x0800_u16, 20),
        Family::V6 => (41, 0x86dd, 40),
    };
    let ends = ends.map(|end| match packet.family.address(end) {
        IpAddr::V4(end) => end.octets().to_vec(),
        IpAddr::V6(end) => end.octets().to_vec(),
    });
    let (protocol, shim) = match encapsulation {
        Encapsulation::Ipip => (protocol, Vec::new()),
        Encapsulation::Gue { port, checksum } => {
            let at = link + header;
            let source = found.get(at..at + 2).map_or([0, 0], |two| [two[0], two[1]]);
            let source = [source[0] | 0xc0, source[1]];
            let length = (12 + content.len()) as u16;
            let mut udp = [source, port.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
            udp.extend([0, protocol, 0, 0]);
            if checksum == TunnelChecksum::Full {
                let pseudo = [&ends.concat()[..], &[0, 17], &length.to_be_bytes()].concat();
                let checksum = !sum(&content, sum(&udp, sum(&pseudo, 0)));
                udp[6..8].copy_from_slice(&checksum.to_be_bytes());
            }
            (17, udp)
        }
        Encapsulation::Gre { checksum } => {
            let mut gre = [[0, 0], ethertype.to_be_bytes()].concat();
            if checksum == TunnelChecksum::Full {
                gre[0] = 0x80;
                let checksum = !sum(&content, sum(&gre, 0));
                gre.extend(checksum.to_be_bytes());
                gre.extend([0, 0]);
            }
            (47, gre)
        }
    };
    let length = (shim.len() + content.len()) as u16;
    match packet.family {
        Family::V4 => {
            let mut ip = vec![0x45, content[1]];
            ip.extend((20 + length).to_be_bytes());
            // The packet's DF; its identification where there is none.
            let fragment = packet.fragment & 0x4000;
            let id = if fragment == 0 { packet.id } else { 0 };
            ip.extend([id.to_be_bytes(), fragment.to_be_bytes()].concat());
            ip.extend([packet.ttl, protocol, 0, 0]);
            ip.extend(ends.concat());
            let checksum = !sum(&ip, 0);
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            frame.extend(ip);
        }
        Family::V6 => {
            // The traffic class, no flow label.
            frame.extend([content[0], content[1] & 0xf0, 0, 0]);
            frame.extend(length.to_be_bytes());
            frame.extend([protocol, packet.ttl]);
            frame.extend(ends.concat());
        }
    }
    [frame, shim, content, padding].concat()
}
