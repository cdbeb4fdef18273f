//! Destination hashing (`ip_vs_dh.c`): 256 buckets, to which the servers come in turn, whatever they weigh.

use std::collections::VecDeque;

use super::{Schedule, Sight, hash};
use crate::ipvs::Dest;

/// The numbers of all servers; bucket `i` is that of number `i` modulo their count.
#[derive(Debug, Default)]
pub(super) struct DestinationHashing {
    turn: Vec<usize>,
}

impl Schedule for DestinationHashing {
    fn changed(&mut self, servers: &[&Dest]) {
        self.turn = servers.iter().map(|dest| dest.number).collect();
    }

    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let bucket = hash::hash_8(hash::fold(sight.packet.destination.ip()));
        let mut turns = self.turn.iter().cycle();
        let picked = *turns.nth(usize::from(bucket))?;
        sight.dests[picked].is_usable().then_some(picked)
    }
}
