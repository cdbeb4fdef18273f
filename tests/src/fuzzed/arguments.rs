//! Command lines, one after the other on one table.

use ferrovs::{
    ipvsadm::{Backend, Program},
    proc,
};
use ferrovs_model::{Wanted, differences};

use super::{
    command::{self, Done},
    round_trip,
};
use crate::memory::Director;

/// Exit statuses that `ipvsadm` has.
const STATUSES: [u8; 4] = [0, 1, 2, 255];

/// Lines above the services in /proc/net/ip_vs.
const TITLE_OF_PROC: usize = 3;

/// Listings that the table must bear in the end, whatever it has become.
const LISTINGS: &[&str] = &[
    "-L",
    "-Ln",
    "-LnX --stats",
    "-L --rate",
    "-Ln --thresholds",
    "-Ln --persistent-conn",
    "-Ln --tun-info --nosort",
    "-L --timeout",
    "-Lnc",
];

pub(super) fn check(input: &[u8]) {
    let mut director = Director::default();
    for line in input.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        run(&line, &mut director);
    }
    for listing in LISTINGS {
        let done = run(&listing.replace(' ', "\t"), &mut director);
        assert_eq!(done.status, 0, "{listing}: {}", done.err);
    }
    tell(&mut director);
    round_trip::by_file(director.wanted());
    round_trip::by_commands(&director);
}

/// What the status, a dry run and the look-alike of /proc/net have to say of a table.
fn tell(director: &mut Director) {
    let wanted = director.wanted();
    for one in wanted.unforwarded() {
        assert!(!one.to_string().is_empty(), "{one:?}");
    }
    for one in differences(&Wanted::default(), wanted) {
        assert!(one.to_string().starts_with(['+', '-']), "{one:?}");
    }
    let services = director.services().expect("memory answers").services;
    let mut out = Vec::new();
    proc::print_services(&services, &mut out).expect("memory takes everything");
    let lines = out.iter().filter(|&&byte| byte == b'\n').count();
    let servers = services.iter().map(|service| service.destinations.len());
    let expected = TITLE_OF_PROC + services.len() + servers.sum::<usize>();
    assert_eq!(lines, expected, "a line each");
}

/// Runs a command line with an empty input; what fails says why and changes nothing.
fn run(line: &str, director: &mut Director) -> Done {
    let words: Vec<String> = match line {
        "" => Vec::new(),
        line => line.split('\t').map(str::to_owned).collect(),
    };
    let before = director.wanted().clone();
    let done = command::run(Program::Ipvsadm, &words, &mut &b""[..], director);
    assert!(STATUSES.contains(&done.status), "{words:?}: {done:?}");
    assert_eq!(
        done.status == 0,
        done.err.is_empty(),
        "{words:?} says why it failed, and only then: {done:?}"
    );
    if done.status != 0 {
        assert_eq!(director.wanted(), &before, "{words:?} failed");
    }
    done
}
