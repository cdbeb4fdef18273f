//! The table is cleared and filled again, over and over, while pages load.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{
    Hook, Topology, WebServers,
    http::{Get, fetch, server_of},
};
use ferrovs_tests::{lead, network};

use crate::run;

/// How often the table is cleared.
const ROUNDS: u32 = 30;
/// Threads that load pages.
const LOADERS: u32 = 4;
/// How long one waits for a page that may not come.
const LIMIT: Duration = Duration::from_millis(300);
/// How long until pages must load again after the table was filled.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn clearing_under_load_does_no_harm_through_tc() {
    clear_under_load(Hook::Tc);
}

#[test]
fn clearing_under_load_does_no_harm_through_xdp() {
    clear_under_load(Hook::Xdp);
}

fn clear_under_load(hook: Hook) {
    let network = network(hook, &WebServers::Threads).unwrap();
    let daemon = lead(&network, hook).unwrap();
    let process = daemon.id();
    fill(&network);

    let (stop, loaded) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..LOADERS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    // While there is no service, or when its servers go, a load may fail. What comes
                    // must be right.
                    let request = Get::new(network.service(), "/");
                    let page = request.limit(LIMIT).send(&network.client);
                    if let Ok(page) = page {
                        assert!(
                            server_of::<std::net::Ipv4Addr>(&page.text()).is_some(),
                            "{}",
                            page.text()
                        );
                        loaded.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            await_loads(&loaded, LOADERS);
            run(&network.director, "-C");
            if round + 1 < ROUNDS {
                fill(&network);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(!run(&network.director, "-L -n").contains("->  "));

    fill(&network);
    let loads: Vec<_> = (0..10)
        .map(|_| fetch(&network.client, network.service(), "/").unwrap())
        .map(|page| server_of::<std::net::Ipv4Addr>(&page.text()).unwrap())
        .collect();
    assert!(
        loads.windows(2).all(|pair| pair[0] != pair[1]),
        "the pages do not come in turn: {loads:?}"
    );
    assert_eq!(daemon.id(), process);
    for word in ["panicked", "ERROR"] {
        assert!(!daemon.log().contains(word), "{}", daemon.log());
    }
}

/// Waits until so many more pages were loaded.
fn await_loads(loaded: &AtomicU32, count: u32) {
    let goal = loaded.load(Ordering::Relaxed) + count;
    let begin = Instant::now();
    while loaded.load(Ordering::Relaxed) < goal {
        assert!(begin.elapsed() < PATIENCE, "pages load no more");
        thread::sleep(Duration::from_millis(5));
    }
}

fn fill(network: &Topology) {
    let service = network.service();
    run(&network.director, &format!("-A -t {service} -s rr"));
    for server in &network.servers {
        run(
            &network.director,
            &format!("-a -t {service} -r {} -m", server.address),
        );
    }
}
