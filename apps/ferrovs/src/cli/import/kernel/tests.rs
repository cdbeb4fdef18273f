use ferrovs_config::saved;

use super::*;

fn tcp(address: &str) -> ipvs::Key {
    ipvs::Key::Address {
        protocol: ipvs::Protocol::Tcp,
        address: address.parse().unwrap(),
    }
}

fn service(key: ipvs::Key, destinations: Vec<ipvs::Destination>) -> ipvs::Service {
    ipvs::Service {
        key,
        scheduler: "wlc".to_owned(),
        scheduler_flags: [false; 3],
        persistence: None,
        persistence_engine: None,
        one_packet: false,
        destinations,
    }
}

fn server(address: &str, forwarding: ipvs::Forwarding) -> ipvs::Destination {
    ipvs::Destination {
        address: address.parse().unwrap(),
        forwarding,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn table(services: Vec<ipvs::Service>) -> ipvs::Table {
    ipvs::Table {
        services,
        timeouts: ipvs::Timeouts {
            tcp: Some(901),
            tcp_fin: None,
            udp: Some(301),
        },
    }
}

#[test]
fn nothing_is_lost_on_the_way_into_a_file() {
    let gue = ipvs::Forwarding::Tunnel(ipvs::Encapsulation::Gue {
        port: 6080,
        checksum: ipvs::TunnelChecksum::Remote,
    });
    let gre = ipvs::Forwarding::Tunnel(ipvs::Encapsulation::Gre {
        checksum: ipvs::TunnelChecksum::Full,
    });
    let ipip = ipvs::Forwarding::Tunnel(ipvs::Encapsulation::Ipip);
    let mark = ipvs::Key::Mark {
        mark: u32::MAX,
        ipv6: true,
    };
    let table = table(vec![
        service(mark, vec![server("[2001:db8::1]:0", ipip)]),
        ipvs::Service {
            scheduler: "sh".to_owned(),
            scheduler_flags: [true, false, true],
            persistence: Some(ipvs::Persistence {
                timeout: 360,
                netmask: ipvs::Netmask::V4([255, 0, 255, 0].into()),
            }),
            persistence_engine: Some("sip".to_owned()),
            ..service(
                tcp("10.0.0.1:0"),
                vec![
                    ipvs::Destination {
                        weight: 0,
                        upper_threshold: 20,
                        lower_threshold: 10,
                        ..server("10.1.0.2:80", ipvs::Forwarding::Route)
                    },
                    server("10.1.0.1:80", ipvs::Forwarding::Masq),
                    server("10.1.0.3:80", gue),
                    server("10.1.0.4:80", gre),
                ],
            )
        },
    ]);
    let text = saved::write(&wanted(&table).unwrap()).unwrap();
    let body: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    let expected = r#"format = 1
[timeouts]
tcp = 901
tcp_fin = 120
udp = 301
[[service]]
protocol = "tcp"
address = "10.0.0.1:0"
scheduler = "sh"
scheduler_flags = ["fallback", "flag-3"]
persistence = 360
netmask = "255.0.255.0"
persistence_engine = "sip"
[[service.server]]
address = "10.1.0.2:80"
forwarding = "route"
weight = 0
upper_threshold = 20
lower_threshold = 10
[[service.server]]
address = "10.1.0.1:80"
forwarding = "masq"
weight = 1
[[service.server]]
address = "10.1.0.3:80"
forwarding = "gue"
tunnel_port = 6080
tunnel_checksum = "remote"
weight = 1
[[service.server]]
address = "10.1.0.4:80"
forwarding = "gre"
tunnel_checksum = "full"
weight = 1
[[service]]
mark = 4294967295
ipv6 = true
scheduler = "wlc"
[[service.server]]
address = "[2001:db8::1]:0"
forwarding = "ipip"
weight = 1"#;
    assert_eq!(body, expected.lines().collect::<Vec<_>>());
}

#[test]
fn all_that_has_no_equal_is_named_at_once() {
    let strange = ipvs::Service {
        scheduler: "homemade".to_owned(),
        ..service(
            tcp("10.0.0.2:80"),
            vec![server("10.1.0.1:80", ipvs::Forwarding::Masq)],
        )
    };
    let flags = ipvs::Forwarding::Tunnel(ipvs::Encapsulation::Gre {
        checksum: ipvs::TunnelChecksum::Other(3),
    });
    let other = ipvs::Forwarding::Tunnel(ipvs::Encapsulation::Other(9));
    let servers = vec![
        server("10.1.0.5:80", other),
        server("10.1.0.4:80", flags),
        server("10.1.0.3:80", ipvs::Forwarding::Bypass),
        server("10.1.0.2:80", ipvs::Forwarding::Local),
        server("10.1.0.1:80", ipvs::Forwarding::Masq),
    ];
    let table = table(vec![strange, service(tcp("10.0.0.1:80"), servers)]);
    assert_eq!(
        wanted(&table).unwrap_err(),
        [
            "server 10.1.0.2:80 of TCP 10.0.0.1:80: it has the forwarding method local",
            "server 10.1.0.3:80 of TCP 10.0.0.1:80: it has the forwarding method bypass",
            "server 10.1.0.4:80 of TCP 10.0.0.1:80: it has the tunnel flags 0x3",
            "server 10.1.0.5:80 of TCP 10.0.0.1:80: it has the tunnel type 9",
            "TCP 10.0.0.2:80 (scheduler homemade): there is no such scheduler or persistence engine",
        ]
    );
}

#[test]
fn an_empty_table_is_an_empty_state() {
    let state = wanted(&table(Vec::new())).unwrap();
    assert!(state.services().is_empty());
    assert_eq!(state.timeouts().tcp, 901);
}
