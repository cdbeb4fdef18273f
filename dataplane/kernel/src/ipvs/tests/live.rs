//! The kernel that the tests run on.

use std::{path::Path, process::Command};

use super::save::saved;
use crate::{
    ipvs::{Error, Table, Timeouts, read},
    kernel_ipvs_services,
};

/// Most kernels under test have no IPVS. `tests/fixtures/ipvs/README.md` says how this runs on one that
/// has.
#[test]
fn this_kernels_ipvs_is_read_as_ipvsadm_reads_it() {
    let is_loaded = || Path::new("/proc/thread-self/net/ip_vs").exists();
    let was_loaded = is_loaded();
    let table = match read() {
        Ok(table) => table,
        Err(Error::NotLoaded) => {
            assert!(!was_loaded);
            // Asking must not have loaded it.
            return assert!(!is_loaded());
        }
        Err(Error::NoPermission) => return assert!(was_loaded),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(table.services.is_empty(), kernel_ipvs_services().is_empty());
    if Command::new("ipvsadm").output().is_ok() {
        assert_eq!(
            saved(&table),
            sorted(ipvsadm("-Sn").lines().map(str::to_owned))
        );
        assert_eq!(thresholds(&table), listed_thresholds());
        let Timeouts { tcp, tcp_fin, udp } = table.timeouts;
        let timeouts = [tcp, tcp_fin, udp].map(|it| it.unwrap_or(0).to_string());
        assert!(ipvsadm("-L --timeout").contains(&timeouts.join(" ")));
    }
}

fn ipvsadm(arguments: &str) -> String {
    let arguments = arguments.split(' ');
    let output = Command::new("ipvsadm").args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Address, upper and lower threshold of every real server.
fn thresholds(table: &Table) -> Vec<String> {
    let servers = table.services.iter().flat_map(|it| &it.destinations);
    sorted(servers.map(|server| {
        let (upper, lower) = (server.upper_threshold, server.lower_threshold);
        format!("{} {upper} {lower}", server.address)
    }))
}

/// The same, as ipvsadm lists it: an arrow, and these three first.
fn listed_thresholds() -> Vec<String> {
    let listing = ipvsadm("-Ln --thresholds");
    let servers = listing
        .lines()
        .skip(3)
        .filter(|line| line.starts_with("  ->"));
    sorted(servers.map(|line| {
        let words: Vec<&str> = line.split_whitespace().skip(1).take(3).collect();
        words.join(" ")
    }))
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}
