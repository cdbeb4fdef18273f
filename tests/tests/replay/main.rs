//! The recorded scenarios, played with real packets on ferrovs, at both hooks: it must print what the kernel's IPVS printed.
//!
//! The scripts are those of the recordings, unmodified; the network is `fixtures/behaviour/topo.sh`. What may be
//! otherwise is listed in [`exceptions`], line by line, and must be otherwise.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod cleanup;
mod exceptions;

use std::{
    env, fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use ferrovs_tests::{
    ferrovs, need_root,
    replay::{Difference, Director, Play, compare},
};

use crate::exceptions::Exception;

/// After this a scenario is ended. The longest takes a minute on a machine that has little else to do.
const PATIENCE: Duration = Duration::from_secs(900);

/// A recording, or a part of it.
struct Recording {
    name: &'static str,
    /// What the scenario is told: variables and their values.
    variables: &'static [(&'static str, &'static str)],
    /// The titles that it then has.
    has: fn(&str) -> bool,
    /// The lines that were kept.
    kept: fn(&str) -> bool,
}

impl Recording {
    const fn whole(name: &'static str) -> Self {
        Self {
            name,
            variables: &[],
            has: |_| true,
            kept: |_| true,
        }
    }

    /// Plays it with ferrovs at this hook; what is wrong.
    fn replay(&self, director: Director) -> Vec<String> {
        let read = |kind| {
            let root = env!("CARGO_MANIFEST_DIR");
            fs::read_to_string(format!("{root}/fixtures/behaviour/{}.{kind}", self.name)).unwrap()
        };
        let play = Play {
            tool: Path::new(env!("CARGO_BIN_EXE_ipvs-diff")),
            ferrovs: ferrovs(),
            script: &read("sh"),
            variables: self.variables,
            patience: PATIENCE,
        };
        let played = play.run(director).unwrap();
        let found = compare(&self.part(&read("out")), &self.part(&played));
        self.judge(&found)
    }

    /// What of a text is compared.
    fn part(&self, text: &str) -> String {
        let mut within = (self.has)("");
        let mut part = String::new();
        for line in text.lines().filter(|line| (self.kept)(line)) {
            if let Some(title) = line.strip_prefix("## ") {
                within = (self.has)(title);
            }
            if within {
                part += line;
                part.push('\n');
            }
        }
        part
    }

    /// What is wrong: differences that are no exceptions, and exceptions that are no differences.
    fn judge(&self, found: &[Difference]) -> Vec<String> {
        let exceptions: Vec<&Exception> = exceptions::of(self.name)
            .filter(|listed| (self.has)(listed.title))
            .collect();
        let unlisted = found
            .iter()
            .filter(|difference| !exceptions.iter().any(|listed| listed.covers(difference)))
            .map(ToString::to_string);
        let over = exceptions
            .iter()
            .filter(|listed| !found.iter().any(|difference| listed.covers(difference)))
            .map(|Exception { title, line, why, .. }| {
                format!("## {title}\n  {line}\n  is as recorded now, and no exception any more: {why}")
            });
        unlisted.chain(over).collect()
    }
}

/// Of the runs of b01 and b02 with these weights the lines were not kept.
fn has_kept_weights(line: &str) -> bool {
    !line.contains("w=5/2/1 ") && !line.contains("w=1/0/1 ")
}

/// Whether a title of b01 is about one of these.
fn is_about(title: &str, schedulers: &str) -> bool {
    let name = title.strip_prefix("scheduler ").unwrap_or_default();
    schedulers.split(' ').any(|one| one == name)
}

/// The schedulers of b01, in three parts.
const ROUND: &str = "rr wrr fo ovf";
const LEAST: &str = "lc wlc sed nq twos";
const HASH: &str = "lblc lblcr dh sh mh";

/// All of them, those that take longest first.
const RECORDINGS: [Recording; 10] = [
    Recording {
        // The running kernel need not have it; that of a virtual machine has.
        has: |title| title != "SCTP LVS-NAT",
        ..Recording::whole("b09-noserver")
    },
    Recording::whole("b05-thresholds"),
    Recording::whole("b03-persist"),
    Recording::whole("b04-midrun"),
    Recording {
        kept: has_kept_weights,
        ..Recording::whole("b02-hash")
    },
    Recording::whole("b06-udp"),
    Recording {
        variables: &[("SCHEDS", ROUND)],
        has: |title| is_about(title, ROUND),
        kept: has_kept_weights,
        ..Recording::whole("b01-sched")
    },
    Recording {
        variables: &[("SCHEDS", LEAST)],
        has: |title| is_about(title, LEAST),
        kept: has_kept_weights,
        ..Recording::whole("b01-sched")
    },
    Recording {
        variables: &[("SCHEDS", HASH)],
        has: |title| is_about(title, HASH),
        kept: has_kept_weights,
        ..Recording::whole("b01-sched")
    },
    Recording {
        kept: has_kept_weights,
        ..Recording::whole("b01b-sched-slow")
    },
];

/// Scenarios that are played at a time. Most of the time they wait.
const AT_A_TIME: usize = 8;

/// `FERROVS_REPLAY=b04` plays only recordings whose names begin so.
#[test]
fn what_was_recorded_comes_out_again() {
    need_root();
    let only = env::var("FERROVS_REPLAY").unwrap_or_default();
    let plays: Vec<(&Recording, Director)> = RECORDINGS
        .iter()
        .filter(|recording| recording.name.starts_with(&only))
        .flat_map(|recording| [Director::Tc, Director::Xdp].map(|director| (recording, director)))
        .collect();
    assert!(!plays.is_empty(), "there is no recording {only}");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(String::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some((recording, director)) =
                    plays.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    for failure in recording.replay(*director) {
                        *failures.lock().unwrap() +=
                            &format!("{} at {director}: {failure}\n", recording.name);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "\n{failures}");
}
