//! Weighted round robin (`ip_vs_wrr.c`): rounds for falling weights, in each of which the servers that weigh
//! as much get a connection.

use std::collections::VecDeque;

use super::{Schedule, Sight};
use crate::ipvs::Dest;

/// `struct ip_vs_wrr_mark`.
#[derive(Debug)]
pub(super) struct WeightedRoundRobin {
    /// The server that was picked last; none: the head of the list is next.
    last: Option<usize>,
    /// What a server must weigh in this round (`cw`).
    required: i64,
    /// What it must weigh in the first round (`mw`).
    most: i64,
    /// How much less it is from round to round (`di`).
    step: i64,
}

impl WeightedRoundRobin {
    pub(super) fn new(servers: &[&Dest]) -> Self {
        let (most, step) = most_and_step(servers);
        Self {
            last: None,
            required: most,
            most,
            step,
        }
    }
}

/// The greatest common divisor of all weights, and the greatest weight less what the divisor is above 1, so
/// that in the last round the required weight is 1.
fn most_and_step(servers: &[&Dest]) -> (i64, i64) {
    let weights = servers.iter().map(|dest| i64::from(dest.server.weight));
    let step = weights.clone().fold(0, greatest_common_divisor);
    let step = step.max(1);
    (weights.max().unwrap_or(0) - (step - 1), step)
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

impl WeightedRoundRobin {
    /// Goes on to the first round, of those that look at all servers, in which there is one that weighs enough, or
    /// to the last one. The kernel goes through each of them, which may be billions.
    fn skip_rounds_for_nobody(&mut self, servers: &[&Dest]) {
        let usable = servers.iter().filter(|dest| dest.is_usable());
        let weights = usable.map(|dest| i64::from(dest.server.weight));
        let enough = weights.max().unwrap_or(0).max(self.step);
        if self.required > enough {
            let rounds = (self.required - enough + self.step - 1) / self.step;
            self.required -= rounds * self.step;
        }
    }
}

impl Schedule for WeightedRoundRobin {
    fn changed(&mut self, servers: &[&Dest]) {
        self.last = None;
        (self.most, self.step) = most_and_step(servers);
        if self.required > self.most || self.required == 0 {
            self.required = self.most;
        } else if self.step > 1 {
            self.required = self.required / self.step * self.step + 1;
        }
    }

    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        if self.most == 0 {
            return None;
        }
        let servers = sight.servers();
        let place = |number| servers.iter().position(|dest| Some(dest.number) == number);
        let first = place(self.last);
        let mut next = first.map_or(0, |place| place + 1);
        // Nobody is left when a round for weight 1 has looked at all servers.
        let mut stop = None;
        let (mut last_round, mut restarted) = (false, false);
        loop {
            for (at, dest) in servers.iter().enumerate().skip(next) {
                if !dest.overloaded && i64::from(dest.server.weight) >= self.required {
                    self.last = Some(dest.number);
                    return Some(dest.number);
                }
                if Some(at) == stop {
                    self.last = Some(dest.number);
                    return None;
                }
            }
            next = 0;
            self.required -= self.step;
            if self.required <= 0 {
                self.required = self.most;
                if last_round || first.is_none() {
                    self.last = None;
                    return None;
                }
                restarted = true;
            }
            self.skip_rounds_for_nobody(&servers);
            last_round = self.required <= self.step;
            if last_round && restarted {
                stop = first;
            }
        }
    }
}
