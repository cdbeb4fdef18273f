//! A virtual service's line.

/// Word: virtual endpoint, tag = IP protocol, which names the family too ([`super::endpoint::IPV6`]); of
/// IPv6, without the address. With [`MARK`], the mark in place of an IPv4 address, no port and no protocol.
pub const ENDPOINT: usize = 0;
/// First of two words: the virtual address, if it is an IPv6 one.
pub const ADDRESS: usize = 6;
/// Word: bit 32 [`ACCEPTS`], bit 33 [`PERSISTS`], bit 34 [`ONE_PACKET`], bit 35 [`OTHER_PORTS`], bit 36 [`MARK`],
/// bit 37 [`CALLS`].
pub const MODE: usize = 1;
/// Word: see [`super::schedule::Schedule`].
pub const SCHEDULE: usize = 2;

/// Word, with [`PERSISTS`]: ticks for which a new template will be kept after its last use.
pub const KEPT: usize = 3;
/// First of two words, with [`PERSISTS`]: the bits of a client's address that count, of an IPv4 one in the lowest bits.
pub const MASK: usize = 4;

/// Bit of [`MODE`]: the service keeps clients with their servers.
pub const PERSISTS: u64 = 1 << 33;
/// Bit of [`MODE`]: the service schedules each datagram for itself.
pub const ONE_PACKET: u64 = 1 << 34;
/// Bit of [`MODE`]: packets may be for another port than that of [`ENDPOINT`]: the service is for all ports (port 0), or
/// FTP's.
pub const OTHER_PORTS: u64 = 1 << 35;
/// Bit of [`MODE`]: the service is for packets with a mark, whatever their destination.
pub const MARK: u64 = 1 << 36;
/// Bit of [`MODE`]: the persistence engine is sip. With [`PERSISTS`], not clients are kept with their servers but each of
/// their [calls](super::call::Call); and servers make calls themselves ([`crate::flow::call_out`]).
pub const CALLS: u64 = 1 << 37;
/// Bit of [`MODE`]: the service exists and takes new flows. A deleted service keeps its line, without
/// this bit, for as long as it has flows.
pub const ACCEPTS: u64 = 1 << 32;

/// How a service picks a real server for a new flow.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(u8)]
pub enum Scheduler {
    /// Not at all: the service takes no new flows (`none`).
    None = 0,
    /// Round robin (`rr`).
    RoundRobin = 1,
    /// Least connections (`lc`).
    LeastConnections = 2,
    /// Weighted least connections (`wlc`).
    WeightedLeastConnections = 3,
    /// Shortest expected delay (`sed`).
    ShortestExpectedDelay = 4,
    /// Never queue (`nq`).
    NeverQueue = 5,
    /// Weighted failover (`fo`).
    Failover = 6,
    /// Weighted overflow (`ovf`).
    Overflow = 7,
    /// Weighted round robin (`wrr`).
    WeightedRoundRobin = 8,
    /// Source hashing (`sh`).
    SourceHash = 9,
    /// Destination hashing (`dh`).
    DestinationHash = 10,
    /// Maglev hashing (`mh`).
    Maglev = 11,
    /// Power of two choices (`twos`).
    TwoChoices = 12,
    /// Locality-based least connections (`lblc`).
    Locality = 13,
    /// The same with replication (`lblcr`).
    ReplicatedLocality = 14,
    /// Least handshake latency (`ewma`).
    Latency = 15,
    /// Maglev hashing with bounded load (`mhb`).
    BoundedMaglev = 16,
}
