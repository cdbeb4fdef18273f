//! Least connections (`ip_vs_lc.c`).

use std::collections::VecDeque;

use super::{Schedule, Sight};

#[derive(Debug)]
pub(super) struct LeastConnections;

impl Schedule for LeastConnections {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let usable = sight.servers().into_iter().filter(|dest| dest.is_usable());
        // The first of those that are alike.
        let least = usable.min_by_key(|dest| dest.overhead())?;
        Some(least.number)
    }
}
