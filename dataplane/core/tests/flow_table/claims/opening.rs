//! Flows that are opened at once.

use std::sync::Arc;

use ferrovs_core::abi::flow::{CONTROL, Control, Phase};
use ferrovs_core::abi::reason::Reason;
use ferrovs_core::flow::open::Outcome;

use crate::audit::open;
use ferrovs_core::flow::read;
use ferrovs_core::flow::tcp::Direction::{ToClient, ToServer};
use ferrovs_core::tables::Tables;
use ferrovs_core::wire::Tcp;

use super::{Watched, explore, race};
use crate::audit::{audit, port_for, wish};
use crate::scene::{BEGIN, EXPIRED, ONE_SERVICE, packet, tables};
use crate::world::World;

/// A SYN, and its retransmission on another queue.
#[test]
fn one_flow_opened_twice_has_one_line() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1, 2]));
        let wish = wish(port_for(&world, 1, 1, 0), 1, BEGIN);
        let open = move |world: &World<Watched>| open(&world, &wish);
        let (one, other) = race(&world, open, open);
        assert_eq!((one, other), (Outcome::line(1), Outcome::line(1)));
        assert_eq!(audit(&world).clean().len(), 1);
    });
}

/// The same when the flow's home is full and it lives elsewhere.
#[test]
fn one_displaced_flow_opened_twice_has_one_line() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[9, 10]));
        let wish = wish(port_for(&world, 1, 1, 0), 1, BEGIN);
        let open = move |world: &World<Watched>| open(&world, &wish);
        let (one, other) = race(&world, open, open);
        assert_eq!(one, other);
        assert_eq!(audit(&world).clean().len(), 1);
    });
}

/// A flow away from its home and one at home are put into one bucket at once: both have their tags.
#[test]
fn two_flows_put_into_one_bucket_are_found() {
    explore(Some(3), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[9, 10]));
        let (away, home) = (port_for(&world, 1, 1, 0), port_for(&world, 11, 1, 0));
        race(
            &world,
            move |world| assert_ne!(open(&world, &wish(away, 1, BEGIN)).line, 0),
            move |world| assert_ne!(open(&world, &wish(home, 1, BEGIN)).line, 0),
        );
        assert_eq!(audit(&world).clean().len(), 2);
    });
}

/// Two flows of different buckets want the last vacant line.
#[test]
fn the_last_line_goes_to_one_flow() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[9]));
        let (away, home) = (port_for(&world, 1, 1, 0), port_for(&world, 9, 1, 0));
        let (one, other) = race(
            &world,
            move |world| open(&world, &wish(away, 1, BEGIN)),
            move |world| open(&world, &wish(home, 1, BEGIN)),
        );
        let winners = [one, other]
            .into_iter()
            .filter(|it| *it == Outcome::line(9));
        let flows = audit(&world).clean();
        assert_eq!(flows.len(), 1);
        // The flow at home may evict the other.
        match winners.count() {
            1 => assert!([one, other].contains(&Outcome::refused(Reason::TableFull))),
            winners => assert_eq!(
                (winners, flows[0].words.client),
                (2, wish(home, 1, 0).client)
            ),
        }
    });
}

/// Two flows of different buckets want the line of a flow that has expired.
#[test]
fn an_expired_line_goes_to_one_flow_and_is_counted_down_once() {
    explore(Some(3), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[9]));
        let (away, home) = (port_for(&world, 1, 1, 0), port_for(&world, 9, 1, 0));
        let old = port_for(&world, 9, 1, 1);
        assert_eq!(open(&&*world, &wish(old, 1, BEGIN)), Outcome::line(9));
        race(
            &world,
            move |world| open(&world, &wish(away, 1, EXPIRED)),
            move |world| open(&world, &wish(home, 1, EXPIRED)),
        );
        let flows = audit(&world).clean();
        assert_eq!(flows.len(), 1);
        assert_ne!(flows[0].words.client, wish(old, 1, 0).client);
    });
}

/// Two flows of one bucket want the same half-open flow's line.
#[test]
fn an_evicted_line_holds_one_flow() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        let ports = [0, 1, 2].map(|nth| port_for(&world, 1, 1, nth));
        assert_eq!(open(&&*world, &wish(ports[0], 1, BEGIN)), Outcome::line(1));
        let (one, other) = race(
            &world,
            move |world| open(&world, &wish(ports[1], 1, BEGIN + 1)),
            move |world| open(&world, &wish(ports[2], 1, BEGIN + 1)),
        );
        assert_eq!((one, other), (Outcome::line(1), Outcome::line(1)));
        let flows = audit(&world).clean();
        assert_eq!(flows.len(), 1);
        assert_ne!(flows[0].words.client, wish(ports[0], 1, 0).client);
    });
}

/// A half-open flow becomes protected while another wants its line.
#[test]
fn a_protected_flow_is_not_evicted() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        let (old, new) = (port_for(&world, 1, 1, 0), port_for(&world, 1, 1, 1));
        assert_eq!(open(&&*world, &wish(old, 1, BEGIN)), Outcome::line(1));
        let flow = read((&&*world).flow(1).unwrap(), 1).unwrap();
        assert!(packet(
            &*world,
            &flow,
            ToClient,
            Tcp::SYN | Tcp::ACK,
            7,
            BEGIN
        ));
        let (opened, lives) = race(
            &world,
            move |world| open(&world, &wish(new, 1, BEGIN)),
            move |world| packet(world, &flow, ToServer, Tcp::ACK, 7, BEGIN),
        );
        let flows = audit(&world).clean();
        assert_eq!(flows.len(), 1);
        if lives {
            assert_eq!(opened, Outcome::refused(Reason::TableFull));
            assert!(flows[0].control.is_protected());
            assert_eq!(flows[0].words.client, flow.words.client);
        } else {
            assert_eq!(opened, Outcome::line(1));
        }
    });
}

/// A packet reads the line of its flow, which has expired, while the line becomes another flow's.
#[test]
fn a_reader_gets_one_flow_whole_or_nothing() {
    explore(Some(4), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        let (old, new) = (port_for(&world, 1, 1, 0), port_for(&world, 1, 1, 1));
        assert_eq!(open(&&*world, &wish(old, 1, BEGIN)), Outcome::line(1));
        let before = read((&&*world).flow(1).unwrap(), 1).unwrap();
        let (opened, seen) = race(
            &world,
            move |world| open(&world, &wish(new, 1, EXPIRED)),
            |world| read(world.flow(1).unwrap(), 1),
        );
        assert_eq!(opened, Outcome::line(1));
        let flows = audit(&world).clean();
        assert_ne!(
            flows[0].words.dest, before.words.dest,
            "another server, so that all words differ"
        );
        if let Some(seen) = seen {
            assert!(seen == before || seen == flows[0], "half of each: {seen:?}");
        }
    });
}

/// A line given up by a daemon that died is taken back by one of two.
#[test]
fn an_abandoned_line_goes_to_one_flow() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        world.set(1, CONTROL, Control::new(Phase::Claimed, 0, 5, 0).0);
        let new = port_for(&world, 1, 1, 0);
        let (opened, swept) = race(
            &world,
            move |world| open(&world, &wish(new, 1, BEGIN)),
            |world| crate::scene::sweep_all(world, BEGIN),
        );
        let flows = audit(&world).clean();
        match opened.line {
            1 => assert_eq!(flows.len(), 1),
            _ => assert_eq!((swept.recovered, flows.len()), (1, 0)),
        }
    });
}
