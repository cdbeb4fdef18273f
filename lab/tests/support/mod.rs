//! What the tests of the stage share.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use ferrovs_lab::{Options, Topology, WebServers};

/// Ends the test loudly without root: a test that cannot look must not say that all is well.
pub(crate) fn need_root() {
    assert!(
        ferrovs_lab::is_root(),
        "this test makes network namespaces: run it as root"
    );
}

/// A demonstration whose director forwards like any router, with web servers.
#[allow(dead_code, reason = "not every test file uses it")]
pub(crate) fn routed(options: Options) -> Topology {
    let mut topology = Topology::build(options).unwrap();
    topology
        .director
        .set_sysctl("net.ipv4.ip_forward", "1")
        .unwrap();
    topology
        .client
        .add_default_gateway(ferrovs_lab::VIP)
        .unwrap();
    let mut go_on = |_| std::ops::ControlFlow::Continue(());
    topology
        .start_web_servers(&WebServers::Threads, &mut go_on)
        .unwrap();
    topology
}
