//! The configuration table: what the daemon tells every program.
//!
//! Lines [`TIMEOUTS`].. hold one timeout per [state](super::state), in ticks, one word each.

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

/// Seconds as ticks, rounded up.
pub const fn ticks(seconds: u32) -> u32 {
    ((seconds as u64 * 1_000_000_000 + (1 << TICK_SHIFT) - 1) >> TICK_SHIFT) as u32
}

/// Ticks as nanoseconds.
pub const fn nanoseconds(ticks: u32) -> u64 {
    (ticks as u64) << TICK_SHIFT
}
