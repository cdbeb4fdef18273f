//! A real server: its settings, which every packet reads, its live counts, which flows change when they
//! begin, end or change their state, and its traffic, which every CPU counts for itself.
//!
//! Two destinations, `2 * pair` and `2 * pair + 1`, share a line of settings, each with a
//! [half](crate::tables::Half). Behind it each has a line of live counts of its own, so that servers of
//! which many CPUs open flows do not take a line from each other. Of the line behind that, which only tunnels
//! need, and of a line of traffic, which no other CPU touches, they share halves again.

use super::bits;
use crate::tables::Line;

/// Lines of a pair: settings of both, the live counts of each, tunnels of both.
pub const PAIR: u32 = 4;

/// Word of the settings: endpoint, tag 0; with [`IPV6`] the first word of the address.
pub const ENDPOINT: usize = 0;
/// Word of the settings: bits 0..16 service number, bit 32 [`FORWARDS`], bit 33 [`RESTS`], bit 34 [`IPV6`], and
/// with that 16..32 the port, wire order; bits 36..39 the [`Method`], bit 39 [`CHECKSUM`], bit 40 [`ANY_PORT`], bit 41
/// [`FULL`], bit 42 [`FULL_IF_NEAR`], bits 48..64 a tunnel's port.
pub const MODE: usize = 1;
/// Word of the settings: bits 0..24 number of the next hop towards it, bit 56 [`LOCAL`], bit 57 [`ROUTED`].
pub const NEXT_HOP: usize = 2;
/// Word of the settings, with [`IPV6`]: the second word of the address.
pub const ADDRESS_REST: usize = 3;

/// Bit of [`MODE`]: the server exists. What becomes of flows whose server was removed, the sysctl
/// `expire_nodest_conn` says.
pub const FORWARDS: u64 = 1 << 32;
/// Bit of [`MODE`]: the server has weight 0.
pub const RESTS: u64 = 1 << 33;
/// Bit of [`MODE`]: the server has an IPv6 address.
pub const IPV6: u64 = 1 << 34;
/// Bit of [`MODE`]: flows go to the port that the client asked for, unless that is the service's own.
pub const ANY_PORT: u64 = 1 << 40;
/// Bit of [`MODE`], with [`Method::Masq`]: new flows take an address of the [pool](super::pool) in place of their
/// client's.
pub const FULL: u64 = 1 << 41;
/// Bit of [`MODE`], with [`FULL`]: only those of clients that are [near](super::pool::Reach).
pub const FULL_IF_NEAR: u64 = 1 << 42;

/// Bit of [`NEXT_HOP`]: the server's address is the director's own.
pub const LOCAL: u64 = 1 << 56;
/// Bit of [`NEXT_HOP`]: each flow has a way of its own, which the routing table knows ([`crate::outward`]).
pub const ROUTED: u64 = 1 << 57;

/// How a server's packets reach it.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(u8)]
pub enum Method {
    /// Masquerading (LVS-NAT): rewritten, both ways.
    Masq = 0,
    /// Direct routing (LVS-DR): as they are, to the server's link address. Its answers do not pass here.
    Route = 1,
    /// Tunnelling (LVS-TUN): IP in IP. Its answers do not pass here, and so it is with the following.
    Ipip = 2,
    /// Tunnelling: Generic UDP Encapsulation.
    Gue = 3,
    /// Tunnelling: Generic Routing Encapsulation.
    Gre = 4,
}

/// First bit of the method in [`MODE`].
const METHOD: u32 = 36;

impl Method {
    /// Whether it is a kind of tunnelling.
    pub const fn wraps(self) -> bool {
        matches!(self, Self::Ipip | Self::Gue | Self::Gre)
    }

    /// Its bits in [`MODE`].
    pub const fn bits(self) -> u64 {
        (self as u64) << METHOD
    }

    /// The method in a word [`MODE`].
    pub const fn of(mode: u64) -> Self {
        match bits(mode, METHOD, 3) {
            0 => Self::Masq,
            2 => Self::Ipip,
            3 => Self::Gue,
            4 => Self::Gre,
            _ => Self::Route,
        }
    }
}

