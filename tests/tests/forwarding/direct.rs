//! Direct routing (`-g`) and a server on the director itself, as LVS administrators set them up: the servers hold
//! the virtual address on `lo`, where nobody asks after it, and answer the client past the director.
//!
//! ```text
//!  client eth0 ──────── outer director inner ──┐
//!  client eth1 192.168.2.60 ───────────────────┴─ lan ── servers, the client's route via 192.168.2.60
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ferrovs_lab::{
    CLIENT, DIP, Hook, PREFIX, VIP,
    http::{self, Server},
    udp::{UdpServer, ask},
    veth,
};

use crate::{
    demonstration::figures,
    stage::{Stage, sized},
};

const WEB: u16 = 80;
const ECHO: u16 = 5353;
/// The client's address in the servers' network: their router to it.
const BACK: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 60);

#[test]
fn servers_answer_past_the_director_with_tc() {
    past_the_director(Hook::Tc);
}

#[test]
fn servers_answer_past_the_director_with_xdp() {
    past_the_director(Hook::Xdp);
}

/// The same machine's IPv6 address.
fn of(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets().map(u16::from);
    Ipv6Addr::new(0xfd00, a << 8 | b, c, 0, 0, 0, 0, d)
}

/// Both addresses of a machine.
fn both(address: Ipv4Addr) -> [IpAddr; 2] {
    [address.into(), of(address).into()]
}

/// What serves at the virtual addresses, in all machines that hold them.
struct Servers {
    _web: Vec<Server>,
    _echo: Vec<UdpServer>,
}

/// Addresses, routes and servers as for direct routing.
fn set_up(stage: &Stage) -> Servers {
    let topology = &stage.topology;
    let (client, director) = (&topology.client, &topology.director);
    let (port, back) = veth((&topology.switch, "client"), (client, "eth1")).unwrap();
    port.plug_into(topology.switch.link("lan").unwrap())
        .unwrap();
    port.up().unwrap();
    back.up().unwrap();
    for address in both(BACK) {
        back.add_address(address, if address.is_ipv4() { PREFIX } else { 64 })
            .unwrap();
    }
    for interface in ["all", "eth0", "eth1"] {
        let key = format!("net.ipv4.conf.{interface}.rp_filter");
        client.set_sysctl(&key, "0").unwrap();
    }
    let add = |namespace: &ferrovs_lab::Namespace, link, address| {
        let link = namespace.link(link).unwrap();
        link.add_address(address, 64).unwrap();
    };
    add(client, "eth0", of(CLIENT));
    add(director, "outer", of(VIP));
    add(director, "inner", of(DIP));
    director
        .set_sysctl("net.ipv6.conf.all.forwarding", "1")
        .unwrap();
    let mut servers = Servers {
        _web: Vec::new(),
        _echo: Vec::new(),
    };
    for server in &topology.servers {
        let namespace = &server.namespace;
        for (key, value) in [("arp_ignore", "1"), ("arp_announce", "2")] {
            let key = format!("net.ipv4.conf.all.{key}");
            namespace.set_sysctl(&key, value).unwrap();
        }
        add(namespace, "eth0", of(server.address));
        let lo = namespace.link("lo").unwrap();
        lo.add_address(VIP, 32).unwrap();
        lo.add_address(of(VIP), 128).unwrap();
        namespace.add_route(CLIENT, 32, BACK).unwrap();
        namespace.add_route(of(CLIENT), 128, of(BACK)).unwrap();
        serve(&mut servers, namespace, server.address);
    }
    servers
}

fn serve(servers: &mut Servers, namespace: &ferrovs_lab::Namespace, own: Ipv4Addr) {
    for (vip, own) in both(VIP).into_iter().zip(both(own)) {
        let web = Server::start_as(namespace, SocketAddr::new(vip, WEB), own);
        servers._web.push(web.unwrap());
        let echo = UdpServer::start_as(namespace, SocketAddr::new(vip, ECHO), own);
        servers._echo.push(echo.unwrap());
    }
}

