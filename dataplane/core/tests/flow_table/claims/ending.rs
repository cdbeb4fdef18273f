//! Flows that end while something else happens to them.

use std::sync::Arc;

use ferrovs_core::abi::dest::{self, Counts};
use ferrovs_core::abi::flow::CONTROL;
use ferrovs_core::abi::state;
use ferrovs_core::flow::open::Outcome;

use crate::audit::open;
use ferrovs_core::flow::tcp::Direction::{ToClient, ToServer};
use ferrovs_core::flow::{Flow, is_expired, read, retire};
use ferrovs_core::tables::{Line, Tables};
use ferrovs_core::wire::Tcp;

use super::{Watched, explore, race};
use crate::audit::{audit, by_client, by_server, control, port_for, wish};
use crate::scene::{BEGIN, EXPIRED, ONE_SERVICE, SHARED_SERVER, packet, sweep_all, tables};
use crate::world::World;

/// One flow in line 1, last used at [`BEGIN`]; these lines are to be had.
fn with_one_flow(lines: &[u32]) -> (Arc<World<Watched>>, Flow) {
    let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, lines));
    let wish = wish(port_for(&world, 1, 1, 0), 1, BEGIN);
    assert_eq!(open(&&*world, &wish), Outcome::line(1));
    let flow = read((&&*world).flow(1).unwrap(), 1).unwrap();
    (world, flow)
}

/// The last packet within the timeout, while the sweeper finds that it is over.
#[test]
fn a_flow_that_was_used_is_not_swept() {
    explore(None, || {
        let (world, flow) = with_one_flow(&[1]);
        let (swept, used) = race(
            &world,
            |world| sweep_all(world, EXPIRED),
            move |world| match by_client(world, flow.words.client, flow.words.virtual_) {
                Some(flow) if !is_expired(&world, flow.control, EXPIRED - 1) => {
                    packet(world, &flow, ToServer, Tcp::ACK, 0, EXPIRED - 1)
                }
                _ => false,
            },
        );
        let flows = audit(&world).clean();
        assert_eq!(
            (swept.ended, used),
            if used { (0, true) } else { (1, false) }
        );
        assert_eq!(flows.len(), usize::from(used));
    });
}

/// The sweeper and a new flow both find an expired flow.
#[test]
fn a_flow_is_counted_down_by_one_of_two() {
    explore(None, || {
        let (world, flow) = with_one_flow(&[1]);
        let again = move |world: &World<Watched>| {
            retire::retire(&world, flow.number, flow.control, EXPIRED)
        };
        let (swept, retired) = race(&world, |world| sweep_all(world, EXPIRED), again);
        assert_eq!(swept.ended + u64::from(retired), 1);
        assert!(audit(&world).clean().is_empty());
        assert!(control(&*world, 1).is_free());
    });
}

/// A flow is ended by one CPU as soon as another has made it live.
#[test]
fn no_end_is_counted_before_the_beginning() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        let port = port_for(&world, 1, 1, 0);
        race(
            &world,
            move |world| open(&world, &wish(port, 1, BEGIN)),
            |world| {
                let Some(flow) = read(world.flow(1).unwrap(), 1) else {
                    return;
                };
                assert!(retire::retire(&world, 1, flow.control, BEGIN));
                let counts = world.counts(flow.owner.dest()).unwrap();
                assert_eq!(counts.load(dest::COUNTS), 0);
            },
        );
        assert!(audit(&world).clean().len() < 2);
    });
}

/// Client and server finish at once.
#[test]
fn two_changes_of_state_move_the_count_once() {
    explore(None, || {
        let (world, flow) = with_one_flow(&[1]);
        assert!(packet(&*world, &flow, ToServer, Tcp::ACK, 0, BEGIN));
        let line = (&&*world).flow(1).unwrap();
        let flow = read(line, 1).unwrap();
        assert_eq!(flow.control.state(), state::ESTABLISHED);
        race(
            &world,
            move |world| assert!(packet(world, &flow, ToServer, Tcp::FIN, 0, BEGIN)),
            move |world| assert!(packet(world, &flow, ToClient, Tcp::FIN, 0, BEGIN)),
        );
        let flows = audit(&world).clean();
        assert_eq!(flows[0].control.state(), state::TIME_WAIT);
        let counts = (&&*world).counts(flow.owner.dest()).unwrap();
        assert_eq!(counts.load(dest::COUNTS), Counts::INACTIVE);
    });
}

