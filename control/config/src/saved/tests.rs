use ferrovs_model::{
    Encapsulation, Forwarding, Netmask, Persistence, Protocol, SchedulerFlags, ServiceSettings,
    Snat, Sysctl, TunnelChecksum,
};

use super::*;

fn add(key: ServiceKey, settings: ServiceSettings) -> Change {
    Change::AddService {
        service: key,
        settings,
    }
}

fn join(service: ServiceKey, destination: Destination) -> Change {
    Change::AddDestination {
        service,
        destination,
    }
}

/// Everything that a state can hold.
fn rich() -> Wanted {
    let http = ServiceKey::address(Protocol::Tcp, "10.0.0.1:80".parse().unwrap());
    let sip = ServiceKey::address(Protocol::Udp, "[2001:db8::1]:5060".parse().unwrap());
    let mark = ServiceKey::Mark {
        mark: u32::MAX,
        ipv6: true,
    };
    let gue = Encapsulation::Gue {
        port: 6080,
        checksum: TunnelChecksum::Remote,
    };
    let gre = Encapsulation::Gre {
        checksum: TunnelChecksum::Full,
    };
    let server = |host: u8| Destination::masq(([10, 0, 1, host], 80).into());
    let tunnel = |host, encapsulation| Destination {
        forwarding: Forwarding::Tunnel(encapsulation),
        ..server(host)
    };
    let mut wanted = Wanted::default();
    wanted
        .apply_all(&[
            add(
                mark,
                ServiceSettings {
                    scheduler_flags: SchedulerFlags::PORT | SchedulerFlags::THIRD,
                    persistence: Some(Persistence {
                        timeout: 5,
                        netmask: Netmask::V6(64),
                    }),
                    ..ServiceSettings::new("mh")
                },
            ),
            add(
                http,
                ServiceSettings {
                    persistence: Some(Persistence {
                        timeout: 60,
                        netmask: Netmask::V4([255, 255, 0, 255].into()),
                    }),
                    ..ServiceSettings::new("wrr")
                },
            ),
            join(http, server(9)),
            join(
                http,
                Destination {
                    forwarding: Forwarding::FullNat,
                    ..server(18)
                },
            ),
            join(
                http,
                Destination {
                    forwarding: Forwarding::Auto,
                    ..server(17)
                },
            ),
            Change::SetSnat {
                snat: Some(Snat {
                    from: vec!["10.0.1.0/24".parse().unwrap()],
                    to: vec!["10.0.0.1".parse().unwrap()],
                }),
            },
            Change::SetPool {
                addresses: ["10.0.1.254", "[2001:db8::fe]:20000-29999"]
                    .map(|one| one.parse().unwrap())
                    .to_vec(),
            },
            join(
                http,
                Destination {
                    forwarding: Forwarding::Route,
                    weight: 0,
                    upper_threshold: 7,
                    lower_threshold: 3,
                    ..server(1)
                },
            ),
            join(http, tunnel(5, Encapsulation::Ipip)),
            join(http, tunnel(6, gue)),
            join(http, tunnel(7, gre)),
            add(
                sip,
                ServiceSettings {
                    persistence_engine: Some("sip".to_owned()),
                    one_packet: true,
                    ..ServiceSettings::new("none")
                },
            ),
            Change::SetTimeouts {
                tcp: Some(1),
                tcp_fin: Some(2),
                udp: Some(3),
            },
            Change::SetSysctl {
                name: Sysctl::SloppyTcp,
                value: 1,
            },
            Change::SetSysctl {
                name: Sysctl::ExpireNodestConn,
                value: 0,
            },
        ])
        .unwrap();
    wanted
}

#[test]
fn nothing_is_lost() {
    let wanted = rich();
    assert_eq!(read(&write(&wanted).unwrap()).unwrap(), wanted);
    let empty = Wanted::default();
    assert_eq!(read(&write(&empty).unwrap()).unwrap(), empty);
}

