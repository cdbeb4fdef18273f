//! Maglev hashing (`ip_vs_mh.c`; Eisenbud et al., Maglev, NSDI 2016, section 3.4): a table of prime size that the
//! servers fill in turns, each in an order of its own. A server of weight 0 keeps its places.

use std::{collections::VecDeque, net::IpAddr};

use super::{Schedule, Sight, hash};
use crate::ipvs::Dest;

/// Places in the table (`CONFIG_IP_VS_MH_TAB_INDEX` = 12).
const PLACES: u32 = 4093;
/// Turns have at most so many bits (`IP_VS_MH_TAB_BITS`).
const TURN_BITS: u32 = 6;
/// The keys of both hash functions.
const KEYS: [u64; 2] = [2_654_435_761, 2_654_446_892];

/// The number of each place's server; empty if no server has ever had a weight.
#[derive(Debug, Default)]
pub(super) struct Maglev {
    table: Vec<usize>,
}

/// A server that fills the table (`struct ip_vs_mh_dest_setup`).
struct Filler {
    number: usize,
    /// The place that it would like next.
    wish: u32,
    /// How much further the one after that is.
    skip: u32,
    /// How many places it takes in a row.
    turns: u32,
}

/// `ip_vs_mh_hashkey`.
fn hash_of(address: IpAddr, port: u16, key: u64, offset: u32) -> u32 {
    let value = offset
        .wrapping_add(u32::from(port))
        .wrapping_add(hash::fold(address));
    hash::hsiphash(value, key)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

/// `ip_vs_mh_permutate`.
fn fillers(servers: &[&Dest]) -> Vec<Filler> {
    let weights = servers.iter().map(|dest| dest.last_weight);
    let divisor = weights.clone().fold(0, greatest_common_divisor);
    if divisor == 0 {
        return Vec::new();
    }
    let most = weights.max().unwrap_or(0) / divisor;
    let bits = u32::BITS - most.leading_zeros();
    let shift = bits.saturating_sub(TURN_BITS);
    let weighty = servers.iter().filter(|dest| dest.last_weight > 0);
    let filler = |dest: &&Dest| {
        let address = dest.server.address;
        let hash = |key| hash_of(address.ip(), address.port(), key, 0);
        Filler {
            number: dest.number,
            wish: hash(KEYS[0]) % PLACES,
            skip: hash(KEYS[1]) % (PLACES - 1) + 1,
            turns: ((dest.last_weight / divisor) >> shift).max(1),
        }
    };
    weighty.map(filler).collect()
}

impl Maglev {
    /// The server of a client, its port and an offset.
    fn server(&self, client: IpAddr, port: u16, offset: u32) -> Option<usize> {
        let place = hash_of(client, port, KEYS[0], offset) % PLACES;
        self.table.get(place as usize).copied()
    }
}

impl Schedule for Maglev {
    /// `ip_vs_mh_populate`.
    fn changed(&mut self, servers: &[&Dest]) {
        let mut table = vec![None; PLACES as usize];
        let mut fillers = fillers(servers);
        let mut free = if fillers.is_empty() { 0 } else { PLACES };
        while free > 0 {
            for filler in &mut fillers {
                for _ in 0..filler.turns.min(free) {
                    while table[filler.wish as usize].is_some() {
                        filler.wish = (filler.wish + filler.skip) % PLACES;
                    }
                    table[filler.wish as usize] = Some(filler.number);
                    free -= 1;
                }
            }
        }
        self.table = table.into_iter().flatten().collect();
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
        // `ip_vs_mh_get_fallback`: as many offsets as there are places, from the first hash on.
        let first = hash_of(client, port, KEYS[0], 0) % PLACES;
        let mut offsets = (0..PLACES).map(|offset| (first + offset) % PLACES);
        offsets.find_map(|offset| {
            let picked = self.server(client, port, offset)?;
            sight.dests[picked].is_usable().then_some(picked)
        })
    }
}
