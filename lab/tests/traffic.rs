//! The demonstration's network carries traffic, and captures count it exactly. The kernel's own
//! forwarding stands in for ferrovs.

mod support;

use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    process::Command,
    time::Duration,
};

use ferrovs_lab::{
    CLIENT, Capture, Held, Hook, Offload, Options, Storm, Topology, WebServers,
    capture::{Packet, Tally},
    http::{self, Get},
    udp,
};
use support::{need_root, routed};

const QUIET: Duration = Duration::from_millis(250);
const LIMIT: Duration = Duration::from_secs(5);

fn to_server(packet: &Packet) -> bool {
    packet.direction.destination.port() == 80
}

fn to_client(packet: &Packet) -> bool {
    packet.direction.source.port() == 80
}

#[test]
fn pages_cross_the_director_and_both_wires_count_the_same() {
    need_root();
    for hook in [Hook::Tc, Hook::Xdp] {
        let topology = routed(Options {
            hook,
            ..Options::default()
        });
        let forwarded = topology.director.counter("Ip", "ForwDatagrams").unwrap();
        let client = Capture::start(&topology.client, "eth0").unwrap();
        let servers: Vec<_> = topology
            .servers
            .iter()
            .map(|server| Capture::start(&server.namespace, "eth0").unwrap())
            .collect();
        for server in &topology.servers {
            for port in [40_001, 40_002, 40_003] {
                let page = Get::new(server.web_address(), "/")
                    .source_port(port)
                    .send(&topology.client)
                    .unwrap();
                assert_eq!(page.status, 200);
                assert_eq!(page.local, SocketAddrV4::new(CLIENT, port).into());
                assert_eq!(http::server_of(&page.text()), Some(server.address));
            }
        }
        assert!(client.settle(QUIET, LIMIT, |_| true));
        let client = client.stop().unwrap();
        assert_eq!(client.dropped, 0);
        let mut total = Tally::default();
        for (server, capture) in topology.servers.iter().zip(servers) {
            let seen = capture.stop().unwrap();
            assert_eq!(seen.dropped, 0);
            let (mut here, there) = (seen.directions(), client.directions());
            // The switch says now and then which groups it listens to (IGMP).
            here.retain(|direction, _| direction.protocol == Packet::TCP);
            assert_eq!(here.len(), 6, "three connections, two directions each");
            for (direction, tally) in here {
                assert_eq!(
                    there.get(&direction),
                    Some(&tally),
                    "{direction} over {hook}"
                );
                assert!([direction.source.ip(), direction.destination.ip()].contains(&&CLIENT));
                total = total + tally;
            }
            // On a busy machine one may come twice.
            let syns: BTreeSet<_> = seen
                .matching(|packet| packet.tcp_flags == Packet::SYN)
                .map(|packet| packet.direction.source)
                .collect();
            assert_eq!(syns.len(), 3, "{}", server.address);
        }
        assert_eq!(
            total,
            client.tally(|packet| packet.direction.protocol == Packet::TCP)
        );
        // The kernel is the third that counts; it counts each packet once.
        let forwarded = topology.director.counter("Ip", "ForwDatagrams").unwrap() - forwarded;
        assert_eq!(forwarded, total.packets);
        topology.remove().unwrap();
    }
}

#[test]
fn a_web_server_stops_and_comes_back() {
    need_root();
    let mut topology = routed(Options::default());
    let pages = |topology: &Topology| {
        let servers = topology.servers.iter();
        let page = |web| {
            Get::new(web, "/")
                .limit(LIMIT)
                .send(&topology.client)
                .is_ok()
        };
        servers
            .map(|server| page(server.web_address()))
            .collect::<Vec<_>>()
    };
    topology.servers[0].stop().unwrap();
    assert_eq!(pages(&topology), [false, true]);
    // And again, now that it runs.
    for _ in 0..2 {
        let started = topology.start_web_server(0, &WebServers::Threads);
        started.unwrap();
        assert_eq!(pages(&topology), [true, true]);
    }
    topology.remove().unwrap();
}

#[test]
fn large_bodies_arrive_and_joined_packets_are_told_apart() {
    need_root();
    let topology = routed(Options {
        hook: Hook::Tc,
        servers: 1,
        ..Options::default()
    });
    let web = topology.servers[0].web_address();
    let capture = Capture::start(&topology.client, "eth0").unwrap();
    let bytes = 20_000_000;
    assert_eq!(
        http::download(&topology.client, web, bytes).unwrap().bytes,
        bytes
    );
    assert_eq!(
        http::upload(&topology.client, web, bytes).unwrap().bytes,
        bytes
    );
    assert!(capture.settle(QUIET, LIMIT, |_| true));
    let seen = capture.stop().unwrap();
    assert_eq!(seen.dropped, 0);
    for way in [to_client, to_server] {
        let joined = seen.tally(way);
        let apart: Tally = seen.matching(way).map(Packet::as_segments).sum();
        assert!(joined.bytes > bytes);
        assert!(joined.packets < apart.packets / 4, "{joined:?} {apart:?}");
        // Each packet on a wire fits into 1500 bytes.
        assert!(apart.bytes <= apart.packets * 1500, "{apart:?}");
    }
}

