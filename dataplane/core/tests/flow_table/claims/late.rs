//! Writers that are late: they have read a flow, and its line is another flow's when they write.

use std::sync::Arc;

use ferrovs_core::abi::endpoint::Endpoint;
use ferrovs_core::abi::flow::{HANDSHAKE, Handshake, WAY_BACK, WayBack};
use ferrovs_core::abi::reason::Reason;
use ferrovs_core::flow::open::Outcome;

use crate::audit::open;
use ferrovs_core::flow::tcp::Direction::{ToClient, ToServer};
use ferrovs_core::flow::way_back::learn;
use ferrovs_core::flow::{Flow, read, retire};
use ferrovs_core::tables::{Line, Tables};
use ferrovs_core::wire::Tcp;

use super::{Watched, explore, race};
use crate::audit::{audit, port_for, wish};
use crate::scene::{BEGIN, EXPIRED, ONE_SERVICE, packet, tables};
use crate::world::{NEXT_HOP, World};

/// A flow expires and its line is given to another, while somebody does this to it. Shown to
/// `afterwards`: the line's old flow, and the one it has now.
fn late(
    work: impl Fn(&World<Watched>, &Flow) + Copy + Send + Sync + 'static,
    afterwards: impl Fn(&World<Watched>, &Flow, &Flow) + Send + Sync + 'static,
) {
    explore(Some(4), move || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        let (old, new) = (port_for(&world, 1, 1, 0), port_for(&world, 1, 1, 1));
        assert_eq!(open(&&*world, &wish(old, 1, BEGIN)), Outcome::line(1));
        let old = read((&&*world).flow(1).unwrap(), 1).unwrap();
        let (opened, ()) = race(
            &world,
            move |world| open(&world, &wish(new, 1, EXPIRED)),
            move |world| work(world, &old),
        );
        match audit(&world).clean()[..] {
            [now] => afterwards(&world, &old, &now),
            // The one line was just being freed.
            _ => assert_eq!(opened, Outcome::refused(Reason::TableFull)),
        }
    });
}

#[test]
fn a_way_back_learned_late_is_not_the_next_flows() {
    let learn = |world: &World<Watched>, old: &Flow| {
        let client = Endpoint::unpack(old.words.client).address;
        let learned = WayBack(learn(&world, old.number, old.way_back.0, client));
        assert_eq!(learned.next_hop(), NEXT_HOP);
    };
    late(learn, |_, old, now| {
        assert_ne!(now.words.client, old.words.client);
        assert_eq!(now.way_back, WayBack::new(0, 3, now.control.generation()));
    });
}

#[test]
fn an_answer_noted_late_is_not_the_next_flows() {
    let answer = |world: &World<Watched>, old: &Flow| {
        packet(world, old, ToClient, Tcp::SYN | Tcp::ACK, 4711, BEGIN);
    };
    late(answer, |world, old, now| {
        assert_ne!(now.words.client, old.words.client);
        let line = world.flow(1).unwrap();
        let none = Handshake::none(now.control.generation());
        assert_eq!(line.load(HANDSHAKE), none.0);
        assert_eq!(line.load(WAY_BACK), now.way_back.0);
    });
}

#[test]
fn a_flow_ended_late_is_not_the_next_one() {
    let retire = |world: &World<Watched>, old: &Flow| {
        retire::retire(&world, old.number, old.control, EXPIRED);
    };
    // The audit says that nobody counted it down and that it lives; more is not asked of it.
    late(retire, |_, old, now| {
        assert_ne!(now.words.client, old.words.client);
    });
}

/// A client's acknowledgement is judged by the answer that its own server gave.
#[test]
fn protection_is_not_taken_from_another_flows_answer() {
    explore(None, || {
        let world: Arc<World<Watched>> = Arc::new(tables(ONE_SERVICE, &[1]));
        let (old, new) = (port_for(&world, 1, 1, 0), port_for(&world, 1, 1, 1));
        assert_eq!(open(&&*world, &wish(old, 1, BEGIN)), Outcome::line(1));
        let old = read((&&*world).flow(1).unwrap(), 1).unwrap();
        race(
            &world,
            move |world| {
                assert_eq!(open(&world, &wish(new, 1, EXPIRED)), Outcome::line(1));
                let flow = read(world.flow(1).unwrap(), 1).unwrap();
                packet(world, &flow, ToClient, Tcp::SYN | Tcp::ACK, 9, EXPIRED)
            },
            move |world| packet(world, &old, ToServer, Tcp::ACK, 9, BEGIN),
        );
        let flows = audit(&world).clean();
        assert_ne!(flows[0].words.client, old.words.client);
        assert!(!flows[0].control.is_protected());
    });
}
