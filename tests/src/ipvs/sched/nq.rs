//! Never queue (`ip_vs_nq.c`): the first server that has nothing to do, or else as `sed`.

use std::collections::VecDeque;

use super::{Schedule, Sight, sed, wlc};

#[derive(Debug)]
pub(super) struct NeverQueue;

impl Schedule for NeverQueue {
    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let servers = sight.servers();
        let mut idle = servers.iter().filter(|dest| dest.active == 0);
        match idle.find(|dest| dest.is_usable()) {
            Some(dest) => Some(dest.number),
            None => wlc::lightest(&servers, sed::delay),
        }
    }
}
