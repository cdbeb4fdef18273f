//! Small changes: an amendment makes the new state of the old one, and a plan that looks at nothing but
//! what was edited is the plan that looks at everything.

use super::*;
use crate::Amendment;

/// Whether there is an amendment; if so, it is also read back and made.
fn amends(director: &mut Director, change: Change) -> bool {
    let (mut wanted, mut ledger) = (director.wanted.clone(), director.publisher.ledger().clone());
    director.change(change);
    let new = (&director.wanted, director.publisher.ledger());
    let Some(amendment) = Amendment::between((&wanted, new.0), (&ledger, new.1)) else {
        return false;
    };
    let text = serde_json::to_string(&amendment).unwrap();
    let amendment: Amendment = serde_json::from_str(&text).unwrap();
    amendment.amend(&mut wanted, &mut ledger);
    assert_eq!((&wanted, &ledger), new);
    true
}

#[test]
fn what_happens_every_day_is_amended() {
    let mut director = Director::with(&[1, 2, 3]);
    director.change(add(81));
    assert!(amends(&mut director, weigh(80, 2, 0)));
    assert!(amends(&mut director, weigh(80, 2, 5)));
    assert!(amends(&mut director, join(80, 4)));
    assert!(amends(&mut director, leave(80, 1)));
    assert!(amends(&mut director, join(80, 1)));
    assert!(!amends(&mut director, add(82)));
    assert!(!amends(&mut director, remove(81)));
    let timeouts = Change::SetTimeouts {
        tcp: Some(7),
        tcp_fin: None,
        udp: None,
    };
    assert!(!amends(&mut director, timeouts));
    let sysctl = Change::SetSysctl {
        name: Sysctl::SloppyTcp,
        value: 1,
    };
    assert!(!amends(&mut director, sysctl));
}

#[test]
fn a_change_is_planned_as_everything_would_be() {
    let mut director = Director::with(&[1, 2, 3]);
    director.change(add(81));
    director.change(join(81, 1));
    for change in [
        weigh(80, 2, 0),
        weigh(80, 2, 3),
        join(80, 4),
        weigh(80, 1, 0),
        add(82),
        join(82, 2),
        leave(80, 3),
        weigh(80, 1, 1),
        remove(81),
        join(80, 3),
        add(81),
    ] {
        let picked = director.schedule(80, 2);
        director.wanted.apply(&change).unwrap();
        let plan = |director: &mut Director| {
            let plan = director.publisher.plan(&director.plane, &director.wanted);
            let plan = plan.unwrap();
            let lists: Vec<_> = plan.lists.iter().map(|list| list.words.clone()).collect();
            (lists, plan.ledger)
        };
        assert!(director.publisher.settled.is_some());
        let edit = plan(&mut director);
        director.publisher.settled = None;
        assert_eq!(edit, plan(&mut director), "after {picked:?}");
        director.publish().unwrap();
    }
}
