//! The mapped tables as the publisher sees them.

use std::{collections::BTreeMap, net::Ipv6Addr, ops::Range};

use ferrovs_core::{
    abi::{ipv6::EndpointKey, locality::LocalityKey, slab::Table},
    tables::Tables,
};
use ferrovs_kernel::Maps;
use ferrovs_model::publish::{Figures, Localities, Plane};
use tracing::error;

/// The tables of the running data plane.
pub(super) struct Live<'a>(pub(super) &'a Maps);

impl<'a> Plane for Live<'a> {
    type Tables = &'a Maps;

    fn tables(&self) -> &&'a Maps {
        &self.0
    }

    fn figures(&self, dest: u32) -> Figures {
        Figures::of((&self.0).counts(dest), self.0.traffic_of(dest))
    }

    fn endpoints(&self) -> BTreeMap<EndpointKey, u64> {
        self.0.endpoints().unwrap_or_else(|error| {
            error!("cannot read the IPv6 endpoints: {error}");
            BTreeMap::new()
        })
    }

    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) -> bool {
        let done = self.0.set_endpoint(key, value);
        if let Err(error) = &done {
            let address = Ipv6Addr::from(key.address().octets());
            error!("cannot write the IPv6 endpoint of {address}: {error}");
        }
        done.is_ok()
    }

    fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        let grown = self.0.grow(table, lines);
        if let Err(error) = &grown {
            error!("cannot make a table larger: {error}");
        }
        grown.is_ok()
    }

    fn filter_lines(&self) -> u32 {
        Table::Filter.most()
    }

    fn localities(&self) -> Localities {
        self.0.localities().unwrap_or_else(|error| {
            error!("cannot read what lblc and lblcr remember: {error}");
            Localities::new()
        })
    }

    fn forget_locality(&self, key: LocalityKey) {
        if let Err(error) = self.0.forget_locality(key) {
            error!("cannot forget what lblc or lblcr remembers: {error}");
        }
    }

    fn quiesce(&self) {
        self.0.quiesce();
    }
}
