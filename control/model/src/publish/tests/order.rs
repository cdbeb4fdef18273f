//! What a program finds between any two stores of a commit.

use std::cell::Cell;
use std::rc::Rc;

use ferrovs_core::abi::schedule;

use super::*;

/// The servers that flows of service `port` may get now; none if the filter does not lead to it.
fn scheduled(plane: &'static Plain, port: u16) -> Vec<u32> {
    let endpoint = Endpoint::new([169, 254, 179, 1], port);
    let entry = plane.look_up(virtual_key(endpoint, 6)).map(Entry);
    entry.map_or_else(Vec::new, |entry| {
        let schedule = plane.schedule_of(u32::from(entry.service()));
        let entries = (0..schedule.dests()).map(|at| rotation::word(&plane, schedule.entry(at)));
        entries.map(|entry| schedule::Entry(entry).dest()).collect()
    })
}

/// Every server that can be picked is there and its replies are recognised; if another service has
/// it too, the filter says so.
fn check(plane: &'static Plain, ports: &[u16]) {
    let mut endpoints = Vec::new();
    for &port in ports {
        for number in scheduled(plane, port) {
            let line = plane.dest(number).unwrap();
            assert_ne!(line.load(dest::MODE) & dest::FORWARDS, 0);
            endpoints.push(line.load(dest::ENDPOINT));
        }
    }
    for server in &endpoints {
        let entry = plane.look_up(real_key(Endpoint::unpack(*server), 6));
        let entry = Entry(entry.expect("the server's endpoint is in the filter"));
        let services = endpoints.iter().filter(|other| *other == server).count();
        assert!(services == 1 || entry.is_shared());
    }
}

/// Makes all the changes in one commit and checks after each of its stores.
fn change_watched(director: &mut Director, ports: &'static [u16], changes: &[Change]) {
    director.wanted.apply_all(changes).unwrap();
    let stores = Rc::new(Cell::new(0));
    let (plane, count) = (director.plane, Rc::clone(&stores));
    let checks = move || {
        check(plane, ports);
        count.set(count.get() + 1);
    };
    plain::watched(checks, || director.publish().unwrap());
    assert_ne!(stores.get(), 0);
}

#[test]
fn an_endpoint_is_shared_before_a_second_service_leads_to_it() {
    const PORTS: &[u16] = &[80, 81];
    let mut director = Director::with(&[141]);
    director.change(add(81));
    change_watched(&mut director, PORTS, &[join(81, 141)]);
    change_watched(&mut director, PORTS, &[join(80, 143), join(81, 143)]);
    assert!(director.real(143).unwrap().is_shared());
}

#[test]
fn a_new_service_is_reachable_after_its_servers() {
    const PORTS: &[u16] = &[80, 81, 82];
    let mut director = Director::with(&[141]);
    let new = [
        add(81),
        join(81, 141),
        join(81, 143),
        add(82),
        join(82, 143),
    ];
    change_watched(&mut director, PORTS, &new);
    assert!(director.real(143).unwrap().is_shared());
    assert_eq!(director.schedule(82, 1), [director.dest(82, 143)]);
    // And so many that the filter is laid out anew.
    let geometry = |director: &Director| {
        let line = director.plane.config(0).unwrap();
        line.load(config::FILTER)
    };
    let before = geometry(&director);
    let mut many: Vec<_> = (150..250).map(|host| join(80, host)).collect();
    many.extend([add(90), join(90, 141), join(90, 150)]);
    change_watched(&mut director, &[80, 81, 82, 90], &many);
    assert_ne!(geometry(&director), before);
}

#[test]
fn a_new_service_is_reachable_after_its_list() {
    let mut director = Director::with(&[141]);
    director
        .wanted
        .apply_all(&[add(81), join(81, 141)])
        .unwrap();
    let plane = director.plane;
    let has_servers = move || {
        let endpoint = Endpoint::new([169, 254, 179, 1], 81);
        if plane.look_up(virtual_key(endpoint, 6)).is_some() {
            assert!(!scheduled(plane, 81).is_empty());
        }
    };
    plain::watched(has_servers, || director.publish().unwrap());
    assert!(!scheduled(plane, 81).is_empty());
}

#[test]
fn a_server_that_comes_back_forwards_after_its_old_next_hop_is_gone() {
    let mut director = Director::with(&[141, 143]);
    let line = |number: u32| director.plane.dest(number).unwrap();
    let [stays, returns] = [141, 143].map(|host| line(director.dest(80, host)));
    stays.store(dest::NEXT_HOP, 9);
    returns.store(dest::NEXT_HOP, 9);
    director.change(leave(80, 143));
    director.wanted.apply(&join(80, 143)).unwrap();
    let no_old_way = move || {
        let forwards = returns.load(dest::MODE) & dest::FORWARDS != 0;
        assert!(!forwards || returns.load(dest::NEXT_HOP) == 0);
    };
    plain::watched(no_old_way, || director.publish().unwrap());
    assert_ne!(returns.load(dest::MODE) & dest::FORWARDS, 0);
    assert_eq!(stays.load(dest::NEXT_HOP), 9);
}

#[test]
fn a_removed_server_leaves_the_lists_before_its_line_says_so() {
    const PORTS: &[u16] = &[80, 81];
    let mut director = Director::with(&[141, 143]);
    director.change(add(81));
    director.change(join(81, 143));
    change_watched(&mut director, PORTS, &[leave(80, 143)]);
    change_watched(&mut director, PORTS, &[remove(81)]);
    change_watched(
        &mut director,
        PORTS,
        &[join(80, 143), add(81), join(81, 143)],
    );
}
