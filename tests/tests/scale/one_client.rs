//! One client, as a NAT gateway is, with very many flows to several services.

use std::net::SocketAddrV4;

use ferrovs_lab::{CLIENT, Hook, VIP};

use crate::stage::{Stage, is_full};

/// Services, at these ports.
const PORTS: std::ops::Range<u16> = 8001..8017;

#[test]
fn one_client_with_many_flows_to_each_of_16_services_is_never_refused() {
    let (flows, table) = if is_full() {
        (15_000, 1_000_000)
    } else {
        (1000, 65_536)
    };
    let ports: Vec<_> = PORTS.collect();
    for hook in [Hook::Tc, Hook::Xdp] {
        let stage = Stage::new(hook, table);
        stage.add_services(&ports, |port| port);
        let _sockets = stage.swallow(&ports);
        let (mut cannon, mut counter) = (stage.cannon(), stage.counter());
        stage.await_fast_way(SocketAddrV4::new(VIP, PORTS.start), &mut counter);
        let mut frames = Vec::new();
        // Service by service and port by port, as such clients count.
        for &service in &ports {
            let service = SocketAddrV4::new(VIP, service);
            let sources = (1024..1024 + flows).map(|port| SocketAddrV4::new(CLIENT, port));
            frames.extend(sources.map(|source| cannon.udp(source, service)));
        }
        let lost = cannon.deliver(frames, &mut counter);
        let status = stage.status();
        println!(
            "{hook}: {} flows, {lost} lost, {:?}",
            status.flows, status.events
        );
        assert_eq!(lost, 0, "{status:?}");
        assert_eq!(stage.refusals(), [""; 0]);
        assert_eq!(stage.events("evicted"), 0);
        let probes = stage.network.servers.len() as u64;
        assert_eq!(status.flows, 16 * u64::from(flows) + probes);
    }
}
