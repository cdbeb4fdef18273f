//! What makes no sense or is not allowed is refused in one sentence that names it, and nothing changes.

mod circumstances;
mod command_lines;
mod others;

use std::process::Output;

use crate::{objects::Objects, stage::Stage};

/// How a director stands: what must not change when something is refused.
#[derive(Debug, PartialEq)]
struct Standing {
    table: String,
    timeouts: String,
    objects: Objects,
}

impl Standing {
    fn of(stage: &Stage) -> Self {
        Self {
            table: stage.ipvsadm("-L -n"),
            timeouts: stage.ipvsadm("-L --timeout"),
            objects: Objects::of(&stage.topology.director),
        }
    }
}

/// Ends the test unless the command ended with this status and a complaint that has all of `names` in it,
/// and printed nothing else; the complaint.
fn assert_refused(output: &Output, status: i32, names: &[&str]) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    for name in names {
        assert!(said.contains(name), "{said:?} does not name {name:?}");
    }
    said
}

/// As [`assert_refused`], and all of it must be said in one line, after what a daemon may have logged.
fn assert_sentence(output: &Output, status: i32, names: &[&str]) {
    let said = assert_refused(output, status, names);
    let complaints: Vec<&str> = said.lines().filter(|line| !is_logged(line)).collect();
    let [complaint] = complaints[..] else {
        panic!("not one line: {said}");
    };
    for name in names {
        assert!(
            complaint.contains(name),
            "{complaint:?} does not name {name:?}"
        );
    }
}

/// Whether a line begins with a time, as those of the log do.
fn is_logged(line: &str) -> bool {
    line.starts_with("20") && line.contains(" INFO ")
}
