//! Many commands that change one service at the same time.

use std::{collections::BTreeSet, thread};

use ferrovs_lab::{Daemon, Hook, Options, Topology};
use ferrovs_tests::{ferrovs, need_root};

use crate::run;

#[test]
fn no_update_is_lost_when_many_add_servers_at_once() {
    need_root();
    let network = Topology::build(Options::default()).unwrap();
    let log = network.directory().join("daemon.log");
    let director = &network.director;
    let _daemon = Daemon::start(director, ferrovs(), Hook::Tc, &[], &log).unwrap();
    run(director, "-A -t 169.254.179.1:80 -s rr");
    let servers: BTreeSet<_> = (101..=120).map(|n| format!("192.168.2.{n}:80")).collect();
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(move || run(director, &format!("-a -t 169.254.179.1:80 -r {server} -m")));
        }
    });
    assert_eq!(listed(&run(director, "-L -n")), servers);
    // And the other way round.
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(move || run(director, &format!("-d -t 169.254.179.1:80 -r {server}")));
        }
    });
    assert_eq!(listed(&run(director, "-L -n")), BTreeSet::new());
}

/// The real servers of a listing, each of which is there once.
fn listed(listing: &str) -> BTreeSet<String> {
    let lines = listing.lines().filter(|line| line.contains("Masq"));
    let mut servers = BTreeSet::new();
    for line in lines {
        let server = line.split_whitespace().nth(1).unwrap();
        assert!(servers.insert(server.to_owned()), "twice: {listing}");
    }
    servers
}
