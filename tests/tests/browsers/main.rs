//! The demonstration as people see it: nginx on the real servers, and at each reload the other page, in
//! `curl` and in a browser.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod browser;

use std::net::Ipv4Addr;

use browser::Browser;
use ferrovs_lab::{Hook, Topology, WebServers, http::server_of, ipvsadm};
use ferrovs_tests::{ferrovs, lead, network};

/// Loads of the page by each program.
const LOADS: usize = 10;

#[test]
fn pages_alternate_at_each_reload_through_tc() {
    pages_alternate(Hook::Tc);
}

#[test]
fn pages_alternate_at_each_reload_through_xdp() {
    pages_alternate(Hook::Xdp);
}

fn pages_alternate(hook: Hook) {
    let network = network(hook, &WebServers::Nginx).unwrap();
    let _daemon = lead(&network, hook).unwrap();
    add_service(&network);

    let loads: Vec<_> = (0..LOADS).map(|_| curl(&network)).collect();
    assert_alternate("curl", &loads);

    let browser = Browser::start(&network.client, network.directory());
    let url = format!("http://{}/", network.service().ip());
    let mut loads = vec![shown(&browser.open(&url))];
    loads.extend((1..LOADS).map(|_| shown(&browser.reload())));
    assert_alternate("chromium", &loads);
}

fn add_service(network: &Topology) {
    let run = |arguments: &str| {
        let words: Vec<_> = arguments.split(' ').collect();
        let output = ipvsadm(&network.director, ferrovs(), &words).unwrap();
        assert!(output.status.success(), "ipvsadm {arguments}: {output:?}");
    };
    let service = network.service();
    run(&format!("-A -t {service} -s rr"));
    for server in &network.servers {
        run(&format!("-a -t {service} -r {} -m", server.address));
    }
}

/// Which real server's page `curl` prints.
fn curl(network: &Topology) -> Ipv4Addr {
    let loaded = network
        .client
        .command("curl")
        .args(["--silent", "--show-error", "--fail", "--max-time", "20"])
        .arg(format!("http://{}/", network.service()))
        .output()
        .unwrap_or_else(|error| panic!("cannot run curl (apt-get install curl): {error}"));
    assert!(loaded.status.success(), "{loaded:?}");
    shown(str::from_utf8(&loaded.stdout).unwrap())
}

/// Which real server's page this is.
fn shown(page: &str) -> Ipv4Addr {
    server_of(page).unwrap_or_else(|| panic!("not the page of a real server: {page}"))
}

/// Two servers in turn.
fn assert_alternate(program: &str, loads: &[Ipv4Addr]) {
    assert!(
        loads.windows(2).all(|pair| pair[0] != pair[1]),
        "{program} did not see the pages in turn: {loads:?}"
    );
}
