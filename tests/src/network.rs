//! The demonstration's network, for tests end to end.

use std::ops::ControlFlow;

use ferrovs_lab::{Daemon, Hook, Options, Result, Topology, WebServers};

use crate::ferrovs;

/// Ends a test that was not started by root.
///
/// # Panics
/// When it was not.
pub fn need_root() {
    assert!(
        ferrovs_lab::is_root(),
        "this test makes network namespaces and loads programs: run it as root"
    );
}

/// Client, director and real servers with their pages, and no daemon; the cables suit `hook`.
///
/// # Panics
/// When it was not started by root.
///
/// # Errors
/// What the lab says.
pub fn network(hook: Hook, servers: &WebServers) -> Result<Topology> {
    need_root();
    let options = Options {
        hook,
        ..Options::default()
    };
    let mut network = Topology::build(options)?;
    network.start_web_servers(servers, &mut |_| ControlFlow::Continue(()))?;
    Ok(network)
}

/// Starts a daemon in the network's director.
///
/// # Errors
/// What the lab says.
pub fn lead(network: &Topology, hook: Hook) -> Result<Daemon> {
    let log = network.directory().join("daemon.log");
    Daemon::start(&network.director, ferrovs(), hook, &[], &log)
}
