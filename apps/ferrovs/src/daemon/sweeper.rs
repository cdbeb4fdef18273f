//! The sweeper: ends flows and templates whose time is over, and tells which next hops flows still use.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ferrovs_core::{
    abi::{MAX_DESTS, dest},
    flow::sweep,
    tables::Tables,
};
use ferrovs_kernel::{DataPlane, Maps};
use ferrovs_model::Templates;
use tracing::info;

use super::{network::Network, worker::Worker};

/// A round of the whole table begins this often.
const ROUND: Duration = Duration::from_millis(500);
/// Lines swept in one go, a few hundred microseconds.
const SLICE: u32 = 65_536;
/// Pause between two goes, so that packets are served in between.
const BREATH: Duration = Duration::from_millis(1);

/// Of the rounds during which no flow counts for any destination, one in so many walks the table all the
/// same: a line may wait to be taken back from a CPU that never finished it.
const EMPTY_ROUNDS: u64 = 20;

/// Of so many rounds, one forgets the Call-IDs of templates that are gone.
const CALL_ROUNDS: u64 = EMPTY_ROUNDS;

/// Starts it, in the network namespace of the caller.
pub(super) fn start(plane: Arc<DataPlane>, network: Network) -> anyhow::Result<Worker> {
    Worker::start("sweeper", move |stop| run(&plane, &network, stop))
}

/// Whether any line is of a destination, wanted or removed.
fn has_flows(tables: &Maps) -> bool {
    let mut counts = (1..MAX_DESTS).map_while(|number| (&tables).counts(number));
    counts.any(dest::is_used)
}

fn run(plane: &DataPlane, network: &Network, stop: &AtomicBool) {
    let tables = &plane.maps;
    let lines = tables.flow_lines();
    let mut round = 0;
    let mut templates = Templates::default();
    while !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        // Read before the templates are, so that no template is missed whose Call-ID is here.
        let noted = if round % CALL_ROUNDS == 0 {
            tables.calls().unwrap_or_default()
        } else {
            BTreeSet::new()
        };
        let mut next_hops = BTreeSet::new();
        let mut recovered = 0;
        let walked = if round % EMPTY_ROUNDS == 0 || has_flows(tables) {
            0..lines
        } else {
            0..0
        };
        for first in walked.step_by(SLICE as usize) {
            let slice = first..lines.min(first.saturating_add(SLICE));
            let mut last = 0;
            let swept = sweep::sweep(&tables, slice, tables.now(), |flow| {
                templates.see(&tables, flow, tables.now());
                let number = flow.way_back.next_hop();
                // Flows of one client often lie together in time, and sets are slow.
                if number != last {
                    next_hops.insert(number);
                    last = number;
                }
            });
            recovered += swept.recovered;
            thread::sleep(BREATH);
        }
        if recovered > 0 {
            info!(
                "{recovered} lines of the flow table were taken back from CPUs that never finished them"
            );
        }
        let calls = templates.end_of_round(&tables, tables.now());
        for &call in noted.difference(&calls) {
            // What stays is tried again.
            let _ = tables.forget_call(call);
        }
        next_hops.remove(&0);
        network.end_of_round(round, next_hops);
        round += 1;
        thread::sleep(ROUND.saturating_sub(begin.elapsed()));
    }
}
