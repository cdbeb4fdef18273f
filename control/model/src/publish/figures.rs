//! Counters of one destination or the sum of several.

use std::ops::{Add, Sub};

use ferrovs_core::{abi::dest, tables::Line};
use serde::{Deserialize, Serialize};

/// Packets and bytes both ways, and flows scheduled. Bytes are those of IP packets, headers included.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Figures {
    /// Flows scheduled.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Packets from servers.
    pub out_packets: u64,
    /// Bytes from servers.
    pub out_bytes: u64,
}

impl Figures {
    /// A destination's: from its live counts, and from its traffic on each CPU.
    pub fn of<L: Line>(counts: Option<impl Line>, traffic: impl Iterator<Item = L>) -> Self {
        let scheduled = Self {
            conns: counts.map_or(0, |line| line.load(dest::CONNS)),
            ..Self::default()
        };
        let traffic = traffic.map(Self::of_traffic);
        traffic.fold(scheduled, |sum, one| sum + one)
    }

    fn of_traffic(line: impl Line) -> Self {
        Self {
            conns: 0,
            in_packets: line.load(dest::IN_PACKETS),
            in_bytes: line.load(dest::IN_BYTES),
            out_packets: line.load(dest::OUT_PACKETS),
            out_bytes: line.load(dest::OUT_BYTES),
        }
    }

    /// Whether nothing was counted; keeps zeroes out of the stored ledger.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            conns: f(self.conns, other.conns),
            in_packets: f(self.in_packets, other.in_packets),
            in_bytes: f(self.in_bytes, other.in_bytes),
            out_packets: f(self.out_packets, other.out_packets),
            out_bytes: f(self.out_bytes, other.out_bytes),
        }
    }
}

impl Add for Figures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }
}

impl Sub for Figures {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.zip(other, u64::wrapping_sub)
    }
}
