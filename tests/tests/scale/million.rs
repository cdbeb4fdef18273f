//! A million flows, half through each hook, until they are gone.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{Hook, VIP};

use crate::{
    listing,
    packets::{Cannon, Counter},
    stage::{Stage, is_full},
    tables,
};

/// So many flows are few.
const FEW: u32 = 10_000;
/// The service.
const PORT: u16 = 9000;
/// What all tables together may take when they are made for a million flows and hold them.
const BUDGET: u64 = 144_000_000;
/// How long the flows still have when they have all been looked at.
const REST: Duration = Duration::from_secs(5);
/// How much later than at the timeout of the last they must be gone.
const GRACE: Duration = Duration::from_secs(2);

/// Client `number` of up to 2^25, all different: a thousand addresses with 32,768 ports each, in no
/// order.
fn client(number: u32) -> SocketAddrV4 {
    let mixed = number.wrapping_mul(0x9e37_79b1) & ((1 << 25) - 1);
    let address = u32::from(Ipv4Addr::new(100, 64, 0, 1)) + (mixed >> 15);
    SocketAddrV4::new(address.into(), 1024 + (mixed & 0x7fff) as u16)
}

#[test]
fn a_million_flows_come_through_both_hooks_and_go() {
    // Of a million random flows, one in ten thousand may find no place and take another's. Of few, chance
    // may take a few more.
    let (flows, evictions) = if is_full() {
        (1_000_000, 100)
    } else {
        (60_000, 20)
    };
    let mut stage = Stage::new(Hook::Tc, flows);
    stage.add_services(&[PORT], |port| port);
    let _sockets = stage.swallow(&[PORT]);
    let (mut cannon, mut counter) = (stage.cannon(), stage.counter());

    let first = Instant::now();
    fire(&stage, "tc", 0..FEW, &mut cannon, &mut counter);
    let peak = listing::client_peak(&stage);
    fire(&stage, "tc", FEW..flows / 2, &mut cannon, &mut counter);
    stage.change_hook(Hook::Xdp);
    fire(&stage, "xdp", flows / 2..flows, &mut cannon, &mut counter);
    let last = Instant::now();

    let status = stage.status();
    println!("{} flows, {:?}", status.flows, status.events);
    let bytes = tables::bytes(stage.daemon());
    println!("{bytes} bytes in all tables");
    if is_full() {
        assert!(bytes <= BUDGET, "{bytes} bytes in all tables");
    }
    assert_eq!(stage.refusals(), [""; 0]);
    let evicted = stage.events("evicted");
    assert!(evicted <= evictions, "{evicted} flows gave way to others");
    listing::check_lazy_readers(&stage);
    listing::check(&stage, u64::from(flows) - evicted);
    listing::check_memory(&stage, peak);
    if is_full() {
        listing::measure(&stage);
    }

    // None of them is over yet, and then all of them in the order of their packets.
    let timeout = Duration::from_secs((first.elapsed() + REST).as_secs() + 1);
    stage.ipvsadm(&format!("--set 0 0 {}", timeout.as_secs()));
    let before = stage.status().flows;
    if first.elapsed() < timeout {
        assert_eq!(before, status.flows, "flows ended before their timeout");
    }
    await_end(&stage, last + timeout);
    let listing = stage.ipvsadm("-L -n");
    let servers: Vec<_> = listing
        .lines()
        .filter(|line| line.contains("Masq"))
        .collect();
    assert_eq!(servers.len(), stage.network.servers.len());
    for server in servers {
        let counts: Vec<_> = server.split_whitespace().rev().take(2).collect();
        assert_eq!(counts, ["0", "0"], "{listing}");
    }
    assert_eq!(stage.ipvsadm("-L -n -c").lines().count(), 2);
}

/// Sends the first packet of each of these clients; all must arrive at the real servers, by the hook
/// that is named.
fn fire(
    stage: &Stage,
    hook: &str,
    clients: std::ops::Range<u32>,
    cannon: &mut Cannon,
    counter: &mut Counter,
) {
    let hooks = stage.status().hooks;
    assert!(hooks.iter().all(|one| one.hook == hook), "{hooks:?}");
    let service = SocketAddrV4::new(VIP, PORT);
    stage.await_fast_way(service, counter);
    let slow = stage.events("deferred") + stage.events("resolved");
    let begin = Instant::now();
    let frames: Vec<_> = clients
        .map(|number| cannon.udp(client(number), service))
        .collect();
    let count = frames.len();
    let lost = cannon.deliver(frames, counter);
    println!(
        "{hook}: {count} flows, {lost} lost, in {:?}",
        begin.elapsed()
    );
    assert_eq!(lost, 0, "{:?}", stage.status());
    let slow = stage.events("deferred") + stage.events("resolved") - slow;
    assert_eq!(slow, 0, "packets took the slow way");
}

/// Waits until no flow is left, which in the whole form must be in time; the short one may run beside
/// other tests on a busy machine.
fn await_end(stage: &Stage, due: Instant) {
    let patience = if is_full() { GRACE } else { 15 * GRACE };
    thread::sleep(due.saturating_duration_since(Instant::now()));
    loop {
        let flows = stage.status().flows;
        let late = Instant::now().saturating_duration_since(due);
        if flows == 0 {
            println!("all flows gone {late:?} after their timeout");
            return;
        }
        assert!(
            late < patience,
            "{flows} flows left {late:?} after their timeout"
        );
        thread::sleep(Duration::from_millis(20));
    }
}
