//! Servers whose gateway is not the director: with FullNat they answer all the same, in both families. With `--auto`,
//! servers behind the director know every client that can be answered by its own address, and only those in their own
//! network, themselves too, by the director's.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{
    CLIENT, Capture, DIP, Hook, Namespace, RealServer, VIP,
    http::{self, Server},
    udp::{UdpServer, ask},
};

use crate::{
    ipv6::{assign, of},
    stage::{Stage, sized},
};

const WEB: u16 = 80;
const ECHO: u16 = 5353;

#[test]
fn servers_answer_without_a_gateway_with_tc() {
    without_a_gateway(Hook::Tc);
}

#[test]
fn servers_answer_without_a_gateway_with_xdp() {
    without_a_gateway(Hook::Xdp);
}

#[test]
fn clients_near_their_server_are_known_by_the_director_with_tc() {
    near(Hook::Tc);
}

#[test]
fn clients_near_their_server_are_known_by_the_director_with_xdp() {
    near(Hook::Xdp);
}

#[test]
fn a_pool_without_ports_is_told_of_with_tc() {
    exhausted(Hook::Tc);
}

#[test]
fn a_pool_without_ports_is_told_of_with_xdp() {
    exhausted(Hook::Xdp);
}

/// What serves at the real servers, beside the pages of IPv4.
struct Servers {
    _web: Vec<Server>,
    _echo: Vec<UdpServer>,
}

impl Servers {
    fn start(stage: &Stage) -> Self {
        let servers = &stage.topology.servers;
        let echo = |server: &RealServer, address: IpAddr| {
            UdpServer::start(&server.namespace, SocketAddr::new(address, ECHO)).unwrap()
        };
        Self {
            _web: servers
                .iter()
                .map(|server| {
                    let address = SocketAddr::new(of(server.address), WEB);
                    Server::start(&server.namespace, address).unwrap()
                })
                .collect(),
            _echo: servers
                .iter()
                .flat_map(|server| {
                    [server.address.into(), of(server.address)].map(|address| echo(server, address))
                })
                .collect(),
        }
    }
}

/// A virtual address, and how a server's address is in its family.
type Addresses = (IpAddr, fn(Ipv4Addr) -> IpAddr);

/// Both families.
fn families() -> [Addresses; 2] {
    [(VIP.into(), IpAddr::V4), (of(VIP), of)]
}

/// Services of both families for pages and datagrams, whose servers are reached by this method.
fn add_services(stage: &Stage, method: &str) {
    for (vip, address) in families() {
        for (protocol, port) in [("-t", WEB), ("-u", ECHO)] {
            let service = SocketAddr::new(vip, port);
            stage.ipvsadm(&format!("-A {protocol} {service} -s rr"));
            for server in &stage.topology.servers {
                let server = SocketAddr::new(address(server.address), port);
                stage.ipvsadm(&format!("-a {protocol} {service} -r {server} {method}"));
            }
        }
    }
}

/// The server of a page.
fn page(client: &Namespace, service: SocketAddr) -> IpAddr {
    let loaded = http::fetch(client, service, "/").unwrap();
    http::server_of(&loaded.text()).unwrap()
}

