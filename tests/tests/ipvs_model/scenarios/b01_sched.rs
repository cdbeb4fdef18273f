//! Every scheduler and several sets of weights: short connections in turn; then on a fresh service some that stay
//! open, and short ones beside them.

use ferrovs_tests::ipvs::{SCHEDULERS, Settings};

use crate::{
    rig::Rig,
    stage::{Stage, serve, tcp, vip},
};

const WEIGHTS: [&[u32]; 4] = [&[1, 1], &[3, 1], &[1, 0], &[2, 2, 2, 2]];

/// The order in which the script goes through the schedulers.
const ORDER: [&str; 14] = [
    "rr", "wrr", "lc", "wlc", "fo", "ovf", "sed", "nq", "lblc", "lblcr", "dh", "sh", "mh", "twos",
];

fn play(stage: &mut Stage, schedulers: &[&'static str], gap: u64) {
    let mut port = 1000;
    for scheduler in schedulers {
        stage.title(&format!("scheduler {scheduler}"));
        for weights in WEIGHTS {
            let words: Vec<String> = weights.iter().map(u32::to_string).collect();
            let prefix = |what| format!("{scheduler:<6} w={:<8} {what}", words.join("/"));
            let mut fresh = |stage: &mut Stage| {
                port += 1;
                let settings = Settings::new(scheduler);
                stage.service(tcp(port), settings, 80, weights);
                stage.client(port);
                stage.rig.gap = gap;
            };
            fresh(stage);
            stage.seq(&prefix("short24: "), 24);
            fresh(stage);
            stage.open(&prefix("held8:   "), 8);
            stage.open(&prefix("held+8:  "), 8);
            stage.seq(&prefix("+short8: "), 8);
            stage.reset_all();
            stage.rig.ipvs.clear();
        }
    }
}

#[test]
fn all_schedulers() {
    let mut order = ORDER;
    let mut names = SCHEDULERS;
    order.sort_unstable();
    names.sort_unstable();
    assert_eq!(order, names);
    let mut stage = Stage::new("b01-sched");
    stage.tape.leave("== guest up", "about the machine");
    play(&mut stage, &ORDER, 5);
    // lc and wlc, each once: a server that remembered a connection from the port that the client had chosen.
    assert_eq!(stage.rig.surprises, 2);
    stage.tape.finish(&[("about the machine", 1)]);
}

#[test]
fn the_least_loaded_with_longer_pauses() {
    let mut stage = Stage::new("b01b-sched-slow");
    play(&mut stage, &["lc", "wlc"], 40);
    assert_eq!(stage.rig.surprises, 1);
    stage.tape.finish(&[]);
}

/// What the recordings' table says of the weights 5/2/1, whose lines are not kept: the first eight of 24 short
/// connections, or of those that stay open.
const THREE: [(&str, bool, &str); 12] = [
    ("rr", false, "145 143 141 145 143 141 145 143"),
    ("wrr", false, "145 143 141 141 141 141 143 141"),
    ("lc", true, "145 143 141 145 143 141 145 143"),
    ("wlc", true, "145 143 141 141 141 143 141 141"),
    ("sed", true, "141 141 143 141 141 145 143 141"),
    ("sed", false, "141 141 141 141 141 141 141 141"),
    ("nq", true, "145 143 141 141 141 141 143 141"),
    ("nq", false, "145 145 145 145 145 145 145 145"),
    ("fo", true, "141 141 141 141 141 141 141 141"),
    ("fo", false, "141 141 141 141 141 141 141 141"),
    ("ovf", true, "141 141 141 141 141 141 143 143"),
    ("ovf", false, "141 141 141 141 141 141 141 141"),
];

#[test]
fn three_servers() {
    for (scheduler, stays_open, expected) in THREE {
        let mut rig = Rig::new();
        serve(
            &mut rig.ipvs,
            tcp(1000),
            Settings::new(scheduler),
            80,
            &[5, 2, 1],
        );
        rig.target = vip(1000);
        let mut words = expected.split(' ');
        let said = words.clone().map(|_| match stays_open {
            true => rig.open(words.next().unwrap()),
            false => rig.short(words.next().unwrap()),
        });
        let said: Vec<String> = said.collect();
        assert_eq!(said.join(" "), expected, "{scheduler}");
        assert_eq!(rig.surprises, 0);
    }
}
