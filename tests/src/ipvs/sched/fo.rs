//! Weighted failover (`ip_vs_fo.c`): the first server of the highest weight.

use std::collections::VecDeque;

use super::{Schedule, Sight};

#[derive(Debug)]
pub(super) struct Failover;

impl Schedule for Failover {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let usable = sight.servers().into_iter().filter(|dest| dest.is_usable());
        // The last of those that are alike, counted from the end.
        let heaviest = usable.rev().max_by_key(|dest| dest.server.weight)?;
        Some(heaviest.number)
    }
}
