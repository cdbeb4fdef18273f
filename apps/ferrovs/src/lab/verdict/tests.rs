//! A demonstration that went well, and each way in which it can go wrong.

use std::time::Duration;

use ferrovs_lab::capture::Direction;

use super::*;

const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 179, 1), 80);

fn server(last: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(192, 168, 2, last), 80)
}

fn packet(source: SocketAddrV4, destination: SocketAddrV4, tcp_flags: u8, bytes: u32) -> Packet {
    Packet {
        time: Duration::ZERO,
        direction: Direction {
            protocol: Packet::TCP,
            source,
            destination,
        },
        bytes,
        segments: 1,
        segment_bytes: bytes,
        tcp_flags,
        payload: 0,
    }
}

/// Three packets of a connection, two in and one out, as a wire with this endpoint sees them.
fn connection(client_port: u16, endpoint: SocketAddrV4) -> Vec<Packet> {
    let client = SocketAddrV4::new(CLIENT, client_port);
    vec![
        packet(client, endpoint, Packet::SYN, 60),
        packet(endpoint, client, 0x12, 60),
        packet(client, endpoint, 0x10, 52),
    ]
}

fn record(connections: &[(u16, SocketAddrV4)]) -> Record {
    let packets = connections
        .iter()
        .flat_map(|(port, end)| connection(*port, *end))
        .collect();
    Record {
        packets,
        dropped: 0,
    }
}

fn line(endpoint: SocketAddrV4, connections: u64) -> Line {
    Line {
        endpoint,
        connections,
        inbound: Tally {
            packets: 2 * connections,
            bytes: 112 * connections,
        },
        outbound: Tally {
            packets: connections,
            bytes: 60 * connections,
        },
    }
}

fn good() -> Evidence {
    let (one, three) = (server(141), server(143));
    Evidence {
        scheduler: "rr".to_owned(),
        service: VIP,
        pages: [three, one, three].map(|server| Ok(*server.ip())).into(),
        client: record(&[(1001, VIP), (1002, VIP), (1003, VIP)]),
        servers: vec![
            (one, record(&[(1002, one)])),
            (three, record(&[(1001, three), (1003, three)])),
        ],
        stats: Ok(Stats {
            service: line(VIP, 3),
            servers: vec![line(one, 1), line(three, 2)],
        }),
        listed: [1001, 1002, 1003]
            .map(|port| SocketAddrV4::new(CLIENT, port))
            .into(),
        forwarded: (7, 7),
        count: Packet::as_joined,
    }
}

/// The texts of the checks that do not hold.
fn failures(evidence: &Evidence) -> Vec<String> {
    evidence
        .judge()
        .into_iter()
        .filter(|check| !check.holds)
        .map(|check| check.text)
        .collect()
}

#[test]
fn all_holds_when_all_went_well() {
    assert_eq!(failures(&good()), [""; 0]);
}

#[test]
fn pages_in_another_order_fail() {
    let mut evidence = good();
    evidence.pages.swap(0, 1);
    assert_eq!(
        failures(&evidence),
        ["the pages came .141, .143, .143; expected .143, .141, .143"]
    );
    evidence.scheduler = "wlc".to_owned();
    assert_eq!(failures(&evidence), [""; 0]);
}

#[test]
fn a_missing_page_fails() {
    let mut evidence = good();
    evidence.pages[1] = Err("no answer".to_owned());
    assert_eq!(failures(&evidence), ["1 of 3 pages did not come"]);
}

#[test]
fn one_byte_more_on_the_wire_fails() {
    let mut evidence = good();
    evidence.client.packets[1].bytes += 1;
    assert_eq!(failures(&evidence).len(), 1);
    let mut evidence = good();
    evidence.servers[1].1.packets[1].bytes += 1;
    assert_eq!(failures(&evidence).len(), 1);
}

#[test]
fn a_lost_packet_fails_both_counts() {
    let mut evidence = good();
    evidence.client.packets.pop();
    evidence.servers[0].1.packets.pop();
    assert_eq!(failures(&evidence).len(), 2);
}

#[test]
fn an_unreadable_or_unknown_line_fails() {
    let mut evidence = good();
    evidence.stats.as_mut().unwrap().servers.remove(0);
    assert_eq!(
        failures(&evidence),
        ["--stats does not list 192.168.2.141:80"]
    );
    evidence.stats = Err("nonsense".to_owned());
    assert_eq!(failures(&evidence), ["--stats: nonsense"]);
}

#[test]
fn a_translated_source_fails() {
    let mut evidence = good();
    let dip = SocketAddrV4::new(Ipv4Addr::new(192, 168, 2, 140), 9);
    evidence.servers[0].1.packets[2].direction.source = dip;
    assert_eq!(
        failures(&evidence),
        ["the servers' wires show {192.168.2.140}, not only 169.254.179.60"]
    );
}

#[test]
fn the_kernel_may_forward_nothing() {
    let mut evidence = good();
    evidence.forwarded = (7, 8);
    assert_eq!(failures(&evidence).len(), 1);
}

#[test]
fn a_connection_that_is_not_listed_fails() {
    let mut evidence = good();
    evidence.listed.pop();
    assert_eq!(
        failures(&evidence),
        ["-c lists 2 of the 3 connections on the client's wire"]
    );
}

#[test]
fn missed_packets_fail() {
    let mut evidence = good();
    evidence.servers[1].1.dropped = 2;
    assert_eq!(failures(&evidence), ["the captures missed 2 packets"]);
}

#[test]
fn nothing_at_all_fails() {
    let mut evidence = good();
    evidence.pages = vec![Err("no answer".to_owned())];
    evidence.client.packets.clear();
    evidence
        .servers
        .iter_mut()
        .for_each(|(_, record)| record.packets.clear());
    evidence.stats = Ok(Stats {
        service: line(VIP, 0),
        servers: vec![line(server(141), 0), line(server(143), 0)],
    });
    let failures = failures(&evidence);
    assert!(failures.len() >= 3, "{failures:?}");
}
