//! What comes by a wire, with its checksums.

use std::{io, time::Duration};

use crc::{CRC_32_ISCSI, Crc};
use nix::{
    libc,
    sys::{
        socket::{
            self, AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, setsockopt, sockopt,
        },
        time::TimeVal,
    },
};
use std::os::fd::AsRawFd as _;

/// How long no packet may come.
const PATIENCE: Duration = Duration::from_secs(120);
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
/// The number of SCTP in the IP header.
const SCTP: u8 = 132;

/// Looks at so many packets of SCTP that come in by any interface of this network namespace, and computes their checksums
/// from scratch (RFC 9260, section 6.8). Those that have none do not count: Linux 6.12 itself, when it cuts messages for
/// a device that computes no checksums, now and then sends a piece without.
///
/// # Errors
/// When one is wrong, or none comes for two minutes.
pub fn watch(count: usize) -> io::Result<()> {
    let wire = socket::socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthAll,
    )?;
    setsockopt(
        &wire,
        sockopt::ReceiveTimeout,
        &TimeVal::new(PATIENCE.as_secs().cast_signed(), 0),
    )?;
    println!("watching");
    let mut seen = 0;
    let mut room = [0; 65_536];
    while seen < count {
        let (length, from) = socket::recvfrom::<LinkAddr>(wire.as_raw_fd(), &mut room)?;
        if from.is_some_and(|from| from.pkttype() == libc::PACKET_OUTGOING) {
            continue;
        }
        let Some(packet) = packet_of(&room[..length]) else {
            continue;
        };
        let (found, right) = checksums(packet)
            .ok_or_else(|| io::Error::other("a packet of SCTP without a whole header"))?;
        if found == 0 {
            continue;
        }
        if found != right {
            let begin = &packet[..packet.len().min(32)];
            let text =
                format!("a checksum is {found:#010x}, should be {right:#010x}: {begin:02x?}");
            return Err(io::Error::other(text));
        }
        seen += 1;
    }
    println!("right");
    Ok(())
}

/// The packet of SCTP in an Ethernet frame, without the frame's padding; none of another protocol.
fn packet_of(frame: &[u8]) -> Option<&[u8]> {
    let (header, packet) = frame.split_at_checked(14)?;
    let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let (protocol, begin, end) = match header[12..] {
        [0x08, 0x00] => {
            let begin = usize::from(packet.first()? & 15) * 4;
            (*packet.get(9)?, begin, usize::from(word(2)?))
        }
        [0x86, 0xdd] => (*packet.get(6)?, 40, 40 + usize::from(word(4)?)),
        _ => return None,
    };
    if protocol != SCTP {
        return None;
    }
    packet.get(begin..end)
}

/// The checksum in a packet of SCTP, and the one that it should have.
fn checksums(packet: &[u8]) -> Option<(u32, u32)> {
    let mut digest = CRC32C.digest();
    digest.update(packet.get(..8)?);
    digest.update(&[0; 4]);
    digest.update(packet.get(12..)?);
    let found = packet.get(8..12)?.try_into().ok()?;
    Some((u32::from_le_bytes(found), digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A COOKIE ACK between ports 1 and 2, with the checksum of this CRC of its 16 bytes.
    fn cookie_ack(checksum: u32) -> Vec<u8> {
        let mut packet = vec![0, 1, 0, 2, 0, 0, 0, 3];
        packet.extend(checksum.to_le_bytes());
        packet.extend([11, 0, 0, 4]);
        packet
    }

    fn in_ipv4(packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 20 + packet.len() as u8]);
        frame.extend([0; 5]);
        frame.push(SCTP);
        frame.extend([0; 10]);
        frame.extend(packet);
        frame
    }

    #[test]
    fn padding_is_no_part_of_a_packet() {
        let packet = cookie_ack(0);
        let mut frame = in_ipv4(&packet);
        frame.extend([0; 10]);
        assert_eq!(packet_of(&frame), Some(&packet[..]));
        frame[23] = 6;
        assert_eq!(packet_of(&frame), None);
    }

    #[test]
    fn a_wrong_checksum_is_told_from_a_right_one() {
        let (_, right) = checksums(&cookie_ack(0)).unwrap();
        assert_eq!(checksums(&cookie_ack(right)), Some((right, right)));
        assert_ne!(right, 0);
        assert_eq!(checksums(&cookie_ack(right)[..11]), None);
    }
}
