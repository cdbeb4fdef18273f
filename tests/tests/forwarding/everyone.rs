//! Everyone is a client, and the director a server too, at once: clients from elsewhere, real servers that call their own
//! services, and the director itself, of servers of which one is on the director; and real servers that call the world.
//! TCP and UDP, all but the last in both families.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ferrovs_lab::{
    CLIENT, DIP, Hook, Namespace, VIP,
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

/// The real servers make connections themselves, to the client's machine, which knows no way to them.
fn calls_the_world(stage: &Stage) {
    let topology = &stage.topology;
    let at = |port| SocketAddr::new(CLIENT.into(), port);
    let (web, echo) = (at(9000), at(9001));
    let _web = Server::start(&topology.client, web).unwrap();
    let _echo = UdpServer::start(&topology.client, echo).unwrap();
    let director = &topology.director;
    director.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    let caller = &topology.servers[0].namespace;
    let get = Get::new(web, "/").limit(Duration::from_secs(1));
    assert!(get.send(caller).is_err(), "the world knows a way back");
    let done = stage.ferrovs(&format!("snat 192.168.2.0/24 --to {VIP}"));
    assert!(done.status.success(), "{done:?}");

    let capture = stage.capture();
    let bytes = sized(1 << 20, 64 << 20);
    for server in &topology.servers {
        let caller = &server.namespace;
        assert!(http::fetch(caller, web, "/").is_ok());
        assert_eq!(http::download(caller, web, bytes).unwrap().bytes, bytes);
        assert_eq!(http::upload(caller, web, bytes).unwrap().bytes, bytes);
        let answered: IpAddr = ask(caller, echo, 0, &[b'a'; 1_200]).unwrap();
        assert_eq!(answered, echo.ip());
        // What it is asked itself goes on meanwhile.
        let own = SocketAddr::new(server.address.into(), WEB);
        assert!(http::fetch(director, own, "/").is_ok());
    }
    let seen = capture.stop().unwrap();
    let callers: BTreeSet<_> = seen
        .matching(|packet| [9000, 9001].contains(&packet.direction.destination.port()))
        .map(|packet| *packet.direction.source.ip())
        .collect();
    assert_eq!(callers, [VIP].into());
    let flows = stage.ipvsadm("-L -n -c");
    assert!(flows.contains(&web.to_string()), "no {web} in\n{flows}");
    assert!(stage.ferrovs("snat --clear").status.success());
    assert!(get.send(caller).is_err(), "the way out is still there");
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
    calls_the_world(&stage);
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
