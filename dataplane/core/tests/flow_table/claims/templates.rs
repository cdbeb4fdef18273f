//! Templates that are made, renewed, given up, kept on and ended at once.

use std::sync::Arc;

use ferrovs_core::abi::dest::{COUNTS, Counts, FORWARDS, LEADS, MODE};
use ferrovs_core::abi::flow::{CONTROL, Control, HANDSHAKE, Handshake, KEPT};
use ferrovs_core::abi::{service, state};
use ferrovs_core::flow::open::{Outcome, Wish};
use ferrovs_core::flow::persist::{keep_on, kept, persist};
use ferrovs_core::flow::retire::retire;
use ferrovs_core::tables::{Line, Tables};

use super::{Watched, explore, race};
use crate::audit::{control, live, open, port_for, wish};
use crate::scene::{BEGIN, ONE_SERVICE, TIMEOUT, tables};
use crate::world::World;

/// Ticks that a template is kept, and that it is kept on for connections.
const FOR: u32 = 50;
const ON: u32 = 30;
/// When a template last used at [`BEGIN`] is due.
const DUE: u32 = BEGIN + FOR + 1;

/// One service that keeps its clients, with servers 1 and 2; these lines are to be had.
fn persistent(lines: &[u32]) -> Arc<World<Watched>> {
    let world = tables(ONE_SERVICE, lines);
    let service = (&&world).service(1).unwrap();
    service.store(service::KEPT, u64::from(FOR));
    service.store(service::MASK, u64::MAX);
    for server in [1, 2] {
        (&&world).dest(server).unwrap().store(MODE, FORWARDS);
    }
    Arc::new(world)
}

/// The wish of a client for this server, or for whom its template has.
fn with(server: u32, now: u32) -> Wish {
    Wish {
        dest: server,
        ..wish(2000, 1, now)
    }
}

/// The world with the client's template for server 1, last used at [`BEGIN`], and its line.
fn with_template(lines: &[u32]) -> (Arc<World<Watched>>, u32) {
    let world = persistent(lines);
    assert_eq!(persist(&&*world, &with(1, BEGIN)), Outcome::line(1));
    let line = live(&world)[0].number;
    (world, line)
}

/// Templates that each server counts, which must be those that there are, and that nothing else is counted.
fn counted(world: &World<Watched>) -> [u64; 2] {
    let all = live(world);
    [1, 2].map(|server| {
        let counts = world.counts(server).unwrap();
        let flows = |template: bool| {
            let its = all.iter().filter(|flow| flow.owner.dest() == server);
            its.filter(|flow| (flow.control.state() == state::TEMPLATE) == template)
                .count() as u64
        };
        assert_eq!(counts.load(LEADS), flows(true));
        let others = Counts(counts.load(COUNTS));
        let others = u64::from(others.active() + others.inactive());
        assert_eq!(others, flows(false));
        flows(true)
    })
}

/// Two connections of a new client, for which the scheduler has picked two servers.
#[test]
fn one_client_gets_one_template() {
    explore(Some(3), || {
        let world = persistent(&[1, 2, 9, 10]);
        let (one, other) = race(
            &world,
            |world| persist(&world, &with(1, BEGIN)),
            |world| persist(&world, &with(2, BEGIN)),
        );
        assert_eq!(one, other);
        let expected = if one.line == 1 { [1, 0] } else { [0, 1] };
        assert_eq!(counted(&world), expected);
    });
}

/// The daemon ends a template that is due while a client comes back.
#[test]
fn a_template_that_was_renewed_is_not_ended() {
    explore(None, || {
        let (world, line) = with_template(&[1, 2, 9, 10]);
        let seen = control(&*world, line);
        let (ended, kept) = race(
            &world,
            move |world| retire(&world, line, seen, DUE),
            |world| kept(&world, &with(0, DUE)),
        );
        assert_eq!((ended, kept), if ended { (true, 0) } else { (false, 1) });
        assert_eq!(counted(&world), [u64::from(!ended), 0]);
    });
}

/// The daemon keeps a template on while a client comes back: the later use counts.
#[test]
fn a_template_that_was_renewed_is_as_fresh_as_its_last_use() {
    explore(None, || {
        let (world, line) = with_template(&[1, 2, 9, 10]);
        let seen = control(&*world, line);
        let (_, kept) = race(
            &world,
            move |world| keep_on(world.flow(line).unwrap(), seen, BEGIN + FOR, [FOR, ON]),
            |world| kept(&world, &with(0, DUE)),
        );
        assert_eq!(kept, 1);
        assert_eq!(control(&*world, line).last_seen(), DUE);
        assert_eq!(counted(&world), [1, 0]);
    });
}

/// Two connections of a client whose server is gone: both get the same other one.
#[test]
fn a_template_without_a_server_is_replaced_once() {
    explore(Some(2), || {
        let (world, _) = with_template(&[1, 2, 3, 9, 10, 11]);
        (&&*world).dest(1).unwrap().store(MODE, 0);
        let again = |world: &World<Watched>| persist(&world, &with(2, BEGIN + 1));
        let (one, other) = race(&world, again, again);
        assert_eq!((one, other), (Outcome::line(2), Outcome::line(2)));
        // The old one stays until its time is over.
        assert_eq!(counted(&world), [1, 1]);
        assert_eq!(kept(&&*world, &with(0, BEGIN + 2)), 2);
    });
}

/// A template gives way to a flow that finds no other line, while the daemon keeps it on, as seen before: what the
/// flow has in the word where the template's time was, stays the flow's.
#[test]
fn a_flow_in_a_templates_line_is_not_kept_on() {
    explore(Some(3), || {
        let (world, line) = with_template(&[1]);
        let seen = control(&*world, line);
        let port = port_for(&world, 1, 1, 0);
        let (_, opened) = race(
            &world,
            move |world| keep_on(world.flow(line).unwrap(), seen, BEGIN + FOR, [FOR, ON]),
            |world| open(&world, &wish(port, 1, DUE + TIMEOUT)),
        );
        let words = (&&*world).flow(line).unwrap();
        let now = Control(words.load(CONTROL));
        if opened.line == line {
            assert_eq!(now.state(), state::SYN_RECV);
            let none = Handshake::none(now.generation());
            assert_eq!(words.load(HANDSHAKE), none.0);
            assert_eq!(counted(&world), [0, 0]);
        } else {
            assert_eq!(now.state(), state::TEMPLATE);
            assert_eq!(words.load(KEPT), u64::from(ON));
            assert_eq!(counted(&world), [1, 0]);
        }
    });
}

/// A template gives way to a flow while its client comes back: it is found or the flow is there, not both, and
/// the flow is not taken for it.
#[test]
fn a_flow_in_a_templates_line_is_not_renewed() {
    explore(Some(3), || {
        let (world, line) = with_template(&[1]);
        let port = port_for(&world, 1, 1, 0);
        let (opened, _) = race(
            &world,
            move |world| open(&world, &wish(port, 1, BEGIN + 1)),
            |world| kept(&world, &with(0, BEGIN + 9)),
        );
        let now = control(&*world, line);
        if opened.line == line {
            assert_eq!((now.state(), now.last_seen()), (state::SYN_RECV, BEGIN + 1));
            assert_eq!(counted(&world), [0, 0]);
        } else {
            assert_eq!((now.state(), now.last_seen()), (state::TEMPLATE, BEGIN + 9));
            assert_eq!(counted(&world), [1, 0]);
        }
    });
}
