//! IPv6 beside IPv4: pages, large transfers, datagrams, a client behind a router that is only known by its
//! link-local address, and the end of it all.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ferrovs_lab::{
    CLIENT, DIP, Hook, VIP,
    http::{self, Get, Server},
    udp::{UdpServer, ask},
};

use crate::{
    demonstration::figures,
    stage::{Stage, sized},
};

const WEB: u16 = 80;
const ECHO: u16 = 5353;
/// The client as others reach it by a router only.
const REMOTE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xfe, 0, 0, 0, 0, 0, 9);
/// The client's own link-local address, as the director's router.
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x60);

#[test]
fn ipv6_is_forwarded_beside_ipv4_with_tc() {
    beside_ipv4(Hook::Tc);
}

#[test]
fn ipv6_is_forwarded_beside_ipv4_with_xdp() {
    beside_ipv4(Hook::Xdp);
}

/// The IPv6 address of a machine of the demonstration, in one network for each of IPv4's.
pub(crate) fn of(address: std::net::Ipv4Addr) -> IpAddr {
    let [a, b, c, d] = address.octets().map(u16::from);
    Ipv6Addr::new(0xfd00, a << 8 | b, c, 0, 0, 0, 0, d).into()
}

/// What serves at the real servers' IPv6 addresses.
struct Servers {
    _web: Vec<Server>,
    _echo: Vec<UdpServer>,
}

impl Servers {
    fn start(stage: &Stage) -> Self {
        let servers = &stage.topology.servers;
        let web = servers.iter().map(|server| {
            let address = SocketAddr::new(of(server.address), WEB);
            Server::start(&server.namespace, address).unwrap()
        });
        let echo = servers.iter().map(|server| {
            let address = SocketAddr::new(of(server.address), ECHO);
            UdpServer::start(&server.namespace, address).unwrap()
        });
        Self {
            _web: web.collect(),
            _echo: echo.collect(),
        }
    }
}

/// Gives the demonstration's machines IPv6 addresses, and the servers their gateway.
pub(crate) fn assign(stage: &Stage) {
    let topology = &stage.topology;
    let client = topology.client.link("eth0").unwrap();
    let outer = topology.director.link("outer").unwrap();
    let inner = topology.director.link("inner").unwrap();
    client.add_address(of(CLIENT), 64).unwrap();
    client.add_address(ROUTER, 64).unwrap();
    client.add_address(REMOTE, 128).unwrap();
    outer.add_address(of(VIP), 64).unwrap();
    inner.add_address(of(DIP), 64).unwrap();
    // Where the kernel does not forward, its routing table is not asked for the way back.
    let forwarding = "net.ipv6.conf.all.forwarding";
    topology.director.set_sysctl(forwarding, "1").unwrap();
    outer.add_route(REMOTE, 128, ROUTER).unwrap();
    for server in &topology.servers {
        let link = server.namespace.link("eth0").unwrap();
        link.add_address(of(server.address), 64).unwrap();
        let any = Ipv6Addr::UNSPECIFIED;
        server.namespace.add_route(any, 0, of(DIP)).unwrap();
    }
}

/// A service of the IPv6 virtual address, and all servers; `-t` or `-u`.
fn add_service(stage: &Stage, protocol: &str, port: u16) {
    let service = SocketAddr::new(of(VIP), port);
    stage.ipvsadm(&format!("-A {protocol} {service} -s rr"));
    for server in &stage.topology.servers {
        let server = SocketAddr::new(of(server.address), port);
        stage.ipvsadm(&format!("-a {protocol} {service} -r {server} -m"));
    }
}

fn beside_ipv4(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    let _servers = Servers::start(&stage);
    stage.start_daemon();
    stage.add_service("-t", WEB);
    add_service(&stage, "-t", WEB);
    add_service(&stage, "-u", ECHO);

    let service = SocketAddr::new(of(VIP), WEB);
    let client = &stage.topology.client;
    let turns: Vec<IpAddr> = stage.in_turn().into_iter().map(of).collect();
    let page = || {
        let loaded = http::fetch(client, service, "/").unwrap();
        http::server_of::<IpAddr>(&loaded.text()).unwrap()
    };
    for (expected, ipv4) in turns.iter().zip(stage.in_turn()) {
        assert_eq!(page(), *expected);
        assert_eq!(stage.page(), ipv4);
    }

    let bytes = sized(4 << 20, 256 << 20);
    assert_eq!(http::download(client, service, bytes).unwrap().bytes, bytes);
    assert_eq!(http::upload(client, service, bytes).unwrap().bytes, bytes);

    let echo = SocketAddr::new(of(VIP), ECHO);
    for (port, expected) in (40_001..40_005).zip(turns.iter().cycle()) {
        for size in [1, 100, 1_400] {
            let words = vec![b'a'; size];
            let server: IpAddr = ask(client, echo, port, &words).unwrap();
            assert_eq!(server, *expected, "port {port}, {size} bytes");
        }
    }

    // From an address that is the client's only for those who come by the router.
    let deep = Get::new(service, "/").source(REMOTE.into());
    for _ in 0..3 {
        assert_eq!(deep.send(client).unwrap().local.ip(), REMOTE);
    }

    let more = become_fast(&stage, service);
    books(&stage, 2 + 2 + 3 + more);

    // It was ferrovs, and nobody else.
    let down = stage.ferrovs("down");
    assert!(down.status.success(), "{down:?}");
    let get = Get::new(service, "/").limit(Duration::from_secs(1));
    assert!(get.send(client).is_err(), "a page came without ferrovs");
    let director = &stage.topology.director;
    let forwarded = director.counter("Ip6", "OutForwDatagrams").unwrap();
    assert_eq!(forwarded, 0, "the director's kernel has forwarded");
}

/// Downloads until the kernel is not asked for neighbours any more: next hops are learnt within moments. How
/// often that was.
fn become_fast(stage: &Stage, service: SocketAddr) -> u64 {
    for times in 1..50 {
        let before = stage.resolved();
        http::download(&stage.topology.client, service, 100_000).unwrap();
        if stage.resolved() == before {
            return times;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("packets still take the slow way");
}

/// What the director says about what it did; `connections` were made to the web service.
fn books(stage: &Stage, connections: u64) {
    let listed = stage.ipvsadm("-L -n --stats --exact");
    let web = SocketAddr::new(of(VIP), WEB);
    let columns = figures(&listed, &format!("TCP  {web}"));
    assert_eq!(columns[0], connections, "{listed}");
    assert!(columns.iter().all(|&figure| figure > 0), "{listed}");
    let echo = SocketAddr::new(of(VIP), ECHO);
    let columns = figures(&listed, &format!("UDP  {echo}"));
    assert_eq!(columns[..3], [4, 12, 12], "{listed}");
    // Headers of IPv6 and UDP, then the words; what the server puts before them is more.
    assert_eq!(columns[3], 4 * (3 * 48 + 1 + 100 + 1_400), "{listed}");

    let flows = stage.ipvsadm("-L -n -c");
    let asked = SocketAddr::new(of(CLIENT), 40_001);
    let flow = flows.lines().find(|line| line.contains(&asked.to_string()));
    let flow = flow.unwrap_or_else(|| panic!("no {asked} in\n{flows}"));
    assert!(flow.contains(&echo.to_string()), "{flow}");
    assert!(flow.starts_with("UDP"), "{flow}");
}
