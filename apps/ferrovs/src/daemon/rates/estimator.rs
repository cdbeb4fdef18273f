//! The rate estimator of IPVS (`ip_vs_est.c`): every two seconds an average moves a quarter of the way
//! towards what was counted in them. In fixed-point numbers as in the kernel, so that it shows the same
//! figures, rounding included.

use ferrovs_api::Rates;
use ferrovs_model::publish::Figures;

/// Seconds between two looks.
pub(super) const PERIOD: u64 = 2;

/// Fractional bits of the averages of connections and packets.
const COUNT_BITS: u32 = 10;
/// Fractional bits of the averages of bytes.
const BYTE_BITS: u32 = 5;

/// The averages, and what was counted at the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Estimator {
    counted: Figures,
    averages: Figures,
    /// Whether it has looked before: the kernel's begins with what it estimates, at zero.
    begun: bool,
}

impl Estimator {
    /// One look at what has been counted in all.
    pub(super) fn tick(&mut self, counted: Figures) {
        if !std::mem::replace(&mut self.begun, true) {
            self.counted = counted;
            return;
        }
        let since = counted - self.counted;
        self.counted = counted;
        let averages = &mut self.averages;
        for (average, count, bits) in [
            (&mut averages.conns, since.conns, COUNT_BITS),
            (&mut averages.in_packets, since.in_packets, COUNT_BITS),
            (&mut averages.out_packets, since.out_packets, COUNT_BITS),
            (&mut averages.in_bytes, since.in_bytes, BYTE_BITS),
            (&mut averages.out_bytes, since.out_bytes, BYTE_BITS),
        ] {
            let rate = (count << bits) / PERIOD;
            let step = (rate.wrapping_sub(*average) as i64) >> 2;
            *average = average.wrapping_add_signed(step);
        }
    }

    /// Starts at zero again.
    pub(super) fn zero(&mut self) {
        self.averages = Figures::default();
    }

    /// The averages by the second (`ip_vs_read_estimator`).
    pub(super) fn rates(&self) -> Rates {
        let count = |average: u64| (average + 0x1ff) >> COUNT_BITS;
        let bytes = |average: u64| (average + 0xf) >> BYTE_BITS;
        Rates {
            conns: count(self.averages.conns),
            in_packets: count(self.averages.in_packets),
            out_packets: count(self.averages.out_packets),
            in_bytes: bytes(self.averages.in_bytes),
            out_bytes: bytes(self.averages.out_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(conns: u64, in_packets: u64, in_bytes: u64) -> Figures {
        Figures {
            conns,
            in_packets,
            in_bytes,
            ..Figures::default()
        }
    }

    #[test]
    fn a_steady_rate_is_approached_by_quarters_and_then_kept() {
        let mut estimator = Estimator::default();
        estimator.tick(counted(1_000, 5_000, 900_000));
        assert!(estimator.rates().is_zero());
        let mut seen = Vec::new();
        for look in 1..=40 {
            estimator.tick(counted(
                1_000 + 20 * look,
                5_000 + 200 * look,
                900_000 + 12_000 * look,
            ));
            let Rates {
                conns,
                in_packets,
                in_bytes,
                ..
            } = estimator.rates();
            seen.push((conns, in_packets, in_bytes));
        }
        assert_eq!(
            seen[..4],
            [
                (2, 25, 1_500),
                (4, 44, 2_625),
                (6, 58, 3_469),
                (7, 68, 4_102)
            ]
        );
        assert_eq!(seen[39], (10, 100, 6_000));
    }

    #[test]
    fn it_falls_back_to_nothing_and_can_be_set_to_zero() {
        let mut estimator = Estimator::default();
        estimator.tick(Figures::default());
        estimator.tick(counted(2_000, 0, 0));
        let mut kept = estimator;
        for _ in 0..60 {
            estimator.tick(counted(2_000, 0, 0));
        }
        assert!(estimator.rates().is_zero());
        kept.zero();
        assert!(kept.rates().is_zero());
        // What was counted before does not come again.
        kept.tick(counted(2_000, 0, 0));
        assert!(kept.rates().is_zero());
    }
}
