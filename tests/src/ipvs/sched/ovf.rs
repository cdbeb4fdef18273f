//! Weighted overflow (`ip_vs_ovf.c`): as `fo`, but only servers with no more active connections than they
//! weigh.

use std::collections::VecDeque;

use super::{Schedule, Sight};

#[derive(Debug)]
pub(super) struct Overflow;

impl Schedule for Overflow {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let usable = sight.servers().into_iter().filter(|dest| dest.is_usable());
        let with_room = usable.filter(|dest| dest.active <= u64::from(dest.server.weight));
        // The last of those that are alike, counted from the end.
        let heaviest = with_room.rev().max_by_key(|dest| dest.server.weight)?;
        Some(heaviest.number)
    }
}
