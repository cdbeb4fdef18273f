//! Servers that know clients by addresses of the director.

use super::*;
use crate::Forwarding;

fn reach(host: u8, forwarding: Forwarding) -> Change {
    Change::EditDestination {
        service: service(80),
        destination: Destination {
            forwarding,
            ..dest(host, 1)
        },
    }
}

#[test]
fn replies_to_the_pool_are_looked_for_as_long_as_a_flow_may_have_it() {
    let mut director = Director::with(&[141, 143]);
    let pooled = |director: &Director, host| director.real(host).unwrap().has(Entry::POOLED);
    let bits = |director: &Director, host| {
        let line = director.plane.dest(director.dest(80, host)).unwrap();
        line.load(dest::MODE) & (dest::FULL | dest::FULL_IF_NEAR)
    };
    assert!(!pooled(&director, 141));
    assert_eq!(bits(&director, 141), 0);

    director.change(reach(141, Forwarding::FullNat));
    assert!(pooled(&director, 141) && !pooled(&director, 143));
    assert_eq!(bits(&director, 141), dest::FULL);

    director.change(reach(141, Forwarding::Auto));
    assert_eq!(bits(&director, 141), dest::FULL | dest::FULL_IF_NEAR);

    // Its flows go on, also under the next daemon.
    director.change(reach(141, Forwarding::Masq));
    director.restart();
    assert!(pooled(&director, 141));
    assert_eq!(bits(&director, 141), 0);

    // When it is forgotten, none is left.
    director.change(leave(80, 141));
    director.wait();
    director.change(join(80, 141));
    assert!(!pooled(&director, 141));
}
