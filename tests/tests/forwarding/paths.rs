//! The way to the other end, as ICMP tells of it: how wide it is, who is on it, and that it ends.
//!
//! ```text
//!  far 10.77.0.2 ── 10.77.0.1 client, a router here ──── outer director inner ──── servers
//! ```

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process,
    thread::sleep,
    time::Duration,
};

use ferrovs_lab::{CLIENT, Hook, Namespace, Offload, VIP, http::Server, udp::UdpServer, veth};

use crate::{
    ipv6::{assign, of},
    stage::Stage,
    unserved::hears,
};

const WEB: u16 = 80;
const ECHO: u16 = 5353;
/// A port of a service at which no server listens.
const CLOSED: u16 = 7;
/// The network behind the router.
const NETWORK: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 0);
const FAR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// What a narrow link takes: as much as every link that carries IPv6.
const NARROW: u32 = 1280;
/// What others take.
const WIDE: u32 = 1500;
/// Bytes that are transferred, many packets of any size.
const BYTES: usize = 300_000;

#[test]
fn the_width_of_a_path_is_found_out_with_tc() {
    widths(Hook::Tc);
}

#[test]
fn the_width_of_a_path_is_found_out_with_xdp() {
    widths(Hook::Xdp);
}

#[test]
fn who_is_on_a_path_is_seen_with_tc() {
    hops(Hook::Tc);
}

#[test]
fn who_is_on_a_path_is_seen_with_xdp() {
    hops(Hook::Xdp);
}

/// The demonstration in both families, with a machine behind a router.
struct Place {
    stage: Stage,
    far: Namespace,
    _web: Vec<Server>,
    _echo: Vec<UdpServer>,
}

