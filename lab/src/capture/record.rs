//! What a capture has seen, and questions about it.

use std::{collections::BTreeMap, iter::Sum, ops::Add, time::Duration};

use super::packet::{Direction, Packet};

/// The packets that a capture has seen, in their order.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The packets.
    pub packets: Vec<Packet>,
    /// How many the kernel could not hand over; known when the capture has ended. Counts are exact
    /// only when this is 0.
    pub dropped: u32,
}

/// A number of packets and their bytes of IP (the sum of their IP total lengths, as IPVS counts).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            packets: self.packets + other.packets,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Add::add)
    }
}

impl Packet {
    /// This packet as the kernel had it, joined ones as one: how a director at tc sees it.
    pub fn as_joined(&self) -> Tally {
        Tally {
            packets: 1,
            bytes: u64::from(self.bytes),
        }
    }

    /// This packet as a wire has it, joined ones apart: how a director at XDP sees it.
    pub fn as_segments(&self) -> Tally {
        Tally {
            packets: u64::from(self.segments),
            bytes: u64::from(self.segment_bytes),
        }
    }
}

impl Record {
    /// The packets that `of_interest` accepts.
    pub fn matching(&self, of_interest: impl Fn(&Packet) -> bool) -> impl Iterator<Item = &Packet> {
        self.packets
            .iter()
            .filter(move |packet| of_interest(packet))
    }

    /// Counts the packets that `of_interest` accepts, joined ones as one.
    pub fn tally(&self, of_interest: impl Fn(&Packet) -> bool) -> Tally {
        self.matching(of_interest).map(Packet::as_joined).sum()
    }

    /// Counts each direction apart, joined packets as one.
    pub fn directions(&self) -> BTreeMap<Direction, Tally> {
        let mut tallies = BTreeMap::<Direction, Tally>::new();
        for packet in &self.packets {
            let tally = tallies.entry(packet.direction).or_default();
            *tally = *tally + packet.as_joined();
        }
        tallies
    }

    /// The longest time between two packets that `of_interest` accepts; `None` with less than two.
    pub fn longest_gap(&self, of_interest: impl Fn(&Packet) -> bool) -> Option<Duration> {
        let times: Vec<_> = self
            .matching(of_interest)
            .map(|packet| packet.time)
            .collect();
        times
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .max()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use super::*;

    fn packet(port: u16, milliseconds: u64, bytes: u32) -> Packet {
        let end = |port| SocketAddrV4::new([10, 0, 0, 1].into(), port);
        Packet {
            time: Duration::from_millis(milliseconds),
            direction: Direction {
                protocol: 6,
                source: end(port),
                destination: end(80),
            },
            bytes,
            segments: 2,
            segment_bytes: bytes + 40,
            tcp_flags: 0,
            payload: 0,
        }
    }

    #[test]
    fn directions_are_counted_apart() {
        let record = Record {
            packets: vec![packet(1, 0, 100), packet(2, 10, 50), packet(1, 500, 60)],
            dropped: 0,
        };
        let tallies: Vec<_> = record.directions().into_values().collect();
        assert_eq!(
            tallies[0],
            Tally {
                packets: 2,
                bytes: 160
            }
        );
        assert_eq!(
            tallies[1],
            Tally {
                packets: 1,
                bytes: 50
            }
        );
        assert_eq!(
            record.tally(|_| true),
            Tally {
                packets: 3,
                bytes: 210
            }
        );
        let apart: Tally = record.packets.iter().map(Packet::as_segments).sum();
        assert_eq!(
            apart,
            Tally {
                packets: 6,
                bytes: 330
            }
        );
    }

    #[test]
    fn the_longest_gap_is_between_neighbours() {
        let record = Record {
            packets: vec![packet(1, 0, 1), packet(1, 100, 1), packet(1, 400, 1)],
            dropped: 0,
        };
        assert_eq!(
            record.longest_gap(|_| true),
            Some(Duration::from_millis(300))
        );
        assert_eq!(
            record.longest_gap(|packet| packet.direction.source.port() == 2),
            None
        );
    }
}
