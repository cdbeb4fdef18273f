//! ldirectord, unmodified, drives ferrovs by `ipvsadm`: a web server stops and is taken out, it starts and comes
//! back, and whoever loads pages meanwhile gets every one.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod program;

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{Hook, Topology, WebServers, http, ipvsadm};
use ferrovs_tests::{ferrovs, lead, network};
use program::Ldirectord;

/// Loads of the page at a time.
const LOADS: usize = 10;
/// How long anything may take that ldirectord does at its next look.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is listed where there are no services.
const HEADER: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
";
/// The servers of the service that is forwarded.
const FIRST: &str = "192.168.2.141:80";
const SECOND: &str = "192.168.2.143:80";
/// The service that is forwarded, watched by loading the servers' pages.
const WATCHED: &str = "
virtual=169.254.179.1:80
    real=192.168.2.141:80 masq
    real=192.168.2.143:80 masq
    service=http
    protocol=tcp
    scheduler=rr
    checktype=negotiate
    request=\"/\"
    receive=\"This is real server\"
";
/// Services of the other kinds, which ldirectord only adds.
const OTHERS: &str = "
virtual=169.254.179.1:53
    real=192.168.2.143:53 masq 5 l:10 u:20
    service=none
    protocol=udp
    scheduler=wlc
    persistent=120
    netmask=255.255.255.0
    checktype=on
virtual=7
    real=192.168.2.141 gate 2
    real=192.168.2.143 ipip
    scheduler=sh
    checktype=on
virtual6=[2001:db8::1]:443
    real6=[2001:db8::9]:8443 masq
    service=none
    protocol=tcp
    scheduler=wrr
    checktype=on
";
const OTHERS_LISTED: &str = "\
UDP  169.254.179.1:53 wlc persistent 120 mask 255.255.255.0
  -> 192.168.2.143:53             Masq    5      0          0         
TCP  [2001:db8::1]:443 wrr
  -> [2001:db8::9]:8443           Masq    1      0          0         
FWM  7 sh
  -> 192.168.2.141:0              Route   2      0          0         
  -> 192.168.2.143:0              Tunnel  1      0          0         
";

/// What ldirectord does to a server that does not answer.
#[derive(Clone, Copy)]
enum Quiescent {
    /// It removes it.
    No,
    /// It sets its weight to 0.
    Yes,
}

#[test]
fn a_stopped_web_server_is_removed_and_comes_back() {
    watches(Quiescent::No);
}

#[test]
fn a_stopped_web_server_gets_weight_0_and_comes_back() {
    watches(Quiescent::Yes);
}

fn watches(quiescent: Quiescent) {
    let mut network = network(Hook::Tc, &WebServers::Nginx).unwrap();
    let _daemon = lead(&network, Hook::Tc).unwrap();
    let settings = match quiescent {
        Quiescent::No => "supervised=yes\ncheckinterval=1\nquiescent=no\n",
        Quiescent::Yes => "supervised=yes\ncheckinterval=1\nquiescent=yes\n",
    };
    let ldirectord = Ldirectord::start(&network, &[settings, WATCHED, OTHERS].concat());
    let both = [(FIRST, 1), (SECOND, 1)].map(|(server, weight)| (server.to_owned(), weight));
    eventually("both servers are in", || servers(&network) == both);
    assert_alternate(&network);
    eventually("the other services are there", || {
        list(&network, "-L -n").ends_with(OTHERS_LISTED)
    });

    network.servers[0].stop().unwrap();
    let one_out = match quiescent {
        Quiescent::No => both[1..].to_vec(),
        Quiescent::Yes => vec![(FIRST.to_owned(), 0), both[1].clone()],
    };
    eventually("the stopped server is out", || servers(&network) == one_out);
    for _ in 0..LOADS {
        assert_eq!(page(&network), network.servers[1].address);
    }

    // From here on every page comes.
    network.start_web_server(0, &WebServers::Nginx).unwrap();
    eventually("the server is back", || {
        page(&network) == network.servers[0].address
    });
    assert_eq!(servers(&network), both);
    assert_alternate(&network);

    // Read again, all that was listed is found to be there: only what differs is changed.
    let heavier = WATCHED.replace("143:80 masq", "143:80 masq 3");
    ldirectord.reload(&[settings, &heavier].concat());
    eventually("only the changed service is left", || {
        page(&network);
        let listed = list(&network, "-L -n");
        !listed.contains("169.254.179.1:53")
            && !listed.contains("2001:db8")
            && !listed.contains("FWM")
    });
    assert_eq!(servers(&network), [both[0].clone(), (SECOND.to_owned(), 3)]);
    assert_alternate(&network);

    let log = ldirectord.end();
    assert_eq!(list(&network, "-L -n"), HEADER);
    assert!(!log.contains("failed"), "{log}");
    assert!(
        log.contains("Changed virtual server: 169.254.179.1:80"),
        "{log}"
    );
}

/// Waits until it is so.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(
            begin.elapsed() < PATIENCE,
            "not even after a minute: {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

/// The server that a page of the virtual address comes from; it must come.
fn page(network: &Topology) -> Ipv4Addr {
    let loaded = http::fetch(&network.client, network.service(), "/").unwrap();
    http::server_of(&loaded.text()).unwrap()
}

/// Two servers in turn.
fn assert_alternate(network: &Topology) {
    let loads: Vec<_> = (0..LOADS).map(|_| page(network)).collect();
    let in_turn = loads.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(in_turn, "the pages do not come in turn: {loads:?}");
}

/// What `ipvsadm` lists in the director.
fn list(network: &Topology, arguments: &str) -> String {
    let words: Vec<_> = arguments.split(' ').collect();
    let output = ipvsadm(&network.director, ferrovs(), &words).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The servers of the watched service and their weights, as listed; none when there is no such service.
fn servers(network: &Topology) -> Vec<(String, u32)> {
    let listed = list(network, "-L -n -t 169.254.179.1:80");
    let words = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let servers = words.filter(|words| words.get(2) == Some(&"Masq"));
    servers
        .map(|words| (words[1].to_owned(), words[3].parse().unwrap()))
        .collect()
}