fn run(namespace: &Namespace, program: &str, arguments: &str) -> String {
    let mut command = namespace.command(program);
    let output = command.args(arguments.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    assert!(output.status.success(), "{program} {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Takes the servers' gateway away.
fn isolate(stage: &Stage) {
    for server in &stage.topology.servers {
        run(&server.namespace, "ip", "route del default");
        run(&server.namespace, "ip", "-6 route del default");
    }
}

fn without_a_gateway(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    let _servers = Servers::start(&stage);
    isolate(&stage);
    stage.start_daemon();
    stage.add_service("-t", WEB);
    assert!(!stage.has_page(), "the servers have a way to the client");
    stage.ipvsadm("-C");
    add_services(&stage, "--fullnat");

    let servers = &stage.topology.servers;
    let capture = Capture::start(&servers[0].namespace, "eth0").unwrap();
    let client = &stage.topology.client;
    for (vip, address) in families() {
        let web = SocketAddr::new(vip, WEB);
        let turns: Vec<IpAddr> = stage.in_turn().into_iter().map(address).collect();
        for expected in turns.iter().cycle().take(4) {
            assert_eq!(page(client, web), *expected);
        }
        let bytes = sized(4 << 20, 256 << 20);
        assert_eq!(http::download(client, web, bytes).unwrap().bytes, bytes);
        assert_eq!(http::upload(client, web, bytes).unwrap().bytes, bytes);
        let echo = SocketAddr::new(vip, ECHO);
        for (port, expected) in (40_001..40_005).zip(turns.iter().cycle()) {
            for size in [1, 100, 1_400] {
                let words = vec![b'a'; size];
                let server: IpAddr = ask(client, echo, port, &words).unwrap();
                assert_eq!(server, *expected, "port {port}, {size} bytes");
            }
        }
        // The director's own connections to a server are its own.
        let own = SocketAddr::new(address(servers[0].address), WEB);
        assert_eq!(page(&stage.topology.director, own), own.ip());
    }
    assert_eq!(peers(capture, servers[0].address), [DIP].into());

    let curl = run(client, "curl", &format!("-sS --max-time 5 http://{VIP}/"));
    assert!(http::server_of::<Ipv4Addr>(&curl).is_some(), "{curl}");
    iperf(&stage);

    let listed = stage.ipvsadm("-L -n");
    assert!(
        listed.contains("192.168.2.141:80             FullNat 1"),
        "{listed}"
    );
    assert!(stage.counted("pool-used") > 20);
    assert_eq!(
        stage.counted("pool-exhausted") + stage.counted("pool-empty"),
        0
    );
    // The director's own, under which the forwarded ones would be, had its kernel forwarded any.
    assert_eq!(stage.forwarded_by_kernel(), 0);
}

/// From whom what came to a server was.
fn peers(capture: Capture, server: Ipv4Addr) -> BTreeSet<Ipv4Addr> {
    let seen = capture.stop().unwrap();
    let ports = [WEB, ECHO];
    seen.packets
        .iter()
        .map(|packet| packet.direction)
        .filter(|one| *one.destination.ip() == server && ports.contains(&one.destination.port()))
        .map(|one| *one.source.ip())
        .collect()
}

/// A program that is ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Streams and datagrams by iperf3, which talks over two connections to one server.
fn iperf(stage: &Stage) {
    const PORT: u16 = 5201;
    let server = &stage.topology.servers[0];
    let mut command = server.namespace.command("iperf3");
    let command = command.args(["-s", "-p", "5201"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let _server = Running(command.spawn().expect("this test needs iperf3"));
    for protocol in ["-t", "-u"] {
        stage.ipvsadm(&format!("-A {protocol} {VIP}:{PORT} -s rr"));
        let address = server.address;
        stage.ipvsadm(&format!(
            "-a {protocol} {VIP}:{PORT} -r {address}:{PORT} --fullnat"
        ));
    }
    let client = &stage.topology.client;
    let seconds = sized(1, 10);
    let begin = Instant::now();
    while http::Get::new(SocketAddrV4::new(server.address, PORT), "/")
        .limit(Duration::from_millis(100))
        .send(&server.namespace)
        .is_err_and(|error| error.to_string().contains("refused"))
        && begin.elapsed() < Duration::from_secs(5)
    {
        thread::sleep(Duration::from_millis(20));
    }
    for options in ["", " -R", " -u -b 20M", " -u -b 20M -R"] {
        let told = run(
            client,
            "iperf3",
            &format!("-c {VIP} -p {PORT} -t {seconds}{options}"),
        );
        assert!(told.contains("receiver"), "{told}");
    }
}

fn near(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    let _servers = Servers::start(&stage);
    stage.start_daemon();
    add_services(&stage, "--auto");
    let servers = &stage.topology.servers;
    let client = &stage.topology.client;

    let capture = Capture::start(&servers[0].namespace, "eth0").unwrap();
    for (vip, _) in families() {
        for _ in 0..4 {
            page(client, SocketAddr::new(vip, WEB));
            let _: IpAddr = ask(client, SocketAddr::new(vip, ECHO), 0, b"far").unwrap();
        }
    }
    assert_eq!(peers(capture, servers[0].address), [CLIENT].into());
    assert_eq!(stage.counted("pool-used"), 0);

    // Each server calls the services that it is a server of.
    let capture = Capture::start(&servers[0].namespace, "eth0").unwrap();
    for server in servers {
        for (vip, _) in families() {
            let web = SocketAddr::new(vip, WEB);
            let pages: BTreeSet<_> = (0..4).map(|_| page(&server.namespace, web)).collect();
            assert_eq!(pages.len(), servers.len());
            let bytes = sized(1 << 20, 64 << 20);
            for _ in servers {
                let loaded = http::download(&server.namespace, web, bytes).unwrap();
                assert_eq!(loaded.bytes, bytes);
            }
            let echo = SocketAddr::new(vip, ECHO);
            let answers: BTreeSet<IpAddr> = (40_001..40_005)
                .map(|port| ask(&server.namespace, echo, port, b"near").unwrap())
                .collect();
            assert_eq!(answers.len(), servers.len());
        }
    }
    assert_eq!(peers(capture, servers[0].address), [DIP].into());
    // Pages, downloads and datagrams of both servers in both families.
    assert_eq!(stage.counted("pool-used"), 2 * 2 * (4 + 2 + 4));
}

fn exhausted(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    let _echo = stage.answer_datagrams(ECHO);
    let service = SocketAddrV4::new(VIP, ECHO);
    let server = &stage.topology.servers[0];
    let pool = stage.ferrovs(&format!("pool {DIP}:20000-20003"));
    assert!(pool.status.success(), "{pool:?}");
    stage.ipvsadm(&format!("-A -u {service} -s rr"));
    stage.ipvsadm(&format!("-a -u {service} -r {} --fullnat", server.address));

    let client = &stage.topology.client;
    let capture = Capture::start(&server.namespace, "eth0").unwrap();
    for port in 40_001..40_005 {
        let _: Ipv4Addr = ask(client, service, port, b"there is a port").unwrap();
    }
    assert!(ask::<Ipv4Addr>(client, service, 40_005, b"there is none").is_err());
    // Those that have one keep it.
    for port in 40_001..40_005 {
        let _: Ipv4Addr = ask(client, service, port, b"still").unwrap();
    }
    let seen = capture.stop().unwrap();
    let ports: BTreeSet<u16> = seen
        .matching(|packet| packet.direction.destination.port() == ECHO)
        .map(|packet| packet.direction.source.port())
        .collect();
    assert_eq!(ports, (20_000..=20_003).collect());
    assert_eq!(stage.counted("pool-exhausted"), 1);
    let status = String::from_utf8(stage.ferrovs("status").stdout).unwrap();
    assert!(status.contains("pool-exhausted: 1\n"), "{status}");

    // More ports, and then as many as there are by default.
    for options in [format!("pool {DIP}:20000-20010"), "pool --clear".to_owned()] {
        assert!(stage.ferrovs(&options).status.success());
        let _: Ipv4Addr = ask(client, service, 0, b"again").unwrap();
    }
    let listed = stage.ferrovs("pool");
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "");
    // An address that is not the director's is not used.
    assert!(stage.ferrovs("pool 192.168.2.99").status.success());
    assert!(ask::<Ipv4Addr>(client, service, 0, b"from nowhere").is_err());
    assert_eq!(stage.counted("pool-empty"), 1);
    let log = std::fs::read_to_string(stage.log()).unwrap();
    assert!(
        log.contains("no interface carries the pool's address 192.168.2.99"),
        "{log}"
    );
}
