//! The daemon is killed again and again under load, and nobody notices.

use std::{
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::Hook;

use crate::{
    load::{Amount, Load},
    stage::{Stage, sized},
};

#[test]
fn nobody_notices_that_the_daemon_is_killed_with_tc() {
    killed(Hook::Tc);
}

#[test]
fn nobody_notices_that_the_daemon_is_killed_with_xdp() {
    killed(Hook::Xdp);
}

fn killed(hook: Hook) {
    let mut stage = Stage::serving(hook);
    let amount = sized(
        Amount {
            rate: 100,
            held: 50,
        },
        Amount {
            rate: 200,
            held: 500,
        },
    );
    // Longer than the three seconds after which programs stop trusting the next hops.
    let (times, dead) = sized((2, Duration::from_secs(4)), (10, Duration::from_secs(10)));
    let alive = Duration::from_secs(2);
    let table = stage.ipvsadm("-L -n --stats").lines().count();
    let load = Load::start(&stage, amount);
    for _ in 0..times {
        let before = await_fast_way(&stage);
        thread::sleep(alive);
        stage.kill_daemon();
        thread::sleep(dead);
        let slow = stage.resolved() - before;
        assert!(slow > 0, "the slow way was not taken, so it was not tried");
        stage.start_daemon();
    }
    await_fast_way(&stage);
    // One that ends in an orderly way.
    stage.stop_daemon();
    stage.start_daemon();
    await_fast_way(&stage);
    thread::sleep(alive);
    let outcome = load.finish(&stage);
    outcome.assert_whole(&stage);
    outcome.assert_steady();
    let conns = crate::demonstration::figures(
        &stage.ipvsadm("-L -n --stats --exact"),
        "TCP  169.254.179.1:80",
    );
    assert_eq!(stage.ipvsadm("-L -n --stats").lines().count(), table);
    let opened = u64::from(outcome.storm.loaded()) + outcome.held.opened as u64;
    assert_eq!(conns[0], opened, "each connection is counted once");
}

/// Waits until a daemon that has just come has put everything right again; how many packets had taken the
/// slow way by then.
fn await_fast_way(stage: &Stage) -> u64 {
    let begin = Instant::now();
    let mut slow = stage.resolved();
    loop {
        thread::sleep(Duration::from_millis(300));
        let before = slow;
        slow = stage.resolved();
        if slow == before {
            return slow;
        }
        let limit = Duration::from_secs(10);
        assert!(
            begin.elapsed() < limit,
            "with a daemon packets take the slow way"
        );
    }
}
