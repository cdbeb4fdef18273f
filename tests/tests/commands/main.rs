//! `ipvsadm` where more than one thing happens at a time: many writers, also while the daemon is killed, a
//! table that is cleared under load, a daemon that comes with the first question and goes when it is needed
//! no more.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod autostart;
mod clearing;
mod place;
mod saving;
mod sysctl;
mod together;
mod writers;

use ferrovs_lab::{Namespace, ipvsadm};
use ferrovs_tests::ferrovs;

/// Runs `ipvsadm` in the director; what it prints.
fn run(director: &Namespace, arguments: &str) -> String {
    let words: Vec<_> = arguments.split(' ').collect();
    let output = ipvsadm(director, ferrovs(), &words).unwrap();
    assert!(output.status.success(), "ipvsadm {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
