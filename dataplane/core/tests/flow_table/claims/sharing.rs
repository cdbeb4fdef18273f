//! Services that share a server's socket: replies must lead to one flow only.

use std::sync::Arc;

use crate::audit::open;
use ferrovs_core::abi::endpoint::Endpoint;
use ferrovs_core::abi::flow::{OWNER, Owner};
use ferrovs_core::abi::pointer::{Pointer, PointerKey};
use ferrovs_core::flow::read;
use ferrovs_core::tables::Tables;

use super::{Watched, explore, race};
use crate::audit::{audit, control, home, wish};
use crate::scene::{BEGIN, EXPIRED, SHARED_SERVER, sweep_all, tables};
use crate::world::{World, client, server};

/// Two services, of which each has a line in another bucket for this client's port: so nothing but the
/// pointers keeps the two apart.
fn two_services() -> (Arc<World<Watched>>, u16) {
    let world: World<Watched> = tables(SHARED_SERVER, &[1, 2, 9, 10]);
    let bucket = |port, service| home(&world, client(port), service).bucket;
    let port = (1024..).find(|&port| bucket(port, 1) == 0 && bucket(port, 2) == 1);
    (Arc::new(world), port.unwrap())
}

fn both_are_found(world: &World<Watched>, port: u16) {
    let flows = audit(world).clean();
    assert_eq!(flows.len(), 2);
    let own = flows
        .iter()
        .filter(|flow| flow.words.local == client(port))
        .count();
    let addresses = flows.iter().filter(|flow| {
        Endpoint::unpack(flow.words.local).address == Endpoint::unpack(flow.words.client).address
    });
    assert_eq!((own, addresses.count()), (1, 2), "one has another port");
}

/// The same client's endpoint opens both services at once.
#[test]
fn replies_of_two_flows_are_told_apart() {
    explore(None, || {
        let (world, port) = two_services();
        let (one, other) = race(
            &world,
            move |world| open(&world, &wish(port, 1, BEGIN)),
            move |world| open(&world, &wish(port, 2, BEGIN)),
        );
        assert!(one.line != 0 && other.line != 0, "{one:?} {other:?}");
        both_are_found(&world, port);
    });
}

/// The same, and both find the pointer of a flow that is long gone.
#[test]
fn a_leftover_pointer_goes_to_one_of_two() {
    explore(None, || {
        let (world, port) = two_services();
        let key = PointerKey([server(141).pack(0), client(port)]);
        let gone = Pointer::new(2, control(&*world, 2).generation().wrapping_sub(1));
        assert!((&&*world).pointer_insert(&key, gone));
        let (one, other) = race(
            &world,
            move |world| open(&world, &wish(port, 1, BEGIN)),
            move |world| open(&world, &wish(port, 2, BEGIN)),
        );
        assert!(one.line != 0 && other.line != 0, "{one:?} {other:?}");
        both_are_found(&world, port);
    });
}

/// The daemon ends the flow of one service while the client opens the other.
#[test]
fn a_reply_given_up_does_not_take_the_next_ones_pointer() {
    explore(Some(4), || {
        let (world, port) = two_services();
        let old = open(&&*world, &wish(port, 1, BEGIN)).line;
        assert_ne!(old, 0);
        let (swept, opened) = race(
            &world,
            |world| sweep_all(world, EXPIRED),
            move |world| open(&world, &wish(port, 2, EXPIRED)),
        );
        assert_eq!(swept.ended, 1);
        assert_ne!(opened.line, 0);
        assert_eq!(audit(&world).clean().len(), 1);
    });
}

/// A flow that is older than the sharing has no pointer; a flow of the newer service minds it.
#[test]
fn a_flow_older_than_the_sharing_keeps_its_replies() {
    explore(None, || {
        let (world, port) = two_services();
        let line = open(&&*world, &wish(port, 1, BEGIN)).line;
        let flow = read((&&*world).flow(line).unwrap(), line).unwrap();
        (&&*world).pointer_remove(&PointerKey([flow.words.dest, flow.words.local]));
        world.set(line, OWNER, flow.owner.0 & !Owner::SERVER_POINTER);
        let retransmitted = move |world: &World<Watched>| open(&world, &wish(port, 1, BEGIN));
        let (again, other) = race(&world, retransmitted, move |world| {
            open(&world, &wish(port, 2, BEGIN))
        });
        assert_eq!(again.line, line);
        assert_ne!(other.line, 0);
        both_are_found(&world, port);
    });
}
