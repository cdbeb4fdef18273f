//! The configuration table: what the daemon tells every program.
//!
//! Lines [`TIMEOUTS`].. hold one timeout per [state](super::state), in ticks, one word each; line
//! [`SYSCTLS`] what an administrator chose where IPVS has a sysctl.

use super::bits;

/// Nanoseconds of the monotonic clock are shifted right by this to give ticks (134 ms each; 32 bits
/// of them last 18 years).
pub const TICK_SHIFT: u32 = 27;

/// Lines in the table.
pub const LINES: u32 = 8;

/// Word of line 0: [`super::LAYOUT`].
pub const LAYOUT: usize = 0;
/// Word of line 0: first secret of the flow hash.
pub const SECRET0: usize = 1;
/// Word of line 0: second secret of the flow hash; odd.
pub const SECRET1: usize = 2;
/// Word of line 0: number of buckets minus one; the number is a power of two.
pub const BUCKET_MASK: usize = 3;
/// Word of line 0: see [`super::filter::Geometry`].
pub const FILTER: usize = 4;
/// Word of line 0: tick at which the daemon last looked after the next hops. When it is older than
/// [`HEARTBEAT_LIMIT`], next hops are not trusted.
pub const HEARTBEAT: usize = 5;

/// Word of line 0: bits 0..32 which generation of the wanted state is the current one, 32..64 how many
/// chunks it has. For the daemon.
pub const WANTED: usize = 6;

/// Ticks after which a daemon counts as gone: 3 s.
pub const HEARTBEAT_LIMIT: u32 = ticks(3);

/// First line of the timeouts: that of state `s` is word `s % 8` of line `TIMEOUTS + s / 8`.
pub const TIMEOUTS: u32 = 1;

/// Line of the sysctls.
pub const SYSCTLS: u32 = 5;

/// Line of the networks whose servers have a way out ([`crate::outward`]): in each word bits 0..32 an IPv4 address and 32..64
/// the mask under which a server's is equal to it, both in wire order; 0: none.
pub const OUTWARD: u32 = 6;

/// Word of line [`SYSCTLS`]: see [`Sysctls`].
pub const MODES: usize = 0;
/// Word of line [`SYSCTLS`]: `lblc_expiration`, in ticks.
pub const LBLC_EXPIRATION: usize = 1;
/// Word of line [`SYSCTLS`]: `lblcr_expiration`, in ticks.
pub const LBLCR_EXPIRATION: usize = 2;

const EXPIRE_NODEST_CONN: u32 = 8;
const EXPIRE_QUIESCENT_TEMPLATE: u32 = 9;
const SLOPPY_TCP: u32 = 10;
const SLOPPY_SCTP: u32 = 11;
const NAT_ICMP_SEND: u32 = 12;

/// The sysctls that are a mode or a switch, named as in IPVS: bits 0..8 `conn_reuse_mode`, then a bit
/// for each switch.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Sysctls(pub u64);

impl Sysctls {
    /// What becomes of a SYN on a flow that has ended, 0 to 3.
    pub const fn conn_reuse_mode(self) -> u8 {
        self.0 as u8
    }

    /// Whether flows end with their server.
    pub const fn expire_nodest_conn(self) -> bool {
        self.has(EXPIRE_NODEST_CONN)
    }

    /// Whether templates end when their server has weight 0.
    pub const fn expire_quiescent_template(self) -> bool {
        self.has(EXPIRE_QUIESCENT_TEMPLATE)
    }

    /// Whether segments without SYN open flows.
    pub const fn sloppy_tcp(self) -> bool {
        self.has(SLOPPY_TCP)
    }

    /// Whether SCTP packets without INIT open flows.
    pub const fn sloppy_sctp(self) -> bool {
        self.has(SLOPPY_SCTP)
    }

    /// Whether a server hears by ICMP that its packet belongs to no flow.
    pub const fn nat_icmp_send(self) -> bool {
        self.has(NAT_ICMP_SEND)
    }

    /// The same with this `conn_reuse_mode`.
    pub const fn with_conn_reuse_mode(self, mode: u8) -> Self {
        Self(self.0 & !0xff | mode as u64)
    }

    /// The same with this `expire_nodest_conn`.
    pub const fn with_expire_nodest_conn(self, on: bool) -> Self {
        self.with(EXPIRE_NODEST_CONN, on)
    }

    /// The same with this `expire_quiescent_template`.
    pub const fn with_expire_quiescent_template(self, on: bool) -> Self {
        self.with(EXPIRE_QUIESCENT_TEMPLATE, on)
    }

    /// The same with this `sloppy_tcp`.
    pub const fn with_sloppy_tcp(self, on: bool) -> Self {
        self.with(SLOPPY_TCP, on)
    }

    /// The same with this `sloppy_sctp`.
    pub const fn with_sloppy_sctp(self, on: bool) -> Self {
        self.with(SLOPPY_SCTP, on)
    }

    /// The same with this `nat_icmp_send`.
    pub const fn with_nat_icmp_send(self, on: bool) -> Self {
        self.with(NAT_ICMP_SEND, on)
    }

    const fn has(self, bit: u32) -> bool {
        bits(self.0, bit, 1) == 1
    }

    const fn with(self, bit: u32, on: bool) -> Self {
        Self(self.0 & !(1 << bit) | (on as u64) << bit)
    }
}

/// Seconds as ticks, rounded up.
pub const fn ticks(seconds: u32) -> u32 {
    ((seconds as u64 * 1_000_000_000 + (1 << TICK_SHIFT) - 1) >> TICK_SHIFT) as u32
}

/// Ticks as nanoseconds.
pub const fn nanoseconds(ticks: u32) -> u64 {
    (ticks as u64) << TICK_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{WORDS, state};

    #[test]
    fn timeouts_and_sysctls_have_lines_of_their_own() {
        let last = TIMEOUTS + (state::DEFAULT_TIMEOUTS.len() - 1) as u32 / WORDS as u32;
        assert!(last < SYSCTLS && SYSCTLS < LINES);
    }

    #[test]
    fn each_sysctl_has_bits_of_its_own() {
        type Switch = (fn(Sysctls) -> bool, fn(Sysctls, bool) -> Sysctls);
        let switches: [Switch; 5] = [
            (
                Sysctls::expire_nodest_conn,
                Sysctls::with_expire_nodest_conn,
            ),
            (
                Sysctls::expire_quiescent_template,
                Sysctls::with_expire_quiescent_template,
            ),
            (Sysctls::sloppy_tcp, Sysctls::with_sloppy_tcp),
            (Sysctls::sloppy_sctp, Sysctls::with_sloppy_sctp),
            (Sysctls::nat_icmp_send, Sysctls::with_nat_icmp_send),
        ];
        let mode = Sysctls(0).with_conn_reuse_mode(3);
        for (place, (_, with)) in switches.iter().enumerate() {
            let one = with(mode, true);
            for (other, (is, _)) in switches.iter().enumerate() {
                assert_eq!(is(one), other == place);
            }
            assert_eq!(one.conn_reuse_mode(), 3);
            assert_eq!(with(one, false), mode);
        }
        let all = switches
            .iter()
            .fold(mode, |sysctls, (_, with)| with(sysctls, true));
        let other = all.with_conn_reuse_mode(0);
        assert_eq!(other.conn_reuse_mode(), 0);
        assert!(switches.iter().all(|(is, _)| is(other)));
    }
}