/// A flow changes its state while it is ended.
#[test]
fn a_change_of_state_at_the_end_leaves_no_count() {
    explore(None, || {
        let (world, flow) = with_one_flow(&[1]);
        let (swept, _) = race(
            &world,
            |world| sweep_all(world, EXPIRED),
            move |world| packet(world, &flow, ToServer, Tcp::FIN, 0, BEGIN),
        );
        assert_eq!(swept.ended, u64::from(audit(&world).clean().is_empty()));
        assert_eq!(sweep_all(&*world, EXPIRED + 1).ended, 1 - swept.ended);
        assert!(audit(&world).clean().is_empty());
    });
}

/// The client opens a connection anew, twice, whose flow is at its end (as the director does it).
#[test]
fn a_flow_reopened_twice_has_one_line() {
    explore(Some(2), || {
        let (world, old) = with_one_flow(&[1, 2]);
        assert!(packet(&*world, &old, ToServer, Tcp::FIN, 0, BEGIN));
        let reopen = move |world: &World<Watched>| {
            let found = by_client(world, old.words.client, old.words.virtual_);
            if let Some(flow) = found
                && flow.control.state() == state::TIME_WAIT
            {
                retire::retire(&world, flow.number, flow.control, BEGIN);
            }
            let port = ferrovs_core::abi::endpoint::Endpoint::unpack(old.words.client).host_port();
            open(&world, &wish(port, 1, BEGIN))
        };
        let (one, other) = race(&world, reopen, reopen);
        assert!(one == other && one.line != 0, "{one:?} {other:?}");
        let [new] = audit(&world).clean()[..] else {
            panic!("one flow");
        };
        assert_ne!(
            (new.number, new.control.generation()),
            (old.number, old.control.generation())
        );
    });
}

/// The sweeper ends a displaced flow, while its client opens the same connection again.
fn reopened_while_swept(preemptions: usize, lines: &'static [u32], shared: bool) {
    explore(Some(preemptions), move || {
        let services = if shared { SHARED_SERVER } else { ONE_SERVICE };
        let world: Arc<World<Watched>> = Arc::new(tables(services, lines));
        // All its lines are the other bucket's.
        let port = port_for(&world, 1, 1, 0);
        let old = open(&&*world, &wish(port, 1, BEGIN)).line;
        assert_ne!(old, 0);
        assert_eq!(audit(&world).clean().len(), 1);
        let (swept, opened) = race(
            &world,
            |world| sweep_all(world, EXPIRED),
            move |world| open(&world, &wish(port, 1, EXPIRED)),
        );
        // Only a key whose old flow is just being ended is refused, and only then.
        let flows = audit(&world).clean();
        assert_eq!(
            flows.len(),
            usize::from(opened.line != 0),
            "{opened:?} {swept:?}"
        );
        let again = open(&&*world, &wish(port, 1, EXPIRED));
        assert_ne!(again.line, 0, "{again:?}");
        let [flow] = audit(&world).clean()[..] else {
            panic!("one flow");
        };
        assert_eq!(
            by_client(&*world, flow.words.client, flow.words.virtual_),
            Some(flow)
        );
        assert_eq!(
            by_server(&*world, flow.words.dest, flow.words.local),
            Some(flow)
        );
        let later = EXPIRED + EXPIRED;
        assert_eq!(sweep_all(&*world, later).ended, 1);
        assert!(audit(&world).clean().is_empty());
        assert_eq!((&&*world).flow(old).unwrap().load(CONTROL) & 3, 0);
    });
}

#[test]
fn a_displaced_flow_reopened_while_swept_is_found_or_refused() {
    reopened_while_swept(2, &[9], false);
}

#[test]
fn a_displaced_flow_reopened_elsewhere_while_swept_is_found_or_refused() {
    reopened_while_swept(2, &[9, 10], false);
}

#[test]
fn a_displaced_flow_of_a_shared_server_reopened_while_swept_is_found() {
    reopened_while_swept(2, &[9, 10], true);
}
