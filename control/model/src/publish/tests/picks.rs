//! Who gets which flow, by schedulers that remember rounds or hash clients. All sequences were recorded from
//! the kernel's IPVS (Linux 6.12).

use super::*;
use crate::SchedulerFlags;

/// Service 80 with this scheduler.
fn scheduled(scheduler: &str, flags: SchedulerFlags) -> Director {
    let mut director = Director::new();
    director.change(Change::AddService {
        service: service(80),
        settings: ServiceSettings {
            scheduler_flags: flags,
            ..ServiceSettings::new(scheduler)
        },
    });
    director
}

/// Servers 141, 143, ... with these weights, added in this order.
fn join_all(director: &mut Director, weights: &[u32]) {
    for (host, &weight) in [141, 143, 145, 147].into_iter().zip(weights) {
        director.change(Change::AddDestination {
            service: service(80),
            destination: dest(host, weight),
        });
    }
}

impl Director {
    /// The servers of flows from addresses 60 to 83; 0: refused.
    fn for_clients(&self) -> String {
        let clients = (60..84).map(|host| self.host_for([169, 254, 179, host], 40_000));
        spelled(clients)
    }

    /// The servers of flows from ports 40,000 to 40,023 of address 60.
    fn for_ports(&self) -> String {
        let ports = (40_000..40_024).map(|port| self.host_for([169, 254, 179, 60], port));
        spelled(ports)
    }
}

fn spelled(hosts: impl Iterator<Item = u8>) -> String {
    let words: Vec<String> = hosts.map(|host| host.to_string()).collect();
    words.join(" ")
}

const NONE: SchedulerFlags = SchedulerFlags::NONE;

#[test]
fn weighted_round_robin_goes_by_the_weights() {
    for (weights, expected) in [
        (&[1, 1][..], "143 141 143 141 143 141 143 141"),
        (&[3, 1], "143 141 141 141 143 141 141 141"),
        (&[1, 0], "141 141 141 141 141 141 141 141"),
        (&[5, 2, 1], "145 143 141 141 141 141 143 141"),
        (&[2, 2, 2, 2], "147 145 143 141 147 145 143 141"),
    ] {
        let mut director = scheduled("wrr", NONE);
        join_all(&mut director, weights);
        for _ in 0..3 {
            assert_eq!(
                spelled(director.hosts(8).into_iter()),
                expected,
                "{weights:?}"
            );
        }
    }
}

#[test]
fn source_hashing_keeps_a_client_with_its_server() {
    for (weights, expected) in [
        (
            &[1, 1][..],
            "143 143 141 141 141 141 141 143 143 143 143 141 141 141 141 141 143 143 143 143 141 141 141 141",
        ),
        (
            &[3, 1],
            "141 143 141 141 141 141 141 141 143 141 143 141 141 141 141 141 141 143 141 143 141 141 141 141",
        ),
        (
            &[1, 1, 1, 1],
            "143 147 145 141 145 141 145 143 147 143 147 145 141 145 141 145 143 147 143 147 145 141 145 141",
        ),
    ] {
        let mut director = scheduled("sh", NONE);
        join_all(&mut director, weights);
        assert_eq!(director.for_clients(), expected);
    }
    let mut director = scheduled("sh", SchedulerFlags::PORT);
    join_all(&mut director, &[1, 1, 1, 1]);
    let expected = "143 147 145 141 145 141 147 143 147 143 147 145 141 145 141 145 143 147 143 147 145 141 145 141";
    assert_eq!(director.for_ports(), expected);
}

#[test]
fn maglev_hashing_keeps_a_client_with_its_server() {
    for (weights, expected) in [
        (
            &[1, 1][..],
            "141 141 143 143 143 143 143 141 143 141 141 141 141 143 143 143 141 143 143 143 141 141 143 143",
        ),
        (
            &[3, 1],
            "141 141 143 143 143 143 141 141 141 141 141 141 141 143 143 141 141 143 141 141 141 141 143 143",
        ),
        (
            &[1, 1, 1, 1],
            "141 141 143 143 147 145 145 141 145 147 141 141 147 143 143 145 141 143 147 147 141 141 145 143",
        ),
    ] {
        let mut director = scheduled("mh", NONE);
        join_all(&mut director, weights);
        assert_eq!(director.for_clients(), expected);
    }
    let mut director = scheduled("mh", SchedulerFlags::PORT);
    join_all(&mut director, &[1, 1, 1, 1]);
    let expected = "141 141 141 147 147 147 147 147 143 145 145 141 147 141 141 145 145 141 145 147 143 147 141 145";
    assert_eq!(director.for_ports(), expected);
}

