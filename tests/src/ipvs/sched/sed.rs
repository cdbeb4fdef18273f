//! Shortest expected delay (`ip_vs_sed.c`).

use std::collections::VecDeque;

use super::{Schedule, Sight, wlc};
use crate::ipvs::Dest;

#[derive(Debug)]
pub(super) struct ShortestExpectedDelay;

impl Schedule for ShortestExpectedDelay {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        wlc::lightest(&sight.servers(), delay)
    }
}

/// What a server would have to do with one more.
pub(super) fn delay(dest: &Dest) -> u128 {
    u128::from(dest.active) + 1
}
