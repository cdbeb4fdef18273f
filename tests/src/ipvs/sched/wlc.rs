//! Weighted least connections (`ip_vs_wlc.c`).

use std::collections::VecDeque;

use super::{Schedule, Sight};
use crate::ipvs::Dest;

#[derive(Debug)]
pub(super) struct WeightedLeastConnections;

impl Schedule for WeightedLeastConnections {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        lightest(&sight.servers(), Dest::overhead)
    }
}

/// The server with the least load for its weight, the first of those that are alike.
pub(super) fn lightest(servers: &[&Dest], load: impl Fn(&Dest) -> u128) -> Option<usize> {
    let mut usable = servers.iter().filter(|dest| dest.is_usable());
    let mut least = usable.next()?;
    for dest in usable {
        let (weight, least_weight) = (dest.server.weight, least.server.weight);
        // The same as load / weight, without a fraction.
        if load(least) * u128::from(weight) > load(dest) * u128::from(least_weight) {
            least = dest;
        }
    }
    Some(least.number)
}
