//! Lines that lead replies to datagrams back, where each datagram is scheduled for itself.

use std::collections::HashSet;
use std::sync::Arc;

use ferrovs_core::abi::dest::{COUNTS, Counts, LEADS, Leads};
use ferrovs_core::abi::state;
use ferrovs_core::flow::Flow;
use ferrovs_core::flow::one_packet::pair;
use ferrovs_core::flow::open::{Outcome, Wish, open};
use ferrovs_core::flow::retire::retire;
use ferrovs_core::tables::{Line, Tables};

use super::{Watched, explore, race};
use crate::audit::{by_server, control, live, wish};
use crate::scene::{BEGIN, EXPIRED, ONE_SERVICE, tables};
use crate::world::World;

/// A datagram of the client that is for this server.
fn datagram(server: u32, now: u32) -> Wish {
    Wish {
        dest: server,
        state: state::ONE_PACKET,
        ..wish(2000, 1, now)
    }
}

/// A flow of the same client to this server.
fn flow(server: u32, now: u32) -> Wish {
    Wish {
        state: state::UDP,
        ..datagram(server, now)
    }
}

/// Lines for replies and flows that each server counts, which must be those that there are. Each is found by the
/// server's packets, and no two look alike to it.
fn counted(world: &World<Watched>) -> [(usize, usize); 2] {
    let all = live(world);
    let mut seen = HashSet::new();
    for flow in &all {
        assert!(seen.insert([flow.words.dest, flow.words.local]), "{flow:?}");
        let found = by_server(world, flow.words.dest, flow.words.local);
        assert_eq!(found, Some(*flow));
    }
    [1, 2].map(|server| {
        let its = all.iter().filter(|flow| flow.owner.dest() == server);
        let (replies, flows): (Vec<&Flow>, Vec<&Flow>) =
            its.partition(|flow| flow.control.state() == state::ONE_PACKET);
        let counts = world.counts(server).unwrap();
        assert_eq!(Leads(counts.load(LEADS)).replies() as usize, replies.len());
        let all = Counts(counts.load(COUNTS));
        assert_eq!((all.active() + all.inactive()) as usize, flows.len());
        (replies.len(), flows.len())
    })
}

/// Two datagrams of one socket on two queues, for one server.
#[test]
fn datagrams_for_one_server_share_a_line() {
    explore(Some(3), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1, 2, 9, 10]));
        let (one, other) = race(
            &world,
            |world| open(&world, &datagram(1, BEGIN)),
            |world| open(&world, &datagram(1, BEGIN)),
        );
        assert_eq!(one, other);
        assert_eq!(counted(&world), [(1, 0), (0, 0)]);
    });
}

/// The same, for two servers.
#[test]
fn datagrams_for_two_servers_have_a_line_each() {
    explore(Some(3), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1, 2, 9, 10]));
        let (one, other) = race(
            &world,
            |world| open(&world, &datagram(1, BEGIN)),
            |world| open(&world, &datagram(2, BEGIN)),
        );
        assert_eq!(counted(&world), [(1, 0), (1, 0)]);
        let Wish {
            client, virtual_, ..
        } = datagram(1, BEGIN);
        let lines = [1, 2].map(|server| pair(&&*world, client, virtual_, server));
        assert_eq!([one, other], lines.map(Outcome::line));
    });
}

/// The daemon ends a line that is due while another datagram comes for its server.
#[test]
fn a_line_is_ended_or_used_again() {
    explore(Some(3), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1, 2, 9, 10]));
        let line = open(&&*world, &datagram(1, BEGIN)).line;
        let seen = control(&*world, line);
        race(
            &world,
            move |world| retire(&world, line, seen, EXPIRED),
            |world| open(&world, &datagram(1, EXPIRED)),
        );
        let [(replies, flows), nothing] = counted(&world);
        assert!(replies <= 1, "{replies}");
        assert_eq!((flows, nothing), (0, (0, 0)));
    });
}

/// The service is edited, and the client's next datagram opens a flow to the server, while the line that led to
/// it is ended to make room for others. To the server both are from the client's own port.
#[test]
fn a_flow_takes_the_place_of_a_line() {
    explore(Some(3), || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1, 2, 9, 10]));
        let line = open(&&*world, &datagram(1, BEGIN)).line;
        let local = live(&world)[0].words.local;
        let seen = control(&*world, line);
        let (_, opened) = race(
            &world,
            move |world| retire(&world, line, seen, BEGIN + 1),
            |world| open(&world, &flow(1, BEGIN + 1)),
        );
        assert_ne!(opened.line, 0, "{opened:?}");
        assert_eq!(counted(&world), [(0, 1), (0, 0)]);
        assert_eq!(live(&world)[0].words.local, local);
    });
}
