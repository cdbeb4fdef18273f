//! UDP: one entry for each client port, one-packet scheduling, fragments, a server that is taken away.

use ferrovs_tests::ipvs::{Key, Persistence, Settings, Verdict};

use crate::{
    rig::CLIENT,
    show::{Row, View},
    stage::{Stage, real, udp, vip},
};

const STATISTICS: &str = "statistics of traffic of the last two seconds";
const WIRE: &str = "a datagram of the client's, as it sent it";

const fn one_packet(scheduler: &'static str) -> Settings {
    Settings {
        one_packet: true,
        ..Settings::new(scheduler)
    }
}

fn at(port: u16) -> impl Fn(&Row) -> bool {
    move |row| row.virtual_.port() == port
}

fn serve(stage: &mut Stage, port: u16, settings: Settings, weights: &[u32]) -> Key {
    stage.service(udp(port), settings, 53, weights);
    stage.client(port);
    udp(port)
}

/// `--stats`, which still say nothing.
fn no_statistics(stage: &mut Stage, port: u16, hosts: usize) {
    for title in View::Stats.titles() {
        stage.tape.expect(title);
    }
    stage.tape.leave(&format!("UDP  {}", vip(port)), STATISTICS);
    for _ in 0..hosts {
        stage.tape.leave("  -> 192.168.2.", STATISTICS);
    }
}

fn many_sockets(stage: &mut Stage) {
    stage.title("UDP rr, new source port each: 8");
    let key = serve(stage, 1000, Settings::new("rr"), &[1, 1, 1]);
    stage.datagrams(8, 6);
    stage.list(&key, View::Plain);
    stage.titles_of_connections();
    stage.connections(|_| true);
    no_statistics(stage, 1000, 3);
}

fn one_socket(stage: &mut Stage) {
    stage.title("UDP rr, one socket: 8 datagrams");
    let key = serve(stage, 1001, Settings::new("rr"), &[1, 1, 1]);
    stage.datagrams_of_one(8);
    stage.list(&key, View::Plain);
    stage.connections(at(1001));
    stage.list(&key, View::Stats);
}

fn one_packet_scheduling(stage: &mut Stage) {
    stage.title("UDP -o, one socket: 8 datagrams");
    let key = serve(stage, 1002, one_packet("rr"), &[1, 1, 1]);
    stage.datagrams_of_one(8);
    stage.list(&key, View::Plain);
    stage.connections(at(1002));
    stage.list(&key, View::Stats);
    stage.title("UDP -o wrr 3/1");
    serve(stage, 1003, one_packet("wrr"), &[3, 1]);
    stage.datagrams_of_one(12);
    stage.title("UDP -o wlc (no connections counted)");
    serve(stage, 1004, one_packet("wlc"), &[1, 1]);
    stage.datagrams_of_one(8);
}

fn least_connections(stage: &mut Stage) {
    stage.title("UDP wlc, new port each, and lc");
    let key = serve(stage, 1005, Settings::new("wlc"), &[1, 1]);
    stage.datagrams(8, 6);
    stage.list(&key, View::Plain);
}

fn persistence(stage: &mut Stage) {
    let settings = Settings {
        persistence: Some(Persistence {
            timeout: 60,
            netmask: u32::MAX,
        }),
        ..Settings::new("rr")
    };
    stage.title("UDP -p 60");
    serve(stage, 1006, settings, &[1, 1, 1]);
    stage.datagrams(4, 6);
    stage.connections(at(1006));
}

/// What a tool on the client's wire, or on the server's, wrote of each datagram and its answer.
fn wire(stage: &mut Stage, expect: impl Fn(usize, &str) -> Option<String>, lines: usize) {
    for line in 0..lines {
        let recorded = stage.tape.peek().unwrap().to_owned();
        match expect(line, &recorded) {
            Some(expected) => stage.tape.expect(&expected),
            None => stage.tape.leave(&format!("IP {CLIENT}."), WIRE),
        }
    }
    stage.tape.expect("");
}

