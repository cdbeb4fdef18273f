//! Services by mark, and for all ports: a client has one server for all that the service is for.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddrV4},
    process::{Output, Stdio},
};

use ferrovs_lab::{
    CLIENT, Hook, VIP,
    http::{self, Server},
    udp::ask,
};

use crate::stage::Stage;

const OTHER: u16 = 8080;
const DATAGRAMS: u16 = 5353;

/// As administrators of LVS mark: by port, where packets come in.
const MARKS: &str = "\
add table ip m
add chain ip m p { type filter hook prerouting priority mangle; }
add rule ip m p iifname outer tcp dport { 80, 8080 } meta mark set 9
add rule ip m p udp dport 5353 meta mark set 9
";

/// Has every server answer at another port too.
fn serve(stage: &Stage) -> Vec<Server> {
    let servers = stage.topology.servers.iter();
    let serve = servers.map(|server| {
        let address = SocketAddrV4::new(server.address, OTHER);
        Server::start(&server.namespace, address).unwrap()
    });
    serve.collect()
}

/// The server of the page at this port.
fn page(stage: &Stage, port: u16) -> Ipv4Addr {
    let service = SocketAddrV4::new(VIP, port);
    let loaded = http::fetch(&stage.topology.client, service, "/");
    http::server_of(&loaded.unwrap().text()).unwrap()
}

fn mark_with_nft(stage: &Stage, rules: &str) {
    let nft = stage
        .topology
        .director
        .command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn();
    let mut nft = nft.expect("this test needs nft (Debian's package nftables)");
    nft.stdin
        .take()
        .unwrap()
        .write_all(rules.as_bytes())
        .unwrap();
    assert!(nft.wait().unwrap().success());
}

/// What `ip` says about the director.
fn ip(stage: &Stage, arguments: &[&str]) -> String {
    let mut command = stage.topology.director.command("ip");
    let Output { stdout, .. } = command.args(arguments).output().unwrap();
    String::from_utf8(stdout).unwrap()
}

fn forward(stage: &Stage) {
    let on = || fs::write("/proc/sys/net/ipv4/ip_forward", "1");
    stage.topology.director.run(on).unwrap().unwrap();
}

#[test]
fn two_ports_of_a_service_for_all_have_one_server_with_tc() {
    all_ports(Hook::Tc);
}

#[test]
fn two_ports_of_a_service_for_all_have_one_server_with_xdp() {
    all_ports(Hook::Xdp);
}

fn all_ports(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    let _serving = serve(&stage);
    stage.ipvsadm(&format!("-A -t {VIP}:0 -s rr -p 60"));
    for server in &stage.topology.servers {
        stage.ipvsadm(&format!("-a -t {VIP}:0 -r {}:0 -m", server.address));
    }
    let first = stage.in_turn()[0];
    for port in [80, OTHER, 80, OTHER] {
        assert_eq!(page(&stage, port), first, "port {port}");
    }
    let flows = stage.ipvsadm("-L -n -c");
    let template = format!("{CLIENT}:0   {VIP}:0    {first}:0");
    assert!(flows.contains(&template), "{flows}");
    assert!(
        flows.contains(&format!("{VIP}:{OTHER} {first}:{OTHER}")),
        "{flows}"
    );
}

#[test]
fn what_nftables_marks_has_one_server_with_tc() {
    marked(Hook::Tc);
}

#[test]
fn what_nftables_marks_has_one_server_with_xdp() {
    marked(Hook::Xdp);
}

fn marked(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    forward(&stage);
    let rules_before = ip(&stage, &["rule"]);
    let _serving = serve(&stage);
    let _answering = stage.answer_datagrams(DATAGRAMS);
    mark_with_nft(&stage, MARKS);
    stage.ipvsadm("-A -f 9 -s rr -p 60");
    for server in &stage.topology.servers {
        stage.ipvsadm(&format!("-a -f 9 -r {} -m", server.address));
    }
    let first = stage.in_turn()[0];
    for port in [80, OTHER, 80, OTHER] {
        assert_eq!(page(&stage, port), first, "port {port}");
    }
    let client = &stage.topology.client;
    let service = SocketAddrV4::new(VIP, DATAGRAMS);
    for port in 40_001..40_004 {
        let server: Ipv4Addr = ask(client, service, port, b"marked").unwrap();
        assert_eq!(server, first, "port {port}");
    }
    let flows = stage.ipvsadm("-L -n -c");
    assert!(
        flows.contains(&format!("{CLIENT}:0   0.0.0.9:0          {first}:0")),
        "{flows}"
    );
    assert!(
        flows.lines().any(|line| line.starts_with("IP  0")),
        "{flows}"
    );

    // Without persistence they take turns, and a daemon that comes back finds its way again.
    stage.ipvsadm("-E -f 9 -s rr");
    stage.kill_daemon();
    stage.start_daemon();
    let met: BTreeSet<Ipv4Addr> = (0..4).map(|_| page(&stage, 80)).collect();
    assert_eq!(met.len(), stage.topology.servers.len());

    // What is not for the servers is the director's: nothing there listens, and it says so at once.
    stage.ipvsadm("-D -f 9");
    stage.ipvsadm("-A -f 8 -s rr");
    assert!(!stage.has_page());
    let down = stage.ferrovs("down");
    assert!(down.status.success(), "{down:?}");
    assert_eq!(ip(&stage, &["rule"]), rules_before);
    assert!(!ip(&stage, &["link"]).contains("ferrovs0"));
}
