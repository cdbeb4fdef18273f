//! Answers of the kernel, recorded from an `nlmon` interface: see `tests/fixtures/ipvs/README.md`.

use std::{collections::VecDeque, io};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkBuffer};

use crate::net::Transport;

/// Bytes of the headers of a pcap file, of a packet in it, and of `LINKTYPE_NETLINK`.
const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
const LINK_HEADER: usize = 16;
/// `NETLINK_GENERIC`, as the last two bytes of a link header.
const GENERIC: [u8; 2] = [0, 16];

/// Gives recorded answers to recorded requests, as often as they are asked.
#[derive(Clone)]
pub(super) struct Playback {
    /// Requests, and the datagrams that answered each.
    pub(super) exchanges: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    pending: VecDeque<Vec<u8>>,
}

/// The recording of a name.
pub(super) fn playback(name: &str) -> Playback {
    let file = format!(
        "{}/tests/fixtures/ipvs/{name}.pcap",
        env!("CARGO_MANIFEST_DIR")
    );
    Playback::of(&std::fs::read(file).unwrap())
}

impl Playback {
    fn of(pcap: &[u8]) -> Self {
        let mut exchanges: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
        for message in messages(pcap) {
            if NetlinkBuffer::new(message).flags() & NLM_F_REQUEST != 0 {
                exchanges.push((message.to_vec(), Vec::new()));
            } else {
                let last = exchanges.last_mut().expect("a request comes first");
                last.1.push(message.to_vec());
            }
        }
        Self {
            exchanges,
            pending: VecDeque::new(),
        }
    }
}

impl Transport for Playback {
    /// Sequence number and port of a request are its sender's affair.
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let asks = |request: &[u8]| [&request[..8], &request[16..]].concat();
        let mut exchanges = self.exchanges.iter();
        let exchange = exchanges.find(|(recorded, _)| asks(recorded) == asks(request));
        let (_, answers) = exchange.ok_or(io::ErrorKind::NotFound)?;
        let sequence = NetlinkBuffer::new(request).sequence_number();
        self.pending = answers.iter().cloned().collect();
        for datagram in &mut self.pending {
            number(datagram, sequence);
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let datagram = self.pending.pop_front();
        datagram.ok_or(io::ErrorKind::WouldBlock.into())
    }
}

/// Datagrams of generic netlink in a pcap file.
fn messages(pcap: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = &pcap[FILE_HEADER..];
    let packets = std::iter::from_fn(move || {
        let length = rest.get(8..12)?.try_into().ok()?;
        let end = PACKET_HEADER + u32::from_le_bytes(length) as usize;
        let packet = &rest[PACKET_HEADER..end];
        rest = &rest[end..];
        Some(packet)
    });
    let generic = packets.filter(|packet| packet[LINK_HEADER - 2..LINK_HEADER] == GENERIC);
    generic.map(|packet| &packet[LINK_HEADER..])
}

/// Gives the messages of a datagram another sequence number, as far as they are whole.
fn number(datagram: &mut [u8], sequence: u32) {
    let mut rest = datagram;
    while NetlinkBuffer::new_checked(&*rest).is_ok() {
        let mut message = NetlinkBuffer::new(&mut *rest);
        message.set_sequence_number(sequence);
        let next = (message.length() as usize).next_multiple_of(4);
        rest = rest.get_mut(next..).unwrap_or_default();
    }
}
