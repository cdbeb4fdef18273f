//! Real servers (`struct ip_vs_dest`).

use std::net::SocketAddr;

use super::{Ipvs, Key, Stats};

/// How packets reach a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forwarding {
    /// By translating addresses, both ways.
    Masq,
    /// By the link alone; replies do not come by.
    Route,
    /// By a tunnel; replies do not come by.
    Tunnel,
}

/// All that `-a` and `-e` set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Server {
    /// Its address; port 0 stands for the port that the client asked for.
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share of new connections; 0: none.
    pub weight: u32,
    /// With so many connections it gets no more (`-x`); 0: no such limit.
    pub upper: u32,
    /// Below so many it gets some again (`-y`); 0: three quarters of the upper threshold.
    pub lower: u32,
}

impl Server {
    /// One that is reached by masquerading.
    #[must_use]
    pub const fn masq(address: SocketAddr, weight: u32) -> Self {
        Self {
            address,
            forwarding: Forwarding::Masq,
            weight,
            upper: 0,
            lower: 0,
        }
    }
}

/// Where a server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// In its service's list (`IP_VS_DEST_F_AVAILABLE`).
    Listed,
    /// In the trash; idle since then, as far as has been noticed.
    Trash { idle_since: Option<u64> },
    /// Forgotten.
    Gone,
}

/// A real server of one service, and its connections.
#[derive(Clone, Debug)]
pub struct Dest {
    /// Its settings.
    pub server: Server,
    /// The last weight that was not 0, or the first one (`last_weight`).
    pub last_weight: u32,
    /// Whether it gets nothing because it has too many connections (`IP_VS_DEST_F_OVERLOAD`).
    pub overloaded: bool,
    /// Connections in an active state.
    pub active: u64,
    /// All other connections.
    pub inactive: u64,
    /// Templates.
    pub persistent: u64,
    /// What went through it.
    pub stats: Stats,
    pub(super) number: usize,
    /// Its service's key.
    pub key: Key,
    /// Its service's number.
    pub(super) service: u64,
    pub(super) place: Place,
}

impl Dest {
    /// Whether it is in its service's list.
    #[must_use]
    pub const fn is_available(&self) -> bool {
        matches!(self.place, Place::Listed)
    }

    /// Whether it was taken away and is remembered.
    pub(super) const fn is_in_trash(&self) -> bool {
        matches!(self.place, Place::Trash { .. })
    }

    /// Whether schedulers may pick it, if they look at that.
    pub(super) const fn is_usable(&self) -> bool {
        !self.overloaded && self.server.weight > 0
    }

    /// What its connections cost it (`ip_vs_dest_conn_overhead`): 256 for each active one, and one for
    /// each at all.
    pub(super) const fn overhead(&self) -> u128 {
        self.active as u128 * 256 + (self.active + self.inactive) as u128
    }

    /// Looks whether it has too many connections (`ip_vs_dest_update_overload`).
    pub(super) fn update_overload(&mut self) {
        let connections = self.active + self.inactive;
        let upper = u64::from(self.server.upper);
        let lower = match u64::from(self.server.lower) {
            0 => upper - upper / 4,
            lower => lower,
        };
        if upper == 0 {
            self.overloaded = false;
        } else if connections >= upper {
            self.overloaded = true;
        } else if connections < lower {
            self.overloaded = false;
        }
    }
}

impl Ipvs {
    /// Counts something for a server, its service and all, unless the server is gone
    /// (`ip_vs_in_stats`, `ip_vs_out_stats`).
    pub(super) fn count(&mut self, dest: usize, add: impl Fn(&mut Stats)) {
        let dest = &mut self.dests[dest];
        if !dest.is_available() {
            return;
        }
        add(&mut dest.stats);
        let mut services = self.services.iter_mut();
        if let Some(service) = services.find(|service| service.number == dest.service) {
            add(&mut service.stats);
        }
        add(&mut self.total);
    }
}