fn past_the_director(hook: Hook) {
    let mut stage = Stage::new(hook);
    let mut servers = set_up(&stage);
    stage.start_daemon();
    let turns = stage.in_turn();
    for vip in both(VIP) {
        for (protocol, port) in [("-t", WEB), ("-u", ECHO)] {
            let service = SocketAddr::new(vip, port);
            stage.ipvsadm(&format!("-A {protocol} {service} -s rr"));
            for server in &stage.topology.servers {
                let [v4, v6] = both(server.address);
                let server = SocketAddr::new(if vip.is_ipv4() { v4 } else { v6 }, port);
                stage.ipvsadm(&format!("-a {protocol} {service} -r {server} -g"));
            }
        }
        serve_in_turn(&stage, vip, &turns);
    }

    // When the daemon is gone, next hops are not trusted, and the kernel finds the neighbours.
    stage.kill_daemon();
    std::thread::sleep(std::time::Duration::from_secs(4));
    let before = stage.resolved();
    for vip in both(VIP) {
        page_of(&stage, vip);
    }
    assert!(stage.resolved() > before, "the slow way was not taken");

    // A server on the director: counted and remembered, and left to the stack.
    stage.start_daemon();
    serve(&mut servers, &stage.topology.director, DIP);
    for (vip, dip) in both(VIP).into_iter().zip(both(DIP)) {
        let service = SocketAddr::new(vip, WEB);
        let server = SocketAddr::new(dip, WEB);
        stage.ipvsadm(&format!("-D -t {service}"));
        stage.ipvsadm(&format!("-A -t {service} -s rr"));
        stage.ipvsadm(&format!("-a -t {service} -r {server} -g"));
        assert_eq!(page_of(&stage, vip), dip);
        let listed = stage.ipvsadm("-L -n --stats --exact");
        let columns = figures(&listed, &format!("TCP  {service}"));
        assert_eq!((columns[0], columns[2], columns[4]), (1, 0, 0), "{listed}");
        assert!(columns[1] > 3, "{listed}");
    }
    assert_eq!(stage.forwarded_by_kernel(), 0);
}

/// Loads the page of a virtual address; the server that sent it.
fn page_of(stage: &Stage, vip: IpAddr) -> IpAddr {
    let loaded = http::fetch(&stage.topology.client, SocketAddr::new(vip, WEB), "/");
    http::server_of(&loaded.unwrap().text()).unwrap()
}

/// Pages and datagrams from one server after the other, and what is counted and listed of them.
fn serve_in_turn(stage: &Stage, vip: IpAddr, turns: &[Ipv4Addr]) {
    let client = &stage.topology.client;
    let web = SocketAddr::new(vip, WEB);
    let turns: Vec<IpAddr> = turns
        .iter()
        .map(|turn| both(*turn)[usize::from(vip.is_ipv6())])
        .collect();
    for expected in turns.iter().chain(&turns) {
        assert_eq!(page_of(stage, vip), *expected);
    }
    let bytes = sized(4 << 20, 256 << 20);
    assert_eq!(http::download(client, web, bytes).unwrap().bytes, bytes);
    assert_eq!(http::upload(client, web, bytes).unwrap().bytes, bytes);
    let listed = stage.ipvsadm("-L -n --stats --exact");
    let columns = figures(&listed, &format!("TCP  {web}"));
    assert_eq!((columns[0], columns[2], columns[4]), (6, 0, 0), "{listed}");
    assert!(columns[3] > bytes, "{listed}");

    let echo = SocketAddr::new(vip, ECHO);
    for (port, expected) in (40_001..40_005).zip(turns.iter().cycle()) {
        for size in [1, 1_400] {
            let words = vec![b'a'; size];
            let server: IpAddr = ask(client, echo, port, &words).unwrap();
            assert_eq!(server, *expected, "port {port}, {size} bytes");
        }
    }
    let listed = stage.ipvsadm("-L -n --stats --exact");
    let columns = figures(&listed, &format!("UDP  {echo}"));
    assert_eq!(columns[..3], [4, 8, 0], "{listed}");

    // The client closes first: whether its server has, cannot be seen.
    let flows = stage.ipvsadm("-L -n -c");
    let of_web = flows
        .lines()
        .filter(|line| line.contains(&format!(" {web} ")));
    let of_web: Vec<_> = of_web.collect();
    assert_eq!(of_web.len(), 6, "{flows}");
    for line in of_web {
        let server = line.split_whitespace().nth(5).unwrap();
        let server: SocketAddr = server.parse().unwrap();
        assert!(
            turns.contains(&server.ip()) && server.port() == WEB,
            "{line}"
        );
        assert!(line.contains(" FIN_WAIT "), "{line}");
    }
    assert!(stage.ipvsadm("-L -n").contains("Route   1"));
}
