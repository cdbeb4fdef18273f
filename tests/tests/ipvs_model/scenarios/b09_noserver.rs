//! Nobody there: no server, weight 0, a dead server, a closed port, replies that go astray; and the same ports used
//! again.

use std::net::{IpAddr, SocketAddr};

use ferrovs_tests::ipvs::{Key, Protocol, Server, Settings};

use crate::{
    rig::{Fault, VIP},
    show::{Row, View},
    stage::{Stage, real, tcp, vip},
};

const WIRE: &str = "a segment of the client's, as it sent it";
const NEIGHBOURS: &str = "it is for the kernel to say that a neighbour does not answer";
const ROUTES: &str = "an address to which no route leads";
const SCTP: &str = "SCTP is not told by the model";

fn at(port: u16) -> impl Fn(&Row) -> bool {
    move |row| row.virtual_.port() == port
}

fn no_servers(stage: &mut Stage) {
    let key = tcp(1000);
    stage.title("TCP service with no servers");
    stage.service(key, Settings::new("rr"), 80, &[]);
    stage.client(1000);
    stage.rig.port = 45_000;
    stage.seq("", 1);
    stage.rig.port = 0;
    stage.seq("", 2);
    for _ in 0..3 {
        stage.tape.leave("IP 169.254.179.60.", WIRE);
        stage.tape.expect(
            "IP 169.254.179.1 > 169.254.179.60: \
             ICMP 169.254.179.1 tcp port 1000 unreachable, length 68",
        );
    }
    stage.list(&key, View::Stats);
    stage.title("all weights 0");
    let schedulers = ["rr", "wrr", "wlc", "sh", "mh"];
    for (port, scheduler) in (1001..).zip(schedulers) {
        stage.service(tcp(port), Settings::new(scheduler), 80, &[0, 0]);
        stage.client(port);
        stage.seq(&format!("{scheduler}: "), 2);
    }
}

fn the_directors_own_sockets(stage: &mut Stage) {
    stage.title("a VIP port without any service");
    stage.client(999);
    stage.seq("", 2);
    stage.title(
        "a listener on the director on the same address and port, service without servers: \
         who answers?",
    );
    stage.rig.listeners = vec![(vip(1000), "director"), (vip(1500), "director")];
    stage.client(1000);
    stage.seq("", 2);
    stage.service(tcp(1500), Settings::new("rr"), 80, &[1]);
    stage.client(1500);
    stage.seq("", 2);
    stage.rig.ipvs.delete_service(&tcp(1500)).unwrap();
    stage.tape.expect("service deleted:");
    stage.client(1500);
    stage.seq("", 1);
}

fn dead_server(stage: &mut Stage) {
    let key = tcp(1600);
    stage.title(
        "real server gone (link down, no ARP answer): rr 1/1, 143 down, 6 short with a 4 s limit",
    );
    stage.service(key, Settings::new("rr"), 80, &[1, 1]);
    stage.rig.faults = vec![(real(143, 80), Fault::Down)];
    stage.client(1600);
    stage.rig.patience = 4000;
    stage.seq("", 4);
    stage.list(&key, View::Plain);
    stage.connections(at(1600));
    for _ in 0..4 {
        stage
            .tape
            .leave("IP 169.254.179.1 > 169.254.179.60: ICMP host", NEIGHBOURS);
    }
    stage.title("the server goes down with held connections, comes back");
    stage.rig.faults.clear();
    stage.service(tcp(1601), Settings::new("rr"), 80, &[1, 1]);
    stage.client(1601);
    stage.rig.patience = 2500;
    stage.open("", 2);
    stage.rig.faults = vec![(real(143, 80), Fault::Down)];
    stage.ping();
    stage.rig.faults.clear();
    stage.ping();
    stage.reset_all();
}

fn closed_port(stage: &mut Stage) {
    let closed = real(143, 9);
    stage.rig.faults = vec![(closed, Fault::Closed)];
    let key = tcp(1602);
    stage.title("real server's port closed: half of the connections refused, no health check");
    stage.service(key, Settings::new("rr"), 80, &[1]);
    stage
        .rig
        .ipvs
        .add_server(&key, Server::masq(closed, 1))
        .unwrap();
    stage.client(1602);
    stage.seq("", 6);
    stage.list(&key, View::Plain);
    stage.connections(at(1602));
    let key = tcp(1603);
    stage.title("wlc with a refusing server: the refusing one attracts connections?");
    stage.service(key, Settings::new("wlc"), 80, &[1]);
    stage
        .rig
        .ipvs
        .add_server(&key, Server::masq(closed, 1))
        .unwrap();
    stage.client(1603);
    stage.open("", 12);
    stage.list(&key, View::Plain);
    stage.reset_all();
}