/// Bit of [`MODE`]: the tunnel's own header has a checksum.
pub const CHECKSUM: u64 = 1 << 39;

/// First bit of a tunnel's port in [`MODE`].
const TUNNEL_PORT: u32 = 48;

/// The bits of a tunnel's UDP port (wire order) in a word [`MODE`].
pub const fn tunnel_port_bits(port: u16) -> u64 {
    (port as u64) << TUNNEL_PORT
}

/// The UDP port of a tunnel, wire order.
pub const fn tunnel_port(mode: u64) -> u16 {
    (mode >> TUNNEL_PORT) as u16
}

/// First of two words of the tunnel: the address that its packets are from, an IPv4 one in the lower half of
/// the first; 0: not known.
pub const SOURCE: usize = 0;
/// Word of the tunnel, of a server without one: see [`super::pool::Offer`].
pub const OFFER: usize = 2;
/// Word of the tunnel, of a server without one: see [`super::pool::Reach`].
pub const REACH: usize = 3;

/// The port of a server with an IPv6 address in its word [`MODE`], wire order.
pub const fn port(mode: u64) -> u16 {
    (mode >> 16) as u16
}

/// Word of the live counts: flows there are, see [`Counts`].
pub const COUNTS: usize = 0;
/// Word of the live counts: flows scheduled, ever.
pub const CONNS: usize = 1;

/// Word of the live counts: see [`Limits`].
pub const LIMITS: usize = 2;
/// Word of the live counts: not 0 while the destination gets no new flows because of its [`Limits`].
pub const OVERLOADED: usize = 3;

/// Word of the live counts: see [`Leads`].
pub const LEADS: usize = 4;

/// Word of the live counts: see [`Standing`].
pub const STANDING: usize = 5;

/// Word of the live counts: see [`super::latency::Latency`].
pub const LATENCY: usize = 6;
/// Word of the live counts: see [`super::latency::Asked`].
pub const ASKED: usize = 7;

/// Word of the traffic: packets client to server.
pub const IN_PACKETS: usize = 0;
/// Word of the traffic: bytes client to server, IP header included (as IPVS counts).
pub const IN_BYTES: usize = 1;
/// Word of the traffic: packets server to client.
pub const OUT_PACKETS: usize = 2;
/// Word of the traffic: bytes server to client.
pub const OUT_BYTES: usize = 3;

/// Whether any line of the flow table is of the destination with this line of live counts.
pub fn is_used<L: Line>(counts: L) -> bool {
    counts.load(COUNTS) | counts.load(LEADS) != 0
}

/// Number of the line of which `dest` has a half for its settings.
pub const fn settings(dest: u32) -> u32 {
    dest / 2 * PAIR
}

/// Number of the line of the live counts of `dest`.
pub const fn counts(dest: u32) -> u32 {
    dest / 2 * PAIR + 1 + (dest & 1)
}

/// Number of the line of which `dest` has a half for its tunnel.
pub const fn tunnel(dest: u32) -> u32 {
    dest / 2 * PAIR + 3
}

/// Number of the line, among those of one CPU, of which `dest` has a half for its traffic.
pub const fn traffic(dest: u32) -> u32 {
    dest / 2
}

/// Active flows in the upper half, inactive ones in the lower, so that a move between them is one
/// addition.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Counts(pub u64);

impl Counts {
    /// Added when an active flow begins.
    pub const ACTIVE: u64 = 1 << 32;
    /// Added when an inactive flow begins.
    pub const INACTIVE: u64 = 1;

    /// What to add to end or begin a flow of the given kind.
    pub const fn unit(active: bool) -> u64 {
        if active { Self::ACTIVE } else { Self::INACTIVE }
    }

    /// Flows in an active state.
    pub const fn active(self) -> u32 {
        not_negative((self.0 >> 32) as u32)
    }

