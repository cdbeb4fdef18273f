//! The demonstration itself: `ferrovs lab` judges itself well, and what it says holds when looked at
//! from outside.

use std::{path::Path, process::Command};

use ferrovs_lab::{
    CLIENT, Capture, Hook, VIP,
    capture::{Packet, Tally},
};

use ferrovs_tests::ferrovs;

use crate::stage::{Stage, finish, turn};

#[test]
fn the_lab_command_behaves_with_tc() {
    lab_command(Hook::Tc);
}

#[test]
fn the_lab_command_behaves_with_xdp() {
    lab_command(Hook::Xdp);
}

fn lab_command(hook: Hook) {
    let _turn = turn();
    let mut command = Command::new(ferrovs());
    let output = command
        .args(["lab", "--hook", &hook.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{complaints}");
    let pages: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_once("<h1>This is real server 192.168.2."))
        .filter_map(|(_, rest)| rest.split('<').next())
        .collect();
    // The first two are loaded from the director, straight from the servers.
    assert_eq!(pages[..2], ["141", "143"], "{said}");
    let through: Vec<&str> = ["143", "141"].into_iter().cycle().take(10).collect();
    assert_eq!(pages[2..], through, "{said}");
}

#[test]
fn pages_alternate_and_counters_are_exact_with_tc() {
    pages_and_counters(Hook::Tc);
}

#[test]
fn pages_alternate_and_counters_are_exact_with_xdp() {
    pages_and_counters(Hook::Xdp);
}

fn pages_and_counters(hook: Hook) {
    let stage = Stage::serving(hook);
    let client = stage.capture();
    let servers: Vec<_> = stage
        .topology
        .servers
        .iter()
        .map(|server| Capture::start(&server.namespace, "eth0").unwrap())
        .collect();
    let pages: Vec<_> = (0..10).map(|_| stage.page()).collect();
    let expected: Vec<_> = stage.in_turn().into_iter().cycle().take(10).collect();
    assert_eq!(pages, expected);

    let seen = finish(client);
    let tally = |wanted: &dyn Fn(&Packet) -> bool| -> Tally {
        seen.matching(wanted)
            .map(|packet| stage.count(packet))
            .sum()
    };
    let inward = tally(&|packet| packet.direction.destination == stage.topology.service());
    let outward = tally(&|packet| packet.direction.source == stage.topology.service());
    let listed = stage.ipvsadm("-L -n --stats --exact");
    assert_eq!(
        figures(&listed, "TCP  169.254.179.1:80"),
        [
            10,
            inward.packets,
            outward.packets,
            inward.bytes,
            outward.bytes
        ],
        "{listed}"
    );
    for (server, capture) in stage.topology.servers.iter().zip(servers) {
        let seen = capture.stop().unwrap();
        let mut clients = seen
            .matching(|packet| packet.direction.destination == server.web_address())
            .map(|packet| *packet.direction.source.ip());
        assert!(clients.all(|client| client == CLIENT));
        let syns = seen.matching(|packet| packet.tcp_flags == Packet::SYN);
        assert_eq!(syns.count(), 5, "{}", server.address);
    }
    assert_eq!(stage.forwarded_by_kernel(), 0);

    // It was ferrovs, and nobody else.
    let down = stage.ferrovs("down");
    assert!(down.status.success(), "{down:?}");
    assert!(!stage.has_page(), "a page came without ferrovs");
    assert_eq!(stage.forwarded_by_kernel(), 0);
}

/// The five columns behind `name` in a listing with `--stats`.
pub(crate) fn figures(listed: &str, name: &str) -> Vec<u64> {
    let line = listed
        .lines()
        .find(|line| line.trim_start().starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in\n{listed}"));
    let (_, columns) = line.split_once(name).unwrap();
    columns
        .split_whitespace()
        .map(|column| column.parse().unwrap())
        .collect()
}

#[test]
fn the_virtual_address_is_a_local_one() {
    // What the other tests rely on without saying so.
    let stage = Stage::new(Hook::Tc);
    let outer = stage.topology.director.link("outer").unwrap();
    let addresses = outer.addresses().unwrap();
    assert!(addresses.iter().any(|(address, _)| *address == VIP));
    assert!(Path::new("/proc/sys/net/ipv4/ip_forward").exists());
    let forwarding = stage.topology.director.sysctl("net.ipv4.ip_forward");
    assert_eq!(forwarding.unwrap(), "0");
    assert!(!stage.has_page(), "a page came without ferrovs");
}
