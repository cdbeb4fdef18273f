//! The scheduler ewma, end to end: one of two servers sits behind a narrow wire for a while. Its answers wait in the queue of a token
//! bucket, as they would behind a line that is full.

use std::{
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{Hook, VIP};

use crate::stage::Stage;

/// Pages in a row.
const PAGES: usize = 30;
/// The longest time until a server that is fast again is found out: nobody asks it, until what is known of it has faded to the
/// latency of the other one.
const FOUND_OUT: Duration = Duration::from_secs(60);

#[test]
fn who_answers_late_gets_few_until_it_is_fast_again_with_tc() {
    narrow_and_wide(Hook::Tc);
}

#[test]
fn who_answers_late_gets_few_until_it_is_fast_again_with_xdp() {
    narrow_and_wide(Hook::Xdp);
}

fn narrow_and_wide(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    stage.ipvsadm(&format!("-A -t {VIP}:80 -s ewma"));
    let servers: Vec<_> = stage
        .topology
        .servers
        .iter()
        .map(|one| one.address)
        .collect();
    for server in &servers {
        stage.ipvsadm(&format!("-a -t {VIP}:80 -r {server}:80 -m"));
    }
    let narrowed = servers[1];
    let pages_of_it = || (0..PAGES).filter(|_| stage.page() == narrowed).count();
    queue(
        &stage,
        "add dev eth0 root tbf rate 48kbit burst 1600 limit 1000000",
    );
    // It had its turn before, and its bucket is full.
    pages_of_it();
    let few = pages_of_it();
    queue(&stage, "del dev eth0 root");
    let begin = Instant::now();
    let mut pages = pages_of_it();
    while pages * 5 < PAGES && begin.elapsed() < FOUND_OUT {
        thread::sleep(Duration::from_millis(500));
        pages = pages_of_it();
    }
    println!(
        "{hook}: {few}, later {pages} of {PAGES}, after {:?}",
        begin.elapsed()
    );
    assert!(few * 5 < PAGES, "{few}");
    assert!(pages * 5 >= PAGES, "{pages}");
}

/// Tells the kernel of the second server how it has to queue.
fn queue(stage: &Stage, words: &str) {
    let mut command = stage.topology.servers[1].namespace.command("tc");
    let output = command
        .arg("qdisc")
        .args(words.split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
