//! How fast a real server answers, in the line of its live counts: measured for the scheduler ewma, from the client's SYN
//! to the server's SYN+ACK.
//!
//! The average is one that jumps to a slower answer at once and goes back to faster ones, and towards nothing, by half in each
//! [`HALF_LIFE`] (as the "peak EWMA" of Finagle and of linkerd does): a server that got slow is avoided after one answer, and one that
//! nobody asks is tried again after a while.
//!
//! Nanoseconds here are of the monotonic clock, as [`crate::tables::Tables::nanoseconds`] has them.

use super::bits;

/// Nanoseconds in which what is known loses half its weight, as a power of two: 4.3 s.
const HALF_LIFE: u32 = 32;
/// Nanoseconds in which latency is counted, as a power of two: a microsecond.
const FINE: u32 = 10;
/// Nanoseconds in which times are noted, as a power of two: a millisecond.
const COARSE: u32 = 20;
/// The longest latency that is told from longer ones: 4.6 minutes.
const LONGEST: u64 = (1 << 28) - 1;
/// What a server counts as that was asked and has never answered: a second.
const UNKNOWN: u64 = 1 << (30 - FINE);
/// After so long, in units of [`COARSE`], a server that does not answer is asked once more: 10.7 s.
const RETRY: u64 = 10 << 10;

/// The average: bits 0..28 latency in units of [`FINE`], 28..64 when it was that, in units of [`COARSE`]. 0: never measured.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Latency(pub u64);

impl Latency {
    const fn new(latency: u64, now: u64) -> Self {
        let latency = if latency > LONGEST { LONGEST } else { latency };
        Self(latency | (now >> COARSE) << 28)
    }

    /// What is left of it now, units of [`FINE`].
    const fn at(self, now: u64) -> u64 {
        let age = (now >> COARSE).wrapping_sub(self.0 >> 28) << COARSE;
        weigh(self.0 & LONGEST, age)
    }

    /// The same after an answer that took so many nanoseconds.
    #[must_use]
    pub const fn after(self, nanoseconds: u64, now: u64) -> Self {
        let sample = nanoseconds >> FINE;
        let kept = self.at(now);
        if sample >= kept {
            return Self::new(sample, now);
        }
        // The difference fades with the time since the last answer, not with the number of answers.
        let before = self.0 & LONGEST;
        let age = (now >> COARSE).wrapping_sub(self.0 >> 28) << COARSE;
        Self::new(sample + weigh(before - sample, age), now)
    }
}

/// A value that is halved in each [`HALF_LIFE`] of `age`; in between it goes down in a straight line.
const fn weigh(value: u64, age: u64) -> u64 {
    let halvings = age >> HALF_LIFE;
    if halvings > 28 {
        return 0;
    }
    let halved = value >> halvings;
    let part = bits(age, HALF_LIFE - 16, 16);
    halved - ((halved * part) >> 17)
}

/// Who waits for a server's answer: bits 0..32 since when somebody does, 32..64 when it was last asked, both in units of
/// [`COARSE`]. 0: nobody has waited since the last answer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Asked(pub u64);

impl Asked {
    /// The same when it is asked once more.
    #[must_use]
    pub const fn again(self, now: u64) -> Self {
        let now = now >> COARSE & 0xffff_ffff;
        let first = if self.0 == 0 {
            now
        } else {
            self.0 & 0xffff_ffff
        };
        // Never 0, which would be nobody.
        let last = if now == 0 { 1 } else { now };
        Self(first | last << 32)
    }

    /// For how long somebody has waited, units of [`FINE`]; `None` if nobody does, or if it is time to try again.
    const fn wait(self, now: u64) -> Option<u64> {
        let now = (now >> COARSE) as u32;
        let idle = now.wrapping_sub((self.0 >> 32) as u32) as u64;
        if self.0 == 0 || idle > RETRY {
            return None;
        }
        Some((now.wrapping_sub(self.0 as u32) as u64) << (COARSE - FINE))
    }
}

/// How long an answer of a server is expected to take, microseconds of 28 bits: its average, or for how long it has not answered if
/// that is longer.
pub const fn expected(latency: Latency, asked: Asked, now: u64) -> u64 {
    let known = latency.at(now);
    let Some(wait) = asked.wait(now) else {
        return known;
    };
    let least = if latency.0 == 0 { UNKNOWN } else { known };
    let wait = if wait < LONGEST { wait } else { LONGEST };
    if wait > least { wait } else { least }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1000 * MS;
    /// A time that is neither early nor round.
    const NOW: u64 = 123_456_789 * MS + 321;

    fn ms(nanoseconds: u64) -> u64 {
        nanoseconds >> FINE
    }

    #[test]
    fn a_slower_answer_counts_at_once_a_faster_one_by_and_by() {
        let first = Latency(0).after(MS, NOW);
        assert_eq!(first.at(NOW), ms(MS));
        let slow = first.after(50 * MS, NOW + 10 * MS);
        assert_eq!(slow.at(NOW + 10 * MS), ms(50 * MS));
        // Two fast answers right after the other hardly change that.
        let later = NOW + 20 * MS;
        let fast = slow.after(MS, later).after(MS, later);
        assert!(fast.at(later) > ms(49 * MS), "{fast:?}");
        // After a half-life, half is left; after many, the fast answer alone.
        let later = NOW + (1 << HALF_LIFE);
        let half = slow.after(MS, later).at(later);
        assert!((ms(25 * MS)..ms(26 * MS)).contains(&half), "{half}");
        let later = NOW + 60 * SECOND;
        assert_eq!(slow.after(MS, later).at(later), ms(MS));
    }

    #[test]
    fn what_nobody_asks_is_forgotten_by_half_and_half() {
        let known = Latency(0).after(64 * MS, NOW);
        let mut before = known.at(NOW);
        for step in 1..200 {
            let left = known.at(NOW + step * SECOND / 4);
            assert!(left <= before, "{step}");
            before = left;
        }
        assert!(before < ms(MS / 10));
        assert_eq!(known.at(NOW + 3600 * SECOND), 0);
        assert_eq!(Latency(0).at(NOW), 0);
    }

    #[test]
    fn silence_counts_as_long_as_it_lasts_and_is_broken_now_and_then() {
        let known = Latency(0).after(MS, NOW);
        let asked = Asked(0).again(NOW);
        assert_eq!(expected(known, asked, NOW), ms(MS));
        let later = NOW + 2 * SECOND;
        let again = asked.again(later);
        let silent = expected(known, again, later);
        assert!((ms(SECOND)..ms(3 * SECOND)).contains(&silent), "{silent}");
        // Then it is tried once more, and is slower than ever at once.
        let much_later = later + 12 * SECOND;
        assert!(expected(known, again, much_later) < ms(MS));
        let tried = again.again(much_later);
        assert!(expected(known, tried, much_later) > ms(10 * SECOND));
        // Nobody has asked.
        assert_eq!(expected(known, Asked(0), NOW), ms(MS));
    }

    #[test]
    fn who_never_answered_is_asked_by_one_client() {
        assert_eq!(expected(Latency(0), Asked(0), NOW), 0);
        assert_eq!(expected(Latency(0), Asked(0).again(NOW), NOW), UNKNOWN);
    }

    #[test]
    fn the_longest_latency_is_that_of_longer_ones() {
        let known = Latency(0).after(3600 * SECOND, NOW);
        assert_eq!(known.at(NOW), LONGEST);
    }
}
