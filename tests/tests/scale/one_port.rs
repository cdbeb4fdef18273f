//! One source port of one client, and a thousand services on the same real servers: there, all its
//! flows would look alike.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use ferrovs_lab::{Hook, VIP, udp::UdpServer};

use crate::stage::Stage;

/// The first service's port.
const FIRST: u16 = 10_001;
/// How many there are.
const SERVICES: u16 = 1000;
/// What the real servers serve all of them on.
const SERVER: u16 = 9000;
/// The client's port.
const SOURCE: u16 = 40_000;

#[test]
fn one_source_port_reaches_a_thousand_services_on_the_same_servers() {
    let ports: Vec<_> = (FIRST..FIRST + SERVICES).collect();
    for hook in [Hook::Tc, Hook::Xdp] {
        let stage = Stage::new(hook, 65_536);
        stage.add_services(&ports, |_| SERVER);
        let servers = stage.network.servers.iter().map(|server| {
            UdpServer::start(&server.namespace, SocketAddrV4::new(server.address, SERVER))
        });
        let _servers: Vec<_> = servers.map(Result::unwrap).collect();
        let bind = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SOURCE));
        let client = stage.network.client.run(bind).unwrap().unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();

        let first: Vec<_> = ports.iter().map(|&port| ask(&client, port)).collect();
        // Every flow is still there, whatever came after it.
        let again: Vec<_> = ports.iter().rev().map(|&port| ask(&client, port)).collect();
        assert!(first.iter().eq(again.iter().rev()), "a flow went elsewhere");

        let status = stage.status();
        println!("{hook}: {} flows, {:?}", status.flows, status.events);
        assert_eq!(status.flows, u64::from(SERVICES));
        assert_eq!(stage.refusals(), [""; 0]);
        assert_eq!(stage.events("evicted"), 0);
        // At each server one flow may keep the client's own port.
        let alike = ports.len() - first.iter().collect::<HashSet<_>>().len();
        assert_eq!(stage.events("port-changed"), alike as u64);
    }
}

/// Asks the service at this port; which real server answers. An answer must come from the service that
/// was asked, and say what was asked.
fn ask(client: &UdpSocket, port: u16) -> String {
    let words = format!("question for {port}");
    client.send_to(words.as_bytes(), (VIP, port)).unwrap();
    let mut buffer = [0; 128];
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(from, SocketAddr::from((VIP, port)));
    let answer = str::from_utf8(&buffer[..length]).unwrap();
    let (server, said) = answer.split_once(' ').unwrap();
    assert_eq!(said, words);
    server.to_owned()
}
