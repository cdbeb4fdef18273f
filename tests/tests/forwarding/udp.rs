//! A UDP service: each client has its server, answers come from the virtual address, and servers see the
//! client's own address.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_lab::{CLIENT, Capture, Hook, VIP, capture::Packet, udp::ask};

use crate::{demonstration::figures, stage::Stage};

const PORT: u16 = 5353;

#[test]
fn datagrams_find_their_server_and_back_with_tc() {
    datagrams(Hook::Tc);
}

#[test]
fn datagrams_find_their_server_and_back_with_xdp() {
    datagrams(Hook::Xdp);
}

fn datagrams(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    stage.add_service("-u", PORT);
    let servers = &stage.topology.servers;
    let _answering = stage.answer_datagrams(PORT);
    let captures: Vec<_> = servers
        .iter()
        .map(|server| Capture::start(&server.namespace, "eth0").unwrap())
        .collect();
    let client = &stage.topology.client;
    let service = SocketAddrV4::new(VIP, PORT);
    let capture = stage.capture();

    // Four clients, three datagrams each, of several sizes up to one that just fits. The client's socket is
    // connected: an answer from elsewhere than the virtual address would not reach it.
    let ports = 40_001..40_005;
    for (port, expected) in ports.clone().zip(stage.in_turn().into_iter().cycle()) {
        for size in [1, 100, 1_400] {
            let words = vec![b'a'; size];
            let server: Ipv4Addr = ask(client, service, port, &words).unwrap();
            assert_eq!(server, expected, "port {port}, {size} bytes");
        }
    }

    for (server, capture) in servers.iter().zip(captures) {
        let seen = capture.stop().unwrap();
        let asked: Vec<_> = seen
            .matching(|packet| packet.direction.destination.port() == PORT)
            .map(|packet| packet.direction.source)
            .collect();
        let is_client =
            |source: &SocketAddrV4| *source.ip() == CLIENT && ports.contains(&source.port());
        assert_eq!(asked.len(), 6, "{}: {asked:?}", server.address);
        assert!(asked.iter().all(is_client), "{asked:?}");
    }
    let seen = capture.stop().unwrap();
    assert_eq!(seen.dropped, 0);
    let is_udp = |packet: &&Packet| packet.direction.protocol == Packet::UDP;
    let sources: Vec<_> = seen
        .packets
        .iter()
        .filter(is_udp)
        .map(|packet| packet.direction.source)
        .filter(|source| *source.ip() != CLIENT)
        .collect();
    assert_eq!(sources, [service; 12]);
    let inward = seen.tally(|packet| packet.direction.destination == service);
    let outward = seen.tally(|packet| packet.direction.source == service);
    let listed = stage.ipvsadm("-L -n --stats --exact");
    assert_eq!(
        figures(&listed, "UDP  169.254.179.1:5353"),
        [
            4,
            inward.packets,
            outward.packets,
            inward.bytes,
            outward.bytes
        ],
        "{listed}"
    );
    let flows = stage.ipvsadm("-L -n -c");
    for port in ports {
        let client = format!("{CLIENT}:{port} ");
        let line = flows.lines().find(|line| line.contains(&client));
        let line = line.unwrap_or_else(|| panic!("no flow of {client} in\n{flows}"));
        assert!(
            line.starts_with("UDP 0") && line.contains(" UDP "),
            "{line}"
        );
    }
    assert_eq!(stage.forwarded_by_kernel(), 0);
}
