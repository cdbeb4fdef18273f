//! A UDP service: each client has its server, answers come from the virtual address, and servers see the
//! client's own address.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use ferrovs_lab::{
    CLIENT, Capture, Hook, VIP,
    capture::Packet,
    udp::{UdpServer, ask},
};

use crate::{
    demonstration::figures,
    ipv6::{assign, of},
    stage::Stage,
};

const PORT: u16 = 5353;

#[test]
fn datagrams_find_their_server_and_back_with_tc() {
    datagrams(Hook::Tc);
}

#[test]
fn datagrams_find_their_server_and_back_with_xdp() {
    datagrams(Hook::Xdp);
}

#[test]
fn each_datagram_is_scheduled_for_itself_with_tc() {
    one_packet(Hook::Tc);
}

#[test]
fn each_datagram_is_scheduled_for_itself_with_xdp() {
    one_packet(Hook::Xdp);
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

/// One socket, whose datagrams go to the servers in turn, and are all answered by the virtual address: the socket
/// is connected.
fn one_packet(hook: Hook) {
    const DATAGRAMS: usize = 10;
    let mut stage = Stage::new(hook);
    assign(&stage);
    stage.start_daemon();
    for ipv6 in [false, true] {
        let family = |address: Ipv4Addr| if ipv6 { of(address) } else { address.into() };
        let service = SocketAddr::new(family(VIP), PORT);
        stage.ipvsadm(&format!("-A -u {service} -s rr -o"));
        let mut answering = Vec::new();
        for server in &stage.topology.servers {
            let address = SocketAddr::new(family(server.address), PORT);
            stage.ipvsadm(&format!("-a -u {service} -r {address} -m"));
            answering.push(UdpServer::start(&server.namespace, address).unwrap());
        }
        let answers = stage.topology.client.run(|| {
            let socket = UdpSocket::bind((family(CLIENT), 0))?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            socket.connect(service)?;
            let ask = |_| {
                socket.send(b"?")?;
                let mut answer = [0; 64];
                let length = socket.recv(&mut answer)?;
                Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
            };
            (0..DATAGRAMS).map(ask).collect::<io::Result<Vec<_>>>()
        });
        let turns = stage.in_turn().into_iter();
        let turns: Vec<_> = turns
            .map(|server| format!("{} ?", family(server)))
            .collect();
        let expected: Vec<_> = turns.into_iter().cycle().take(DATAGRAMS).collect();
        assert_eq!(answers.unwrap().unwrap(), expected);

        let listed = stage.ipvsadm("-L -n --stats --exact");
        let counted = figures(&listed, &format!("UDP  {service}"));
        assert_eq!(counted[..3], [DATAGRAMS as u64; 3], "{listed}");
        let listed = stage.ipvsadm(&format!("-L -n -u {service}"));
        assert!(listed.contains(" rr ops"), "{listed}");
        let servers: Vec<_> = listed
            .lines()
            .filter(|line| line.contains("Masq"))
            .collect();
        assert_eq!(servers.len(), 2, "{listed}");
        let counts = |line: &&str| {
            line.split_whitespace()
                .rev()
                .take(2)
                .all(|count| count == "0")
        };
        assert!(servers.iter().all(counts), "{listed}");
    }
    // As in IPVS, no connection is listed.
    let flows = stage.ipvsadm("-L -n -c");
    assert_eq!(flows.lines().count(), 2, "{flows}");
    assert_eq!(stage.forwarded_by_kernel(), 0);
}
