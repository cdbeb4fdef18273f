//! `ipvsadm -R`: a file of commands does what its lines do one by one.

use std::io;

use ferrovs::ipvsadm::{Input, Program};
use ferrovs_model::Wanted;

use super::{
    command::{Done, ipvsadm, run},
    round_trip,
};
use crate::memory::Director;

/// How `ipvsadm` says that there is no command.
const NO_COMMAND: &str = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n";
/// How help and version begin.
const VERSION: &str = "ipvsadm v1.31 ";

pub(super) fn check(input: &[u8]) {
    let expected = one_by_one(input);
    assert_eq!(at_once(input), expected, "all lines are there at once");
    assert_eq!(dripping(input), expected, "lines come one after the other");
    assert_eq!(
        script(input),
        at_once(&without_comments(input)),
        "ipvsadm-restore"
    );
    round_trip::by_file(&expected.0);
}

fn at_once(input: &[u8]) -> (Wanted, Done) {
    let mut director = Director::default();
    let done = ipvsadm("-R", input, &mut director);
    (director.wanted().clone(), done)
}

fn dripping(input: &[u8]) -> (Wanted, Done) {
    let mut director = Director::default();
    let mut input = Dripping(input);
    let done = run(
        Program::Ipvsadm,
        &["-R".to_owned()],
        &mut input,
        &mut director,
    );
    (director.wanted().clone(), done)
}

fn script(mut input: &[u8]) -> (Wanted, Done) {
    let mut director = Director::default();
    let done = run(Program::Restore, &[], &mut input, &mut director);
    (director.wanted().clone(), done)
}

fn without_comments(input: &[u8]) -> Vec<u8> {
    let lines = input.split_inclusive(|&byte| byte == b'\n');
    let commands: Vec<&[u8]> = lines.filter(|line| !line.starts_with(b"#")).collect();
    commands.concat()
}

/// Runs every line as a command of its own, up to the one that ends a file.
fn one_by_one(input: &[u8]) -> (Wanted, Done) {
    let mut director = Director::default();
    let mut all = Done::default();
    for line in input.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let words: Vec<String> = line
            .split([' ', '\t', '\r'])
            .filter(|word| !word.is_empty() && *word != "ipvsadm")
            .map(str::to_owned)
            .collect();
        if words.is_empty() {
            continue;
        }
        let before = director.wanted().clone();
        let mut own_input = Watched { asked: false };
        let mut done = run(Program::Ipvsadm, &words, &mut own_input, &mut director);
        if own_input.asked {
            // `-R` itself, which there is not in a file.
            done.status = 255;
            NO_COMMAND.clone_into(&mut done.err);
        }
        if done.status != 0 {
            assert_eq!(director.wanted(), &before, "{words:?} failed");
        }
        all.status = done.status;
        all.out += &done.out;
        all.err += &done.err;
        if ends_a_file(&done) {
            break;
        }
    }
    (director.wanted().clone(), all)
}

fn ends_a_file(done: &Done) -> bool {
    matches!(done.status, 1 | 2) || done.err == NO_COMMAND || done.out.starts_with(VERSION)
}

/// Every other line is not there yet when it is looked for.
struct Dripping<'a>(&'a [u8]);

impl Input for Dripping<'_> {
    fn next_line(&mut self) -> io::Result<Vec<u8>> {
        self.0.next_line()
    }

    fn is_waiting(&self) -> bool {
        let lines = self.0.iter().filter(|&&byte| byte == b'\n').count();
        lines.is_multiple_of(2)
    }
}

/// An empty input that knows whether somebody read it.
struct Watched {
    asked: bool,
}

impl Input for Watched {
    fn next_line(&mut self) -> io::Result<Vec<u8>> {
        self.asked = true;
        Ok(Vec::new())
    }

    fn is_waiting(&self) -> bool {
        false
    }
}
