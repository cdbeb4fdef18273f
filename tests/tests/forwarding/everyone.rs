//! Everyone is a client, and the director a server too, at once: clients from elsewhere, real servers that call their own
//! services, and the director itself, of servers of which one is on the director. TCP and UDP, both families.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ferrovs_lab::{
    DIP, Hook, Namespace, VIP,
    http::{self, Get, Server},
    udp::{UdpServer, ask},
};

use crate::{
    ipv6::{assign, of},
    stage::{Stage, sized},
};

const WEB: u16 = 8080;
const ECHO: u16 = 5353;

#[test]
fn everyone_is_served_by_everyone_with_tc() {
    everyone(Hook::Tc);
}

#[test]
fn everyone_is_served_by_everyone_with_xdp() {
    everyone(Hook::Xdp);
}

/// Asks every server for a page, a large transfer and an answer to a datagram.
fn asks_all(client: &Namespace, vip: IpAddr, servers: &BTreeSet<IpAddr>) {
    let web = SocketAddr::new(vip, WEB);
    let page = |_| {
        let loaded = http::fetch(client, web, "/").unwrap();
        http::server_of::<IpAddr>(&loaded.text()).unwrap()
    };
    let pages: BTreeSet<_> = servers.iter().map(page).collect();
    assert_eq!(pages, *servers, "{}", client.name());
    let bytes = sized(1 << 20, 64 << 20);
    for _ in servers {
        assert_eq!(http::download(client, web, bytes).unwrap().bytes, bytes);
        assert_eq!(http::upload(client, web, bytes).unwrap().bytes, bytes);
    }
    let echo = SocketAddr::new(vip, ECHO);
    let answer = |_| ask(client, echo, 0, &[b'a'; 1_200]).unwrap();
    let answers: BTreeSet<IpAddr> = servers.iter().map(answer).collect();
    assert_eq!(answers, *servers, "{}", client.name());
}

fn everyone(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    let topology = &stage.topology;
    let mut hosts = vec![(&topology.director, DIP)];
    let servers = topology.servers.iter();
    hosts.extend(servers.map(|server| (&server.namespace, server.address)));
    let mut held: Vec<Box<dyn std::any::Any>> = Vec::new();
    for &(host, address) in &hosts {
        for address in [address.into(), of(address)] {
            held.push(Box::new(
                Server::start(host, SocketAddr::new(address, WEB)).unwrap(),
            ));
            held.push(Box::new(
                UdpServer::start(host, SocketAddr::new(address, ECHO)).unwrap(),
            ));
        }
    }
    let addresses: Vec<_> = hosts.iter().map(|&(_, address)| address).collect();
    stage.start_daemon_with(&["--interface", "lo"]);
    let families = [false, true].map(|ipv6| {
        let own = |address| {
            if ipv6 {
                of(address)
            } else {
                IpAddr::V4(address)
            }
        };
        let servers: BTreeSet<IpAddr> = addresses.iter().map(|&address| own(address)).collect();
        for (protocol, port) in [("-t", WEB), ("-u", ECHO)] {
            let service = SocketAddr::new(own(VIP), port);
            stage.ipvsadm(&format!("-A {protocol} {service} -s rr"));
            for &server in &servers {
                let server = SocketAddr::new(server, port);
                stage.ipvsadm(&format!("-a {protocol} {service} -r {server} --auto"));
            }
        }
        (own(VIP), servers)
    });
    let topology = &stage.topology;
    for (vip, servers) in &families {
        for client in [&topology.client, &topology.director] {
            asks_all(client, *vip, servers);
        }
        for server in &topology.servers {
            asks_all(&server.namespace, *vip, servers);
        }
    }
    assert_eq!(
        stage.counted("pool-empty") + stage.counted("pool-exhausted"),
        0
    );
    assert_eq!(
        stage.counted("no-route") + stage.counted("no-destination"),
        0
    );

    // It was ferrovs, and nothing of it is left.
    let accepts = "/proc/sys/net/ipv4/conf/lo/accept_local";
    let accept = || {
        let read = || std::fs::read_to_string(accepts).unwrap();
        topology.director.run(read).unwrap()
    };
    assert_eq!(accept(), "1\n");
    let down = stage.ferrovs("down");
    assert!(down.status.success(), "{down:?}");
    assert_eq!(accept(), "0\n");
    for client in [&topology.client, &topology.director] {
        let get = Get::new(SocketAddr::new(VIP.into(), WEB), "/").limit(Duration::from_secs(1));
        assert!(get.send(client).is_err(), "a page came without ferrovs");
    }
}