#[test]
fn xdp_cables_compute_their_checksums() {
    need_root();
    let topology = Topology::build(Options {
        hook: Hook::Xdp,
        ..Options::default()
    })
    .unwrap();
    let ends = [
        (&topology.client, "eth0", true),
        (&topology.director, "outer", false),
        (&topology.director, "inner", false),
        (&topology.switch, "director", true),
        (&topology.switch, "rs141", true),
        (&topology.servers[1].namespace, "eth0", false),
    ];
    for (namespace, name, joins) in ends {
        let link = namespace.link(name).unwrap();
        assert!(!link.offload(Offload::TxChecksum).unwrap(), "{name}");
        assert_eq!(link.offload(Offload::Receive).unwrap(), joins, "{name}");
    }
    let topology = Topology::build(Options {
        hook: Hook::Tc,
        ..Options::default()
    })
    .unwrap();
    assert!(
        topology
            .client
            .link("eth0")
            .unwrap()
            .offload(Offload::TxChecksum)
            .unwrap()
    );
}

#[test]
fn a_capture_file_is_what_other_tools_read() {
    need_root();
    let topology = routed(Options {
        servers: 1,
        ..Options::default()
    });
    let file = topology.directory().join("client.pcap");
    let capture = Capture::start_to_file(&topology.client, "eth0", &file).unwrap();
    http::fetch(&topology.client, topology.servers[0].web_address(), "/").unwrap();
    assert!(capture.settle(QUIET, LIMIT, |_| true));
    let seen = capture.stop().unwrap();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(bytes[..4], 0xa1b2_3c4du32.to_ne_bytes());
    let (mut rest, mut frames) = (&bytes[24..], 0);
    while let Some((header, after)) = rest.split_first_chunk::<16>() {
        let length = u32::from_ne_bytes(header[8..12].try_into().unwrap()) as usize;
        if after[12..14] == [8, 0] {
            frames += 1;
        }
        rest = &after[length..];
    }
    assert!(rest.is_empty());
    assert_eq!(frames, seen.packets.len());
}

#[test]
fn load_reports_what_failed() {
    need_root();
    let mut topology = routed(Options {
        servers: 1,
        ..Options::default()
    });
    let web = topology.servers[0].web_address();
    let held = Held::open(&topology.client, web, 50, Duration::from_millis(200)).unwrap();
    let storm = Storm::start(&topology.client, web, 100).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let report = storm.stop().unwrap();
    assert_eq!(report.failures, []);
    assert!((150..=220).contains(&report.loaded()), "{report:?}");
    assert_eq!(held.sources().len(), 50);
    assert_eq!(held.alive(), 50);
    let report = held.close().unwrap();
    assert_eq!((report.cut.len(), report.opened), (0, 50));
    assert!(
        report.sent >= 450 && report.sent == report.echoed,
        "{report:?}"
    );

    let held = Held::open(&topology.client, web, 5, Duration::from_millis(50)).unwrap();
    let storm = Storm::start(&topology.client, web, 50).unwrap();
    topology.servers[0].stop().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(!storm.stop().unwrap().failures.is_empty());
    assert_eq!(held.alive(), 0);
    assert_eq!(held.close().unwrap().cut.len(), 5);
}

#[test]
fn datagrams_are_answered() {
    need_root();
    let topology = routed(Options::default());
    for server in &topology.servers {
        let address = SocketAddrV4::new(server.address, 53);
        let asked = || udp::ask::<Ipv4Addr>(&topology.client, address, 5353, b"who is there");
        assert!(asked().is_err());
        let _server = udp::UdpServer::start(&server.namespace, address).unwrap();
        assert_eq!(asked().unwrap(), server.address);
    }
}

#[test]
fn neighbours_can_be_forgotten() {
    need_root();
    let topology = routed(Options {
        servers: 1,
        ..Options::default()
    });
    http::fetch(&topology.client, topology.servers[0].web_address(), "/").unwrap();
    assert!(topology.director.flush_neighbours().unwrap() >= 2);
    assert_eq!(topology.director.flush_neighbours().unwrap(), 0);
    http::fetch(&topology.client, topology.servers[0].web_address(), "/").unwrap();
}

#[test]
fn curl_and_the_server_understand_each_other() {
    need_root();
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: curl is not installed");
        return;
    }
    let topology = routed(Options {
        servers: 1,
        ..Options::default()
    });
    let url = |path| format!("http://{}{path}", topology.servers[0].address);
    let curl = |arguments: &[&str]| {
        let output = topology
            .client
            .command("curl")
            .args(["-sS"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(curl(&[&url("/")]), http::page(topology.servers[0].address));
    assert_eq!(
        curl(&["--http1.0", &url("/")]),
        http::page(topology.servers[0].address)
    );
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(curl(&[&status[..], &[&url("/nothing")]].concat()), "404");
    assert_eq!(
        curl(&[&status[..], &[&url("/big?bytes=x")]].concat()),
        "400"
    );
    // Large enough for curl to ask first whether it may.
    let file = topology.directory().join("upload");
    fs::write(&file, vec![b'x'; 3_000_000]).unwrap();
    let answer = curl(&["-T", file.to_str().unwrap(), &url("/upload")]);
    assert_eq!(
        answer,
        format!(
            "3000000 bytes, CRC-32 {:08x}\n",
            crc32fast::hash(&vec![b'x'; 3_000_000])
        )
    );
}

#[test]
fn nginx_serves_the_same_pages() {
    need_root();
    if ferrovs_lab::nginx().is_none() {
        eprintln!("SKIPPED: nginx is not installed");
        return;
    }
    let mut topology = Topology::build(Options::default()).unwrap();
    let mut go_on = |_| std::ops::ControlFlow::Continue(());
    topology
        .start_web_servers(&WebServers::Nginx, &mut go_on)
        .unwrap();
    for server in &topology.servers {
        let page = http::fetch(&topology.director, server.web_address(), "/").unwrap();
        assert_eq!(page.text(), http::page(server.address));
    }
    assert!(topology.servers[0].namespace.processes().unwrap().len() >= 2);
    topology.remove().unwrap();
}
