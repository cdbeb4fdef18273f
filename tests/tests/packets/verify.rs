//! Checks every checksum of a frame from scratch, with a library that knows nothing of ours.

use std::fmt::LowerHex;

use crc::{CRC_32_ISCSI, Crc};
use etherparse::{IpNumber, Ipv4Slice, Ipv6Slice, TcpSlice, UdpSlice, checksum::Sum16BitWords};

/// Whether the IP packet at `offset` of a frame has right checksums.
pub(crate) fn checksums(frame: &[u8], offset: usize) -> Result<(), String> {
    match frame[offset] >> 4 {
        6 => of_ipv6(frame, offset),
        _ => of_ipv4(frame, offset),
    }
}

fn of_ipv6(frame: &[u8], offset: usize) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let packet = Ipv6Slice::from_slice(&frame[offset..]).map_err(|error| text(&error))?;
    let header = packet.header().to_header();
    let payload = packet.payload();
    match payload.ip_number {
        IpNumber::TCP => {
            let tcp = TcpSlice::from_slice(payload.payload).map_err(|error| text(&error))?;
            let right = tcp.calc_checksum_ipv6(header.source, header.destination);
            equal("TCP", tcp.checksum(), right.map_err(|error| text(&error))?)
        }
        IpNumber::UDP => {
            let udp = UdpSlice::from_slice(payload.payload).map_err(|error| text(&error))?;
            if udp.checksum() == 0 {
                return Ok(());
            }
            let right = udp
                .to_header()
                .calc_checksum_ipv6(&header, udp.payload())
                .map_err(|error| text(&error))?;
            equal("UDP", udp.checksum(), right)
        }
        IpNumber::SCTP => sctp(payload.payload),
        IpNumber::IPV6_ICMP => {
            let slice = payload.payload;
            let sum = Sum16BitWords::new()
                .add_16bytes(header.source)
                .add_16bytes(header.destination)
                .add_2bytes([0, 58])
                .add_2bytes((slice.len() as u16).to_be_bytes())
                .add_slice(slice);
            equal("ICMPv6", sum.ones_complement(), 0)?;
            quotation(slice)
        }
        other => Err(format!("a packet of IP protocol {} was rewritten", other.0)),
    }
}

fn of_ipv4(frame: &[u8], offset: usize) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let packet = Ipv4Slice::from_slice(&frame[offset..]).map_err(|error| text(&error))?;
    let header = packet.header();
    // Over the bytes as they are: the library's header has no place for the reserved flag.
    let [before, after] = [&header.slice()[..10], &header.slice()[12..]];
    let sum = Sum16BitWords::new().add_slice(before).add_slice(after);
    let right = sum.ones_complement().to_be();
    equal("IPv4 header", header.header_checksum(), right)?;
    let (source, destination) = (header.source(), header.destination());
    let payload = packet.payload().payload;
    match packet.payload_ip_number() {
        IpNumber::TCP => {
            let tcp = TcpSlice::from_slice(payload).map_err(|error| text(&error))?;
            let right = tcp.calc_checksum_ipv4(source, destination);
            equal("TCP", tcp.checksum(), right.map_err(|error| text(&error))?)
        }
        IpNumber::UDP => {
            let udp = UdpSlice::from_slice(payload).map_err(|error| text(&error))?;
            if udp.checksum() == 0 {
                return Ok(());
            }
            let header = udp.to_header();
            let right = header.calc_checksum_ipv4_raw(source, destination, udp.payload());
            equal("UDP", udp.checksum(), right.map_err(|error| text(&error))?)
        }
        IpNumber::SCTP => sctp(payload),
        IpNumber::ICMP => {
            let sum = Sum16BitWords::new().add_slice(payload);
            equal("ICMP", sum.ones_complement(), 0)?;
            quotation(payload)
        }
        other => Err(format!("a packet of IP protocol {} was rewritten", other.0)),
    }
}

/// What an ICMP message quotes: all checksums of a whole packet, that of the header of one that is cut off.
fn quotation(message: &[u8]) -> Result<(), String> {
    let quoted = &message[8..];
    let word = |at: usize| usize::from(u16::from_be_bytes([quoted[at], quoted[at + 1]]));
    let (length, header) = match quoted[0] >> 4 {
        6 => (40 + word(4), 0),
        _ => (word(2), usize::from(quoted[0] & 15) * 4),
    };
    if quoted.len() >= length {
        return checksums(quoted, 0).map_err(|problem| format!("quoted {problem}"));
    }
    let sum = Sum16BitWords::new().add_slice(&quoted[..header]);
    if header == 0 {
        return Ok(());
    }
    equal("quoted IPv4 header", sum.ones_complement(), 0)
}

/// CRC32c over the packet with zero in the place of the checksum, which may be left to the device.
fn sctp(packet: &[u8]) -> Result<(), String> {
    let (before, rest) = packet.split_at(8);
    let (found, behind) = rest.split_first_chunk().ok_or("a header cut short")?;
    let found = u32::from_le_bytes(*found);
    let crc = Crc::<u32>::new(&CRC_32_ISCSI);
    let mut right = crc.digest();
    for part in [before, &[0; 4], behind] {
        right.update(part);
    }
    if found == 0 {
        return Ok(());
    }
    equal("SCTP", found, right.finalize())
}

fn equal<T: PartialEq + LowerHex>(name: &str, found: T, right: T) -> Result<(), String> {
    if found == right {
        return Ok(());
    }
    Err(format!(
        "{name} checksum is {found:#x}, should be {right:#x}"
    ))
}
