//! The buckets of Maglev hashing (`ip_vs_mh_permutate`, `ip_vs_mh_populate`).
//!
//! Each server has an order in which it wants the buckets. In turn they take the next ones that are free,
//! as many at a time as their weight says.

use std::net::{IpAddr, SocketAddr};

use ferrovs_core::{
    abi::schedule::{MAGLEV_BUCKETS, NOBODY},
    sched::mh::{FIRST, SECOND, hash},
};

use crate::history::gcd;

/// The most buckets that a server takes at a time: weights are halved until the highest, divided by what
/// all have in common, has no more bits (`IP_VS_MH_TAB_BITS`).
const WEIGHT_BITS: u32 = 6;

/// A server's order.
struct Taker {
    place: u16,
    next: u32,
    skip: u32,
    turns: u32,
}

/// Whose each bucket is, by place in the list of servers with these addresses and (last) weights.
pub(super) fn fill(servers: &[(SocketAddr, u32)]) -> Vec<u16> {
    let mut buckets = vec![NOBODY; MAGLEV_BUCKETS as usize];
    let common = servers
        .iter()
        .fold(0, |common, (_, weight)| gcd(common, *weight));
    let highest = servers.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    if highest == 0 {
        return buckets;
    }
    let shift = (u32::BITS - (highest / common).leading_zeros()).saturating_sub(WEIGHT_BITS);
    let taker = |(place, &(address, weight)): (u16, &(SocketAddr, u32))| {
        let key = key(address);
        Taker {
            place,
            next: hash(key, FIRST) % MAGLEV_BUCKETS,
            skip: hash(key, SECOND) % (MAGLEV_BUCKETS - 1) + 1,
            turns: ((weight / common) >> shift).max(1),
        }
    };
    let weighty = (0..).zip(servers).filter(|(_, (_, weight))| *weight > 0);
    let mut takers: Vec<_> = weighty.map(taker).collect();
    let mut left = MAGLEV_BUCKETS;
    loop {
        for taker in &mut takers {
            for _ in 0..taker.turns {
                while buckets[taker.next as usize] != NOBODY {
                    taker.next = (taker.next + taker.skip) % MAGLEV_BUCKETS;
                }
                buckets[taker.next as usize] = taker.place;
                left -= 1;
                if left == 0 {
                    return buckets;
                }
            }
        }
    }
}

/// What is hashed of a server: its address, an IPv6 one folded, plus its port.
fn key(address: SocketAddr) -> u32 {
    let folded = match address.ip() {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            (0..4).fold(0, |folded, word| {
                folded ^ (bits >> (word * u32::BITS)) as u32
            })
        }
    };
    folded.wrapping_add(u32::from(address.port()))
}