#[test]
fn the_file_is_for_people() {
    let text = write(&rich()).unwrap();
    let expected = r#"
format = 1
pool = ["10.0.1.254", "[2001:db8::fe]:20000-29999"]

[snat]
from = ["10.0.1.0/24"]
to = ["10.0.0.1"]

[timeouts]
tcp = 1
tcp_fin = 2
udp = 3

[sysctls]
expire_nodest_conn = 0
sloppy_tcp = 1

[[service]]
mark = 4294967295
ipv6 = true
scheduler = "mh"
scheduler_flags = ["port", "flag-3"]
persistence = 5
netmask = 64

[[service]]
protocol = "tcp"
address = "10.0.0.1:80"
scheduler = "wrr"
persistence = 60
netmask = "255.255.0.255"

[[service.server]]
address = "10.0.1.7:80"
forwarding = "gre"
tunnel_checksum = "full"
weight = 1

[[service.server]]
address = "10.0.1.6:80"
forwarding = "gue"
tunnel_port = 6080
tunnel_checksum = "remote"
weight = 1
"#;
    let head: Vec<&str> = text.lines().skip(2).take(43).collect();
    assert_eq!(head.join("\n"), expected.trim());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let service = "format = 1\n[[service]]\nprotocol = \"tcp\"\naddress = \"10.0.0.1:80\"\n";
    let server = "[[service.server]]\naddress = \"10.0.1.1:80\"\n";
    for (text, expected) in [
        (String::new(), "line 1, column 1: missing field `format`"),
        (
            "format = 2".to_owned(),
            "line 1, column 1: this is format 2, and this version reads format 1",
        ),
        (
            "format = 1\nservices = []".to_owned(),
            "line 2, column 1: unknown field `services`, expected one of `format`, `pool`, `snat`, `timeouts`, `sysctls`, `service`",
        ),
        (
            format!("{service}scheduler = \"fifo\""),
            "line 2, column 1: TCP 10.0.0.1:80: there is no such scheduler or persistence engine: \
             schedulers are rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos, ewma, \
             mhb and none, the engine is sip",
        ),
        (
            format!("{service}scheduler = \"rr\"\n{server}forwarding = \"mask\""),
            "line 8, column 14: unknown variant `mask`, expected one of `masq`, `fullnat`, `auto`, `route`, `ipip`, `gue`, `gre`",
        ),
        (
            format!(
                "{service}scheduler = \"rr\"\n{server}forwarding = \"masq\"\nlower_threshold = 1"
            ),
            "line 6, column 1: server 10.0.1.1:80 of TCP 10.0.0.1:80: weight and thresholds are at most \
             2147483647, and the lower threshold at most the upper one",
        ),
        (
            format!("{service}scheduler = \"rr\"\nmark = 7"),
            "line 2, column 1: a service has either `protocol` and `address`, or `mark` and perhaps `ipv6`",
        ),
        (
            format!("{service}scheduler = \"rr\"\nnetmask = 64"),
            "line 2, column 1: TCP 10.0.0.1:80: a netmask is for persistence, which is not asked for",
        ),
        (
            "format = 1\n[timeouts]\ntcp = 0\ntcp_fin = 1\nudp = 1".to_owned(),
            "line 1, column 1: each timeout must be 1 to 2678400 seconds",
        ),
        (
            "format = 1\n[sysctls]\nconn_reuse_mode = 4".to_owned(),
            "line 2, column 1: conn_reuse_mode is a number from 0 to 3, not \"4\"",
        ),
        (
            "format = 1\n[sysctls]\nsloppy_tcp = 1\nrun_estimation = 0".to_owned(),
            "line 4, column 1: the sysctl run_estimation has no meaning for ferrovs: rates are measured by the \
             daemon, which reads the counters every second; no kernel threads do it",
        ),
    ] {
        let error = read(&text).unwrap_err().to_string();
        assert_eq!(error, expected, "{text}");
    }
    // Syntax too.
    let error = read("format = 1\n[[service]\n").unwrap_err();
    assert_eq!(error.line, 2, "{error}");
}

/// The parser bounds how deep values lie in each other and how many dots a key has, but the two multiply.
#[test]
fn the_deepest_nesting_is_refused_on_the_stack_of_a_program() {
    let key = ["a"; 79].join(".");
    let (open, close) = (format!("{{{key}=").repeat(78), "}".repeat(78));
    let text = format!("format = {open}1{close}\n");
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let read = thread.spawn(move || read(&text)).unwrap().join().unwrap();
    let error = read.unwrap_err();
    assert_eq!((error.line, error.column), (1, 10), "{error}");
}