/// Visits from an address whose replies do not come back.
fn in_vain(stage: &mut Stage, bind: impl Into<IpAddr>, count: usize) {
    stage.client(1604);
    stage.rig.patience = 2000;
    stage.rig.bind = bind.into();
    stage.rig.astray = true;
    stage.seq("", count);
    stage.rig.astray = false;
}

fn replies_astray(stage: &mut Stage) {
    stage.title("ip_forward=0 on the director");
    stage.service(tcp(1604), Settings::new("rr"), 80, &[1, 1]);
    in_vain(stage, [169, 254, 179, 60], 2);
    stage.client(1604);
    stage.seq("", 2);
    stage.title("the director itself as client of the VIP");
    stage.client(1604);
    stage.rig.bind = VIP.into();
    stage.seq("", 2);
    stage.title("a client on the servers' own network (asymmetric return)");
    in_vain(stage, [192, 168, 2, 99], 2);
    stage.title("a real server as client of its own VIP");
    in_vain(stage, [192, 168, 2, 141], 4);
    stage.title(
        "a VIP that is on no interface of the director, client routes it there: is it served?",
    );
    stage.tape.leave("ENETUNREACH ENETUNREACH ", ROUTES);
}

fn ports_again(stage: &mut Stage) {
    let key = tcp(1606);
    stage.title("the client reuses its source port at once (conn_reuse_mode=1)");
    stage.service(key, Settings::new("rr"), 80, &[1, 1, 1]);
    stage.client(1606);
    stage.rig.port = 46_000;
    for place in 0..3 {
        stage.open("", 1);
        stage.reset(place);
    }
    stage.connections(at(1606));
    stage.list(&key, View::Plain);
    stage.title(
        "two virtual services, same server socket, same client port: NAT to the same 4-tuple",
    );
    stage.service(tcp(1607), Settings::new("rr"), 80, &[1]);
    stage.service(tcp(1608), Settings::new("rr"), 80, &[1]);
    stage.client(1607);
    stage.rig.patience = 2000;
    stage.rig.port = 46_001;
    stage.open("", 1);
    stage.rig.target = vip(1608);
    stage.open("", 1);
    stage.ping();
    stage.connections(|row| row.client.port() == 46_001);
    stage.reset_all();
}

fn ipv6(stage: &mut Stage) {
    let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 80);
    let key = Key::Address(Protocol::Tcp, address("fd00:a::1"));
    stage.title("IPv6 LVS-NAT");
    let ipvs = &mut stage.rig.ipvs;
    ipvs.add_service(key, Settings::new("rr")).unwrap();
    for server in ["fd00:b::141", "fd00:b::145"] {
        ipvs.add_server(&key, Server::masq(address(server), 1))
            .unwrap();
    }
    stage.client(80);
    stage.rig.target = address("fd00:a::1");
    stage.rig.bind = address("fd00:a::60").ip();
    stage.seq("", 4);
    stage.list(&key, View::Plain);
    stage.connections(|row| row.client.is_ipv6());
}

fn sctp(stage: &mut Stage) {
    stage.title("SCTP LVS-NAT");
    stage.tape.leave("143 141 143 141 ", SCTP);
    for begin in ["SCTP 0", "SCTP 0", "SCTP 0", "SCTP 0"] {
        stage.tape.leave(begin, SCTP);
    }
    for title in View::Stats.titles() {
        stage.tape.expect(title);
    }
    for begin in ["SCTP 169.254.179.1:99", "  -> ", "  -> "] {
        stage.tape.leave(begin, SCTP);
    }
}

#[test]
fn nobody_there() {
    let mut stage = Stage::new("b09-noserver");
    no_servers(&mut stage);
    the_directors_own_sockets(&mut stage);
    dead_server(&mut stage);
    closed_port(&mut stage);
    replies_astray(&mut stage);
    ports_again(&mut stage);
    ipv6(&mut stage);
    sctp(&mut stage);
    assert_eq!((stage.rig.surprises, stage.rig.rejections), (0, 0));
    let left = [(WIRE, 3), (NEIGHBOURS, 4), (ROUTES, 1), (SCTP, 8)];
    stage.tape.finish(&left);
}
