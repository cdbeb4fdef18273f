//! Round robin (`ip_vs_rr.c`): one after the other.

use std::collections::VecDeque;

use super::{Schedule, Sight};

/// The server that was picked last; none: the list's head comes next.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    last: Option<usize>,
}

impl Schedule for RoundRobin {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let servers = sight.servers();
        let last = servers
            .iter()
            .position(|dest| Some(dest.number) == self.last);
        // Those behind the last one, then those up to it.
        let (before, behind) = servers.split_at(last.map_or(0, |place| place + 1));
        let mut round = behind.iter().chain(before);
        let picked = round.find(|dest| dest.is_usable())?.number;
        self.last = Some(picked);
        Some(picked)
    }

    fn removed(&mut self, dest: usize, before: Option<usize>) {
        if self.last == Some(dest) {
            self.last = before;
        }
    }
}
