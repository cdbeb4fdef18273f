//! Rates over the last 1, 10 and 60 seconds: differences of what was counted, over the time that really
//! went by.

use std::{collections::VecDeque, time::Instant};

use ferrovs_api::SpanView;
use ferrovs_model::publish::Figures;

/// The spans that are told, in seconds, which is also how many samples back each begins.
const SPANS: [u32; 3] = [1, 10, 60];
/// Samples that are kept.
const KEPT: usize = 61;

/// A sample every second.
#[derive(Debug, Default)]
pub(super) struct Spans(VecDeque<(Instant, Figures)>);

impl Spans {
    /// Adds what has been counted in all until `now`.
    pub(super) fn add(&mut self, now: Instant, counted: Figures) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((now, counted));
    }

    /// The rates of all spans that have been seen from their beginning.
    pub(super) fn view(&self) -> Vec<SpanView> {
        let spans = SPANS.iter();
        spans.filter_map(|&seconds| self.rate(seconds)).collect()
    }

    fn rate(&self, seconds: u32) -> Option<SpanView> {
        let &(end, counted) = self.0.back()?;
        let first = self.0.len().checked_sub(1 + seconds as usize)?;
        let &(begin, before) = self.0.get(first)?;
        let elapsed = end.duration_since(begin).as_secs_f64();
        let since = counted - before;
        let rate = |count: u64| count as f64 / elapsed;
        (elapsed > 0.0).then(|| SpanView {
            seconds,
            conns: rate(since.conns),
            in_packets: rate(since.in_packets),
            out_packets: rate(since.out_packets),
            in_bytes: rate(since.in_bytes),
            out_bytes: rate(since.out_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_span_has_its_own_rate_once_it_has_been_seen() {
        let begin = Instant::now();
        let mut spans = Spans::default();
        let mut conns = 0;
        for second in 0..100 {
            // Ten a second, and a hundred in the last one.
            conns += if second == 99 { 100 } else { 10 };
            let counted = Figures {
                conns,
                ..Figures::default()
            };
            spans.add(begin + Duration::from_secs(second), counted);
            let seen = spans.view().len();
            let expected = match second {
                0 => 0,
                1..10 => 1,
                10..60 => 2,
                _ => 3,
            };
            assert_eq!(seen, expected, "after {second} s");
        }
        let rates: Vec<_> = spans.view().iter().map(|s| (s.seconds, s.conns)).collect();
        assert_eq!(rates, [(1, 100.0), (10, 19.0), (60, 11.5)]);
    }
}