/// Answers are not translated: they come from the servers that the scheduler picks.
fn answers_of_one_packet(stage: &mut Stage) {
    stage.title("what a -o reply looks like on the client's wire");
    stage.client(1002);
    stage.rig.answers.clear();
    stage.datagrams_of_one(2);
    let answers = stage.rig.answers.clone();
    assert!(answers.iter().all(|(_, verdict)| *verdict == Verdict::Pass));
    let expect = |line: usize, recorded: &str| {
        let (server, _) = answers[line / 2];
        let to_client = recorded.split(" > ").nth(1).unwrap();
        let from = format!("IP {}.{}", server.ip(), server.port());
        (line % 2 == 1).then(|| format!("{from} > {to_client}"))
    };
    wire(stage, expect, 4);
}

fn fragments(stage: &mut Stage) {
    stage.title("UDP large datagram (fragments): 4000 bytes, rr");
    serve(stage, 1007, Settings::new("rr"), &[1, 1]);
    // The kernel puts the fragments together before IPVS sees them.
    stage.datagrams(4, 4000);
    no_statistics(stage, 1007, 2);
    stage.title("UDP -o, 4000 bytes");
    stage.client(1002);
    stage.datagrams(4, 4000);
}

fn server_removed(stage: &mut Stage) {
    stage.title("UDP server removed; the same socket goes on (expire_nodest_conn 0, then 1)");
    for (port, expires) in [(1008, false), (1009, true)] {
        stage.rig.ipvs.sysctls.expire_nodest_conn = expires;
        let key = serve(stage, port, Settings::new("rr"), &[1, 1]);
        stage.rig.port = 50_000 + u16::from(expires);
        stage.datagrams_of_one(2);
        stage.connections(at(port));
        stage.tape.expect("deleting 143");
        stage.rig.ipvs.delete_server(&key, real(143, 53)).unwrap();
        for _ in 0..3 {
            stage.datagrams_of_one(1);
        }
        stage.connections(at(port));
    }
    stage.rig.ipvs.sysctls.expire_nodest_conn = false;
}

fn nobody(stage: &mut Stage) {
    stage.title("UDP all weights 0: the client sees");
    serve(stage, 1010, Settings::new("rr"), &[0, 0]);
    stage.datagrams(1, 6);
    let unreachable = "IP 169.254.179.1 > 169.254.179.60: \
                       ICMP 169.254.179.1 udp port 1010 unreachable, length 42";
    wire(
        stage,
        |line, _| (line == 1).then(|| unreachable.to_owned()),
        2,
    );
    stage.title("UDP no servers");
    serve(stage, 1011, Settings::new("rr"), &[]);
    stage.datagrams(1, 6);
}

fn addresses(stage: &mut Stage) {
    stage.title("UDP: what source does the server see? (client address kept)");
    stage.client(1000);
    stage.rig.port = 45_678;
    stage.rig.answers.clear();
    stage.datagrams(3, 6);
    for (server, _) in stage.rig.answers.clone() {
        let (client, server) = (format!("{CLIENT}.45678"), format!("{}.53", server.ip()));
        stage.tape.expect(&format!(
            "IP {client} > {server}: domain [length 6 < 12] (invalid)"
        ));
        stage.tape.expect(&format!(
            "IP {server} > {client}: domain [length 3 < 12] (invalid)"
        ));
    }
    stage.tape.expect("");
}

#[test]
fn datagrams() {
    let mut stage = Stage::new("b06-udp");
    many_sockets(&mut stage);
    one_socket(&mut stage);
    one_packet_scheduling(&mut stage);
    least_connections(&mut stage);
    persistence(&mut stage);
    answers_of_one_packet(&mut stage);
    fragments(&mut stage);
    server_removed(&mut stage);
    nobody(&mut stage);
    addresses(&mut stage);
    stage.tape.finish(&[(STATISTICS, 7), (WIRE, 3)]);
}
