//! The director's neighbours are forgotten and change under load, with a firewall that drops what it does
//! not know, with the daemon alive and dead.

use std::{
    io::Write,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{Hook, Mac, RealServer, http};

use crate::{
    load::{Amount, Load},
    stage::{Stage, sized},
};

/// Longer than the three seconds after which programs notice that the daemon has gone.
const UNNOTICED: Duration = Duration::from_secs(4);
/// Within this time a server that has another MAC address is reached again.
const FOUND_AGAIN: Duration = Duration::from_secs(5);
/// A connection repeats what was lost in ever longer intervals, so the next time is at most as far away as
/// the server was gone.
const REPEATED: Duration = FOUND_AGAIN;

/// What conntrack does not know is dropped: all of ferrovs's packets, if they came by.
const FIREWALL: &str = "
    table ip strict {
        chain input { type filter hook input priority 0; ct state invalid counter drop; }
        chain forward { type filter hook forward priority 0; ct state invalid counter drop; }
        chain output { type filter hook output priority 0; ct state invalid counter drop; }
    }
";

#[test]
fn no_connection_minds_forgotten_neighbours_with_tc() {
    forgotten(Hook::Tc);
}

#[test]
fn no_connection_minds_forgotten_neighbours_with_xdp() {
    forgotten(Hook::Xdp);
}

fn forgotten(hook: Hook) {
    let mut stage = Stage::serving(hook);
    raise_firewall(&stage);
    let load = Load::start(&stage, amount());
    let long = sized(Duration::from_secs(4), Duration::from_secs(30));
    flush_for(&stage, long);
    stage.kill_daemon();
    flush_for(&stage, UNNOTICED + long);
    stage.start_daemon();
    flush_for(&stage, Duration::from_secs(2));
    let outcome = load.finish(&stage);
    outcome.assert_whole(&stage);
}

fn amount() -> Amount {
    sized(
        Amount {
            rate: 100,
            held: 50,
        },
        Amount {
            rate: 200,
            held: 500,
        },
    )
}

/// Forgets the director's neighbours every second.
fn flush_for(stage: &Stage, time: Duration) {
    let mut flushed = 0;
    let end = Instant::now() + time;
    while Instant::now() < end {
        flushed += stage.topology.director.flush_neighbours().unwrap();
        thread::sleep(Duration::from_secs(1));
    }
    assert!(flushed > 0, "there was no neighbour to forget");
}

fn raise_firewall(stage: &Stage) {
    let nft = stage
        .topology
        .director
        .command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn();
    let mut nft = nft.expect("this test needs nft (Debian's package nftables)");
    let mut rules = nft.stdin.take().unwrap();
    rules.write_all(FIREWALL.as_bytes()).unwrap();
    drop(rules);
    assert!(nft.wait().unwrap().success());
}

#[test]
fn a_server_with_another_mac_address_is_found_again_with_tc() {
    other_mac(Hook::Tc);
}

#[test]
fn a_server_with_another_mac_address_is_found_again_with_xdp() {
    other_mac(Hook::Xdp);
}

fn other_mac(hook: Hook) {
    let mut stage = Stage::serving(hook);
    raise_firewall(&stage);
    let amount = Amount { rate: 50, held: 50 };
    let load = Load::start(&stage, amount);
    thread::sleep(Duration::from_secs(1));
    let alive = change_mac(&stage, &stage.topology.servers[1], 1);
    stage.kill_daemon();
    thread::sleep(UNNOTICED);
    let dead = change_mac(&stage, &stage.topology.servers[0], 2);
    // Just before the daemon comes back: it must believe the kernel, not its tables.
    let back = change_mac(&stage, &stage.topology.servers[1], 3);
    stage.start_daemon();
    thread::sleep(REPEATED);
    println!("{hook}: found again after {alive:?}, {dead:?} without a daemon, {back:?} again");
    load.finish(&stage).assert_whole(&stage);
}

/// Gives the server another MAC address; how long it takes until a new connection reaches it.
fn change_mac(stage: &Stage, server: &RealServer, number: u8) -> Duration {
    let link = server.namespace.link("eth0").unwrap();
    let mac = Mac([0x02, 0xfe, 0, 0, server.address.octets()[3], number]);
    assert_ne!(link.mac().unwrap(), mac);
    let stop = AtomicBool::new(false);
    link.set_mac(mac).unwrap();
    let begin = Instant::now();
    let took = thread::scope(|scope| {
        // Several, so that one that waits for the lost server does not keep all from asking.
        let askers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let page = http::Get::new(stage.topology.service(), "/")
                            .limit(Duration::from_millis(300))
                            .send(&stage.topology.client);
                        let from = page.ok().and_then(|page| http::server_of(&page.text()));
                        if from == Some(server.address) {
                            stop.store(true, Ordering::Relaxed);
                            return Some(begin.elapsed());
                        }
                        if begin.elapsed() > 2 * FOUND_AGAIN {
                            return None;
                        }
                    }
                    None
                })
            })
            .collect();
        let found = askers.into_iter().filter_map(|asker| asker.join().unwrap());
        found.min()
    });
    let took = took.expect("the server with another MAC address is not reached any more");
    assert!(took <= FOUND_AGAIN, "reached again only after {took:?}");
    took
}