#[test]
fn destination_hashing_goes_by_the_virtual_address() {
    let mut director = scheduled("dh", NONE);
    join_all(&mut director, &[3, 1]);
    assert_eq!(director.host_for([169, 254, 179, 60], 1), 141);
    join_all(&mut director, &[]);
    let mut director = scheduled("dh", NONE);
    join_all(&mut director, &[1, 1, 1, 1]);
    assert_eq!(director.host_for([169, 254, 179, 60], 1), 145);
}

/// 143 gets weight 0, goes, comes back, gets weight 3.
const LIFE: [fn() -> Change; 4] = [
    || weigh(80, 143, 0),
    || leave(80, 143),
    || join(80, 143),
    || weigh(80, 143, 3),
];

#[test]
fn a_server_that_rests_keeps_its_buckets_of_source_hashing() {
    let mut director = scheduled("sh", NONE);
    join_all(&mut director, &[1, 1, 1]);
    let expected = [
        "143 145 143 141 143 141 143 141 145 141 145 143 145 143 145 141 141 143 141 143 141 145 141 145",
        "0 145 0 141 0 141 0 141 145 141 145 0 145 0 145 141 141 0 141 0 141 145 141 145",
        "145 145 141 141 141 141 141 145 145 145 145 141 141 141 141 141 145 145 145 145 141 141 141 141",
        "145 143 145 141 145 141 145 141 143 141 143 145 143 145 143 141 141 145 141 145 141 143 141 143",
        "145 143 145 143 145 143 145 143 143 143 143 141 143 141 143 143 143 141 143 141 143 145 143 145",
    ];
    assert_eq!(director.for_clients(), expected[0]);
    for (change, expected) in LIFE.into_iter().zip(&expected[1..]) {
        director.change(change());
        assert_eq!(director.for_clients(), *expected);
    }
}

#[test]
fn a_server_that_rests_keeps_its_buckets_of_maglev_hashing() {
    let mut director = scheduled("mh", NONE);
    join_all(&mut director, &[1, 1, 1]);
    let expected = [
        "141 141 143 143 143 145 145 141 145 141 141 141 141 143 143 145 141 143 145 143 141 141 145 143",
        "141 141 0 0 0 145 145 141 145 141 141 141 141 0 0 145 141 0 145 0 141 141 145 0",
        "141 141 145 145 145 145 145 141 145 141 141 141 141 145 145 145 141 145 145 141 141 141 145 141",
        "141 141 143 143 143 145 145 141 145 141 141 141 141 143 143 145 141 143 145 143 141 141 145 143",
        "141 143 143 143 143 145 143 143 145 141 143 143 141 143 143 143 141 143 143 143 141 143 143 143",
    ];
    assert_eq!(director.for_clients(), expected[0]);
    for (change, expected) in LIFE.into_iter().zip(&expected[1..]) {
        director.change(change());
        assert_eq!(director.for_clients(), *expected);
    }
}

#[test]
fn a_fallback_refuses_nobody_while_there_is_a_server() {
    for scheduler in ["sh", "mh"] {
        let mut director = scheduled(scheduler, SchedulerFlags::FALLBACK);
        join_all(&mut director, &[1, 1, 1]);
        let before = director.for_clients();
        director.change(weigh(80, 143, 0));
        let after = director.for_clients();
        for (before, after) in before.split(' ').zip(after.split(' ')) {
            match before {
                "143" => assert!(["141", "145"].contains(&after), "{after}"),
                _ => assert_eq!(before, after),
            }
        }
        director.change(weigh(80, 141, 0));
        director.change(weigh(80, 145, 0));
        assert_eq!(director.host_for([10, 0, 0, 1], 1), 0);
    }
}

#[test]
fn destination_hashing_knows_no_fallback() {
    let mut director = scheduled("dh", SchedulerFlags::FALLBACK);
    join_all(&mut director, &[1, 1]);
    let host = director.host_for([10, 0, 0, 1], 1);
    director.change(weigh(80, host, 0));
    assert_eq!(director.host_for([10, 0, 0, 1], 1), 0);
}

#[test]
fn two_choices_take_the_server_with_less_to_do() {
    let mut director = scheduled("twos", NONE);
    join_all(&mut director, &[1, 3, 0]);
    director.set_flows(director.dest(80, 141), 1000);
    // 141 is only taken if it is drawn twice: with a chance of one in sixteen.
    let hosts = director.hosts(1600);
    let of_141 = hosts.iter().filter(|&&host| host == 141).count();
    assert!((50..200).contains(&of_141), "{of_141}");
    assert!(!hosts.contains(&145));
}

#[test]
fn a_service_without_servers_takes_nothing_from_another() {
    for scheduler in ["rr", "wrr", "sh", "dh", "mh", "twos"] {
        let mut director = Director::with(&[141, 143, 145]);
        assert_eq!(director.hosts(1), [145]);
        director.change(Change::AddService {
            service: service(81),
            settings: ServiceSettings::new(scheduler),
        });
        assert_eq!(director.hosts(3), [143, 141, 145], "{scheduler}");
    }
}