/// Runs a program, which must succeed; what it prints.
fn run(at: &Namespace, line: &str) -> String {
    let mut words = line.split(' ');
    let mut command = at.command(words.next().unwrap());
    let output = command.args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn both(address: Ipv4Addr) -> [IpAddr; 2] {
    [address.into(), of(address)]
}

impl Place {
    fn new(hook: Hook) -> Self {
        let mut stage = Stage::new(hook);
        assign(&stage);
        let far = Namespace::create(&format!("ferrovs-far-{}", process::id())).unwrap();
        let router = &stage.topology.client;
        {
            let (near, end) = veth((router, "far"), (&far, "eth0")).unwrap();
            for (link, address) in [(&near, ROUTER), (&end, FAR)] {
                if hook == Hook::Xdp {
                    link.set_offload(Offload::TxChecksum, false).unwrap();
                }
                link.up().unwrap();
                link.add_address(address, 24).unwrap();
                link.add_address(of(address), 64).unwrap();
            }
        }
        router.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
        router
            .set_sysctl("net.ipv6.conf.all.forwarding", "1")
            .unwrap();
        let director = &stage.topology.director;
        for (there, by) in both(NETWORK).into_iter().zip(both(CLIENT)) {
            let length = if there.is_ipv4() { 24 } else { 64 };
            director.add_route(there, length, by).unwrap();
        }
        for by in both(ROUTER) {
            run(&far, &format!("ip route add default via {by}"));
        }
        stage.start_daemon();
        let mut place = Self {
            stage,
            far,
            _web: Vec::new(),
            _echo: Vec::new(),
        };
        place.serve();
        place
    }

    /// Services of one server, of both families and protocols.
    fn serve(&mut self) {
        let server = &self.stage.topology.servers[0];
        for (vip, own) in both(VIP).into_iter().zip(both(server.address)) {
            for (protocol, port) in [("-t", WEB), ("-u", ECHO), ("-u", CLOSED)] {
                let (service, server) = (SocketAddr::new(vip, port), SocketAddr::new(own, port));
                self.stage
                    .ipvsadm(&format!("-A {protocol} {service} -s rr"));
                self.stage
                    .ipvsadm(&format!("-a {protocol} {service} -r {server} -m"));
            }
            let namespace = &server.namespace;
            if own.is_ipv6() {
                let web = Server::start(namespace, SocketAddr::new(own, WEB));
                self._web.push(web.unwrap());
            }
            let echo = UdpServer::start(namespace, SocketAddr::new(own, ECHO));
            self._echo.push(echo.unwrap());
        }
    }

    fn server(&self) -> &Namespace {
        &self.stage.topology.servers[0].namespace
    }

    /// Forgets what was learnt about paths.
    fn forget(&self) {
        for namespace in [self.server(), &self.far, &self.stage.topology.client] {
            run(namespace, "ip route flush cache");
            run(namespace, "ip -6 route flush cache");
            run(namespace, "ip tcp_metrics flush all");
        }
    }
}

/// The width of the path to a host, as far as it is known to be less than the link's.
fn width(at: &Namespace, to: IpAddr) -> Option<u32> {
    let route = run(at, &format!("ip route get {to}"));
    let (_, rest) = route.split_once(" mtu ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Loads that many bytes from the virtual address.
fn download(at: &Namespace, vip: IpAddr) {
    let target = SocketAddr::new(vip, WEB);
    let line = format!(
        "curl -s -m 10 -o /dev/null -w %{{size_download}} http://{target}/big?bytes={BYTES}"
    );
    assert_eq!(run(at, &line), BYTES.to_string(), "from {target}");
}

/// Sends that many bytes to the virtual address.
fn upload(at: &Namespace, vip: IpAddr) {
    let target = SocketAddr::new(vip, WEB);
    let file = std::env::temp_dir().join(format!("ferrovs-upload-{}", process::id()));
    std::fs::write(&file, vec![b'u'; BYTES]).unwrap();
    let name = file.display();
    let line =
        format!("curl -s -m 10 -X PUT -H Expect: --data-binary @{name} http://{target}/upload");
    let answer = run(at, &line);
    std::fs::remove_file(&file).unwrap();
    assert!(
        answer.starts_with(&format!("{BYTES} bytes")),
        "{target}: {answer}"
    );
}

fn widths(hook: Hook) {
    let place = Place::new(hook);
    let (router, director) = (&place.stage.topology.client, &place.stage.topology.director);
    let set = |link: &str, mtu| {
        director.link(link).unwrap().set_mtu(mtu).unwrap();
        // The daemon hears of it, and tells the programs.
        sleep(Duration::from_secs(2));
    };

    // A router on the clients' side tells the virtual address, and means the server.
    for (there, vip) in both(FAR).into_iter().zip(both(VIP)) {
        let length = if there.is_ipv4() { 32 } else { 128 };
        run(
            router,
            &format!("ip route add {there}/{length} dev far mtu {NARROW}"),
        );
        download(&place.far, vip);
        assert_eq!(width(place.server(), there), Some(NARROW), "{there}");
        upload(&place.far, vip);
    }
    place.forget();

    // The director's own link towards the client: it tells the server.
    set("outer", NARROW);
    for (there, vip) in both(CLIENT).into_iter().zip(both(VIP)) {
        download(router, vip);
        assert_eq!(width(place.server(), there), Some(NARROW), "{there}");
    }
    set("outer", WIDE);
    place.forget();

    // The director's own link towards the server: it tells the client.
    set("inner", NARROW);
    for vip in both(VIP) {
        upload(router, vip);
        assert_eq!(width(router, vip), Some(NARROW), "{vip}");
    }
    assert!(place.stage.counted("too-big") >= 4);
}

fn hops(hook: Hook) {
    let place = Place::new(hook);
    let Place { stage, far, .. } = &place;
    for (vip, router) in both(VIP).into_iter().zip(both(ROUTER)) {
        run(far, &format!("ping -n -c 2 -i 0.2 -W 2 {vip}"));
        // Router, director, and the server as the virtual address.
        for line in [
            format!("traceroute -n -T -p {WEB} -q 1 -w 3 -m 5 {vip}"),
            format!("traceroute -n -U -p {CLOSED} -q 1 -w 3 -m 5 {vip}"),
        ] {
            let route = run(far, &line);
            let found: Vec<Option<IpAddr>> = route
                .lines()
                .skip(1)
                .map(|line| line.split_whitespace().nth(1)?.parse().ok())
                .collect();
            assert_eq!(
                found,
                [Some(router), Some(vip), Some(vip)],
                "{line}: {route}"
            );
        }
        let report = run(far, &format!("mtr -n -r -T -P {WEB} -c 2 -i 0.5 {vip}"));
        let lossless = report.lines().filter(|line| line.contains(" 0.0%")).count();
        assert!(
            lossless >= 2 && report.contains(&vip.to_string()),
            "{report}"
        );

        let own = SocketAddr::new(if vip.is_ipv4() { FAR.into() } else { of(FAR) }, 0);
        let heard = hears(far, own, SocketAddr::new(vip, CLOSED));
        assert_eq!(heard, std::io::ErrorKind::ConnectionRefused, "{vip}");
    }
    assert!(stage.counted("ttl-exceeded") >= 4);
}