    /// All other flows.
    pub const fn inactive(self) -> u32 {
        not_negative(self.0 as u32)
    }
}

/// What schedulers that remember a destination must know of it, in its service's list or not: bits 0..31 its weight, bit
/// 31 whether it is in the list, 32..48 the number of its service.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Standing(pub u64);

impl Standing {
    const LISTED: u64 = 1 << 31;

    /// Of a destination of this service; of a removed one, with the weight that it had.
    pub const fn new(service: u16, weight: u32, is_listed: bool) -> Self {
        let listed = if is_listed { Self::LISTED } else { 0 };
        Self(weight as u64 & (Self::LISTED - 1) | listed | (service as u64) << 32)
    }

    /// Its weight, or its last one.
    pub const fn weight(self) -> u32 {
        (self.0 & (Self::LISTED - 1)) as u32
    }

    /// Whether it is in the list of this service (`IP_VS_DEST_F_AVAILABLE`).
    pub const fn is_listed(self, service: u32) -> bool {
        self.0 & Self::LISTED != 0 && (self.0 >> 32) as u32 == service
    }
}

/// Lines of the flow table that are no flows but lead to a destination, or from it: templates in the lower half, and in
/// the upper one those for replies of one-packet services ([`super::state::ONE_PACKET`]). They count for neither
/// scheduler nor threshold.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Leads(pub u64);

impl Leads {
    /// Added when a template begins.
    pub const TEMPLATE: u64 = 1;
    /// Added when a line for replies begins.
    pub const REPLY: u64 = 1 << 32;

    /// Templates.
    pub const fn templates(self) -> u32 {
        self.0 as u32
    }

    /// Lines for replies.
    pub const fn replies(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// How many flows, active or not, make a destination overloaded, and how few make it usable again.
///
/// bits 0..32 the upper threshold (0: no limits), 32..64 the lower one (0: three quarters of the upper).
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Limits(pub u64);

impl Limits {
    /// Of these thresholds; the lower one says nothing by itself.
    pub const fn new(upper: u32, lower: u32) -> Self {
        if upper == 0 {
            return Self(0);
        }
        Self(upper as u64 | (lower as u64) << 32)
    }

    /// Whether a destination with so many flows is overloaded, if it was before
    /// (`__ip_vs_dest_update_overload`).
    pub const fn overload(self, was: bool, counts: Counts) -> bool {
        let upper = self.0 as u32 as u64;
        let lower = match self.0 >> 32 {
            0 => upper - upper / 4,
            lower => lower,
        };
        let flows = counts.active() as u64 + counts.inactive() as u64;
        upper != 0 && (flows >= upper || was && flows >= lower)
    }
}

/// A flow's end may be counted an instant before the change of state that came first.
const fn not_negative(flows: u32) -> u32 {
    if (flows as i32) < 0 { 0 } else { flows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overloaded_destination_waits_for_the_lower_threshold() {
        let counts = |active: u64, inactive: u64| Counts(active << 32 | inactive);
        let limits = Limits::new(4, 2);
        assert!(!limits.overload(false, counts(2, 1)));
        assert!(limits.overload(false, counts(2, 2)));
        assert!(limits.overload(true, counts(0, 2)));
        assert!(!limits.overload(true, counts(1, 0)));
        // Without a lower one: three quarters.
        let limits = Limits::new(8, 0);
        assert!(limits.overload(true, counts(6, 0)));
        assert!(!limits.overload(true, counts(5, 0)));
        assert!(!Limits::new(0, 5).overload(true, counts(9, 9)));
    }

    #[test]
    fn an_end_counted_before_the_last_change_shows_no_flows() {
        let active = Counts::unit(true);
        let ended_as_inactive = active.wrapping_sub(Counts::unit(false));
        let counts = Counts(ended_as_inactive);
        assert_eq!((counts.active(), counts.inactive()), (0, 0));
        let moved = Counts::unit(false).wrapping_sub(Counts::unit(true));
        assert_eq!(ended_as_inactive.wrapping_add(moved), 0);
    }
}
