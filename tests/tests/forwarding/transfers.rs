//! Large transfers in both directions at once arrive whole.

use std::thread;

use ferrovs_lab::{Hook, Offload, http};

use crate::stage::{Stage, sized};

/// Streams in each direction.
const STREAMS: u64 = 4;

#[test]
fn large_bodies_arrive_whole_with_tc_and_offloads_on() {
    transfer(Hook::Tc, true);
}

#[test]
fn large_bodies_arrive_whole_with_xdp_and_offloads_off() {
    transfer(Hook::Xdp, false);
}

fn transfer(hook: Hook, offloads: bool) {
    let stage = Stage::serving(hook);
    for (namespace, interface) in [
        (&stage.topology.client, "eth0"),
        (&stage.topology.director, "outer"),
        (&stage.topology.director, "inner"),
        (&stage.topology.servers[0].namespace, "eth0"),
    ] {
        let link = namespace.link(interface).unwrap();
        let checksums = link.offload(Offload::TxChecksum).unwrap();
        assert_eq!(checksums, offloads, "{interface} of {}", namespace.name());
    }
    let bytes: u64 = sized(40_000_000, 200_000_000);
    let each = bytes / STREAMS;
    let (client, service) = (&stage.topology.client, stage.topology.service());
    let capture = stage.capture();
    let moved: u64 = thread::scope(|scope| {
        let downloads: Vec<_> = (0..STREAMS)
            .map(|_| scope.spawn(|| http::download(client, service, each).unwrap()))
            .collect();
        let uploads: Vec<_> = (0..STREAMS)
            .map(|_| scope.spawn(|| http::upload(client, service, each).unwrap()))
            .collect();
        let both = downloads.into_iter().chain(uploads);
        let longest =
            |seconds: f64, transfer: &http::Transfer| seconds.max(transfer.elapsed.as_secs_f64());
        let transfers: Vec<_> = both.map(|thread| thread.join().unwrap()).collect();
        println!(
            "{hook}: {} MB each way in {STREAMS} streams each, {:.1} s",
            bytes / 1_000_000,
            transfers.iter().fold(0.0, longest)
        );
        transfers.iter().map(|transfer| transfer.bytes).sum()
    });
    assert_eq!(moved, 2 * bytes);
    let seen = capture.stop().unwrap();
    let joined = seen.packets.iter().any(|packet| packet.segments > 1);
    if offloads {
        assert!(
            joined,
            "no packet was a joined one, so offloads were not tried"
        );
    }
    assert_eq!(stage.forwarded_by_kernel(), 0);
}
