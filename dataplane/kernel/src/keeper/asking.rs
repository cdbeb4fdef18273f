//! Having the kernel keep the neighbours towards servers, and ask after those that flows use.
//!
//! Every second, but of very many neighbours only a part, the next one in the next second.

use std::{
    net::IpAddr,
    ops::Bound,
    time::{Duration, Instant},
};

use tracing::{debug, warn};

use super::Keeper;
use crate::net::{Way, errno};

/// How often neighbours are asked after.
const ASK: Duration = Duration::from_secs(1);
/// After so many at most.
const AT_ONCE: usize = 1000;

/// Who was asked after, and when.
#[derive(Debug, Default)]
pub(super) struct Asking {
    asked: Option<Instant>,
    /// The last one of the servers' neighbours.
    last: Option<Way>,
    /// Whether the kernel had no room for another neighbour.
    full: bool,
}

impl Keeper {
    /// Asks after neighbours if it is time to.
    pub(super) fn ask_after_neighbours(&mut self) {
        if self.asking.asked.is_some_and(|asked| asked.elapsed() < ASK) {
            return;
        }
        self.asking.asked = Some(Instant::now());
        self.keep_servers();
        self.look_for_clients();
    }

    fn keep_servers(&mut self) {
        let behind = self.asking.last.map_or(Bound::Unbounded, Bound::Excluded);
        let ways = self.towards_servers.range((behind, Bound::Unbounded));
        let ways: Vec<Way> = ways.copied().take(AT_ONCE).collect();
        // Less than a whole part: the next one begins anew.
        self.asking.last = ways.get(AT_ONCE - 1).copied();
        for way in ways {
            let key = (way.interface, way.neighbour);
            let neighbour = self.network.neighbours.get(&key);
            if neighbour.is_some_and(|neighbour| neighbour.permanent) {
                continue;
            }
            match self.query.manage(way.interface, way.neighbour) {
                Ok(()) => {}
                Err(error) if errno(&error) == Some(libc::ENOBUFS) => {
                    return self.tell_full(way.neighbour);
                }
                Err(error) => {
                    debug!(neighbour = %way.neighbour, %error, "cannot have the neighbour kept");
                }
            }
        }
    }

    fn tell_full(&mut self, neighbour: IpAddr) {
        if !std::mem::replace(&mut self.asking.full, true) {
            let family = if neighbour.is_ipv6() { "ipv6" } else { "ipv4" };
            warn!(
                "the kernel has no room for the neighbour {neighbour} and perhaps others, so packets to them take \
                 the slow way or are lost: net.{family}.neigh.default.gc_thresh3 should be more than twice the number \
                 of neighbours"
            );
        }
    }

    fn look_for_clients(&mut self) {
        let doubted = |way: &Way| {
            let neighbour = self.network.neighbours.get(&(way.interface, way.neighbour));
            neighbour.is_some_and(|neighbour| neighbour.stale)
        };
        let clients = self.hops.in_use();
        let clients: Vec<Way> = clients
            .filter(|way| !self.towards_servers.contains(way) && doubted(way))
            .take(AT_ONCE)
            .collect();
        for way in clients {
            if let Err(error) = self.query.look_for(way.interface, way.neighbour) {
                debug!(neighbour = %way.neighbour, %error, "cannot have the neighbour asked after");
            }
        }
    }
}
