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

    /// Recorded from Linux 6.12 under steady traffic, a row a look: connections, packets in and out,
    /// bytes in and out as counted until then, and the rates that `ipvsadm -L --rate` showed afterwards.
    const RECORDED: [([u64; 5], [u64; 5]); 10] = [
        ([13, 70, 70, 26_360, 2_170], [2, 9, 9, 3_295, 271]),
        ([53, 310, 310, 117_080, 9_610], [6, 37, 37, 13_811, 1_133]),
        ([93, 550, 550, 207_800, 17_050], [10, 57, 57, 21_698, 1_780]),
        (
            [133, 790, 790, 298_520, 24_490],
            [12, 73, 73, 27_614, 2_265],
        ),
        (
            [173, 1_030, 1_030, 389_240, 31_930],
            [14, 85, 85, 32_050, 2_629],
        ),
        (
            [212, 1_269, 1_267, 479_463, 39_277],
            [16, 93, 93, 35_316, 2_890],
        ),
        (
            [253, 1_511, 1_510, 570_739, 46_810],
            [17, 100, 100, 37_896, 3_109],
        ),
        (
            [293, 1_751, 1_750, 661_459, 54_250],
            [18, 105, 105, 39_762, 3_262],
        ),
        (
            [333, 1_991, 1_990, 752_179, 61_690],
            [18, 109, 109, 41_162, 3_376],
        ),
        (
            [373, 2_231, 2_230, 842_899, 69_130],
            [19, 112, 112, 42_211, 3_462],
        ),
    ];

    #[test]
    fn the_rates_are_those_of_the_kernel() {
        let mut estimator = Estimator::default();
        estimator.tick(Figures::default());
        for ([conns, in_packets, out_packets, in_bytes, out_bytes], expected) in RECORDED {
            estimator.tick(Figures {
                conns,
                in_packets,
                in_bytes,
                out_packets,
                out_bytes,
            });
            let rates = estimator.rates();
            let shown = [
                rates.conns,
                rates.in_packets,
                rates.out_packets,
                rates.in_bytes,
                rates.out_bytes,
            ];
            assert_eq!(shown, expected);
        }
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
