//! Taking away what `ferrovs run` made, without a daemon.

use std::collections::BTreeSet;

use ferrovs_core::{
    abi::{MAX_DESTS, dest},
    tables::{Line, Tables},
};
use tracing::debug;

use crate::{
    Error, Maps, Result,
    hooks::detach_all,
    mark_way,
    net::{Query, Snapshot},
    next_hops::NextHops,
    tuning::{self, Tuning},
};

/// Has the kernel keep neighbours towards servers as it pleases again. Those that an administrator has
/// set for good stay so: to ask after them would undo that.
pub(crate) fn release_neighbours(maps: &Maps, query: &mut Query) {
    let network = match Snapshot::take(query) {
        Ok(network) => network,
        Err(error) => return debug!(%error, "cannot see which neighbours may be released"),
    };
    let hops = match NextHops::recover(maps) {
        Ok(hops) => hops,
        Err(error) => return debug!(%error, "cannot see which neighbours were kept"),
    };
    let mut towards_servers = BTreeSet::new();
    for number in 1..MAX_DESTS {
        let Some(line) = maps.dest(number) else {
            break;
        };
        towards_servers.insert(line.load(dest::NEXT_HOP) as u32);
    }
    for way in hops.ways(&towards_servers) {
        let key = (way.interface, way.neighbour);
        let neighbour = network.neighbours.get(&key);
        if neighbour.is_some_and(|neighbour| neighbour.permanent) {
            continue;
        }
        if let Err(error) = query.look_for(way.interface, way.neighbour) {
            debug!(%error, "cannot release a neighbour");
        }
    }
}

/// Takes away what `ferrovs run` made in this network namespace, without a daemon: programs, kept
/// neighbours, and what was changed about interfaces. The names of the interfaces that had programs.
///
/// # Errors
/// When a program stays.
pub fn take_down(maps: Option<&Maps>, tuning: &Tuning) -> Result<Vec<String>> {
    if let Some(maps) = maps {
        let mut query = Query::new().map_err(Error::system("cannot ask for neighbours"))?;
        release_neighbours(maps, &mut query);
    }
    let problem = "cannot take away the way of marked packets";
    let mut query = Query::new().map_err(Error::system(problem))?;
    mark_way::remove(&mut query).map_err(Error::system(problem))?;
    tuning::restore(tuning);
    detach_all()
}
