//! Source hashing (`ip_vs_sh.c`): 256 buckets, to which the servers come in turn, each to as many in a row as it
//! weighs, and to one at least.

use std::{collections::VecDeque, net::IpAddr};

use super::{Schedule, Sight, hash};
use crate::ipvs::Dest;

const BUCKETS: usize = 256;

/// The number of each bucket's server; no buckets without servers.
#[derive(Debug, Default)]
pub(super) struct SourceHashing {
    buckets: Vec<usize>,
}

impl SourceHashing {
    /// The server of a client, its port and an offset (`ip_vs_sh_hashkey`).
    fn server(&self, client: IpAddr, port: u16, offset: u8) -> Option<usize> {
        let value = u32::from(port).wrapping_add(hash::fold(client));
        let bucket = hash::hash_8(value).wrapping_add(offset);
        self.buckets.get(usize::from(bucket)).copied()
    }
}

impl Schedule for SourceHashing {
    fn changed(&mut self, servers: &[&Dest]) {
        self.buckets.clear();
        while !servers.is_empty() && self.buckets.len() < BUCKETS {
            for dest in servers {
                // The weight may be far beyond the buckets there are.
                let turns = (dest.server.weight.max(1) as usize).min(BUCKETS);
                self.buckets.extend(std::iter::repeat_n(dest.number, turns));
            }
        }
        self.buckets.truncate(BUCKETS);
    }

    fn pick(&mut self, sight: &Sight<'_>, _: &mut VecDeque<u64>) -> Option<usize> {
        let client = sight.packet.source.ip();
        let port = sight.client_port();
        let picked = self.server(client, port, 0)?;
        if sight.dests[picked].is_usable() {
            return Some(picked);
        }
        if !sight.flags.fallback {
            return None;
        }
        // `ip_vs_sh_get_fallback`: all buckets, from the first hash on, each hashed anew.
        let first = hash::hash_8(u32::from(port).wrapping_add(hash::fold(client)));
        let mut offsets = (0..=u8::MAX).map(|offset| first.wrapping_add(offset));
        offsets.find_map(|offset| {
            let picked = self.server(client, port, offset)?;
            sight.dests[picked].is_usable().then_some(picked)
        })
    }
}
