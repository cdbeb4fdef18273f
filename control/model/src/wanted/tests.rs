use super::*;
use crate::{Forwarding, MAX_WEIGHT, Protocol, Sysctl};

fn vip(port: u16) -> ServiceKey {
    ServiceKey::address(Protocol::Tcp, ([10, 0, 0, 1], port).into())
}

fn rr() -> ServiceSettings {
    scheduled("rr")
}

fn scheduled(name: &str) -> ServiceSettings {
    ServiceSettings::new(name)
}

fn add(port: u16) -> Change {
    Change::AddService {
        service: vip(port),
        settings: rr(),
    }
}

fn rip(host: u8, weight: u32) -> Destination {
    Destination {
        weight,
        ..Destination::masq(([192, 168, 2, host], 80).into())
    }
}

fn add_rip(port: u16, host: u8) -> Change {
    Change::AddDestination {
        service: vip(port),
        destination: rip(host, 1),
    }
}

fn delete_rip(port: u16, host: u8) -> Change {
    Change::DeleteDestination {
        service: vip(port),
        address: rip(host, 1).address,
    }
}

fn set(name: Sysctl, value: u32) -> Change {
    Change::SetSysctl { name, value }
}

fn hosts(wanted: &Wanted, port: u16) -> Vec<u8> {
    let service = wanted.service(&vip(port)).unwrap();
    service
        .destinations
        .iter()
        .map(|d| match d.address.ip() {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        })
        .collect()
}

fn made(changes: &[Change]) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.apply_all(changes).unwrap();
    wanted
}

#[test]
fn services_are_kept_in_order_whatever_the_order_of_adding() {
    let wanted = made(&[add(443), add(80), add(8080)]);
    let keys: Vec<_> = wanted.services().iter().map(|s| s.key).collect();
    assert_eq!(keys, [vip(80), vip(443), vip(8080)]);
}

#[test]
fn the_newest_destination_is_first_and_coming_back_counts_as_new() {
    let mut wanted = made(&[
        add(80),
        add_rip(80, 141),
        add_rip(80, 142),
        add_rip(80, 143),
    ]);
    assert_eq!(hosts(&wanted, 80), [143, 142, 141]);
    wanted.apply(&delete_rip(80, 142)).unwrap();
    assert_eq!(hosts(&wanted, 80), [143, 141]);
    wanted.apply(&add_rip(80, 142)).unwrap();
    assert_eq!(hosts(&wanted, 80), [142, 143, 141]);
}

#[test]
fn an_edited_destination_keeps_its_place() {
    let mut wanted = made(&[add(80), add_rip(80, 141), add_rip(80, 143)]);
    wanted
        .apply(&Change::EditDestination {
            service: vip(80),
            destination: rip(141, 7),
        })
        .unwrap();
    assert_eq!(hosts(&wanted, 80), [143, 141]);
    assert_eq!(wanted.services()[0].destinations[1].weight, 7);
}

#[test]
fn refusals_mean_what_they_mean_in_the_kernel() {
    let wanted = made(&[add(80), add_rip(80, 141)]);
    let edit_rip = |port, host| Change::EditDestination {
        service: vip(port),
        destination: rip(host, 1),
    };
    let zero = |port| Change::Zero {
        service: Some(vip(port)),
    };
    let table = [
        (add(80), Refusal::ServiceExists),
        (
            Change::AddService {
                service: vip(81),
                settings: scheduled("nosuch"),
            },
            Refusal::SchedulerNotFound,
        ),
        // Being there already is noticed before the scheduler is looked up.
        (
            Change::AddService {
                service: vip(80),
                settings: scheduled("nosuch"),
            },
            Refusal::ServiceExists,
        ),
        (
            Change::AddService {
                service: vip(0),
                settings: rr(),
            },
            Refusal::Invalid,
        ),
        (
            Change::AddService {
                service: ServiceKey::Mark {
                    mark: 0,
                    ipv6: false,
                },
                settings: rr(),
            },
            Refusal::Invalid,
        ),
        (
            Change::EditService {
                service: vip(81),
                settings: rr(),
            },
            Refusal::NoSuchService,
        ),
        (
            Change::EditService {
                service: vip(80),
                settings: scheduled("nosuch"),
            },
            Refusal::SchedulerNotFound,
        ),
        (
            Change::DeleteService { service: vip(81) },
            Refusal::NoSuchService,
        ),
        (zero(81), Refusal::NoSuchService),
        (add_rip(81, 141), Refusal::ServiceNotDefined),
        (edit_rip(81, 141), Refusal::ServiceNotDefined),
        (delete_rip(81, 141), Refusal::ServiceNotDefined),
        (add_rip(80, 141), Refusal::DestinationExists),
        (edit_rip(80, 143), Refusal::NoSuchDestination),
        (delete_rip(80, 143), Refusal::NoSuchDestination),
        (
            Change::AddDestination {
                service: vip(80),
                destination: Destination {
                    address: "224.0.0.1:80".parse().unwrap(),
                    ..rip(1, 1)
                },
            },
            Refusal::Invalid,
        ),
        (
            Change::AddDestination {
                service: vip(80),
                destination: rip(143, MAX_WEIGHT + 1),
            },
            Refusal::OutOfRange,
        ),
        (
            Change::AddDestination {
                service: vip(80),
                destination: Destination {
                    forwarding: Forwarding::Route,
                    ..rip(141, 1)
                },
            },
            Refusal::DestinationExists,
        ),
        // Numbers are looked at before the list of servers.
        (
            Change::EditDestination {
                service: vip(80),
                destination: rip(143, MAX_WEIGHT + 1),
            },
            Refusal::OutOfRange,
        ),
        (
            Change::SetTimeouts {
                tcp: Some(5),
                tcp_fin: Some(0),
                udp: None,
            },
            Refusal::Invalid,
        ),
        (set(Sysctl::SloppyTcp, 2), Refusal::OutOfRange),
    ];
    for (change, refusal) in table {
        let mut changed = wanted.clone();
        assert_eq!(changed.apply(&change), Err(refusal), "{change:?}");
        assert_eq!(changed, wanted, "{change:?} was half applied");
    }
}

#[test]
fn a_list_is_applied_whole_or_not_at_all() {
    let mut wanted = made(&[add(80)]);
    let before = wanted.clone();
    let refused = wanted
        .apply_all(&[add(81), add_rip(81, 141), add(80), add(82)])
        .unwrap_err();
    assert_eq!(
        refused,
        RefusedChange {
            index: 2,
            refusal: Refusal::ServiceExists
        }
    );
    assert_eq!(wanted, before);
    wanted.apply_all(&[add(81), add_rip(81, 141)]).unwrap();
    assert_eq!(wanted.services().len(), 2);
}

#[test]
fn timeouts_left_out_stay_and_clearing_keeps_them() {
    let mut wanted = made(&[add(80)]);
    wanted
        .apply(&Change::SetTimeouts {
            tcp: Some(100),
            tcp_fin: None,
            udp: Some(7),
        })
        .unwrap();
    wanted.apply(&Change::Clear).unwrap();
    assert_eq!(wanted.services(), []);
    let timeouts = Timeouts {
        tcp: 100,
        tcp_fin: 120,
        udp: 7,
    };
    assert_eq!(wanted.timeouts(), timeouts);
}

#[test]
fn sysctls_stay_until_they_are_set_or_replaced() {
    let mut wanted = made(&[add(80), set(Sysctl::ConnReuseMode, 0)]);
    wanted.apply(&Change::Clear).unwrap();
    assert_eq!(wanted.sysctls().get(Sysctl::ConnReuseMode), 0);
    assert!(!wanted.is_empty());
    let state = made(&[set(Sysctl::SloppyTcp, 1)]);
    let replaced = state.sysctls();
    wanted.apply(&Change::Replace { state }).unwrap();
    assert_eq!(wanted.sysctls(), replaced);
    wanted.apply(&set(Sysctl::SloppyTcp, 0)).unwrap();
    assert!(wanted.is_empty());
}

#[test]
fn a_service_that_comes_back_is_another_one() {
    let mut wanted = made(&[add(80), add(81)]);
    let added = |wanted: &Wanted, port| wanted.service(&vip(port)).map(|s| s.added);
    assert_eq!([added(&wanted, 80), added(&wanted, 81)], [Some(0), Some(1)]);
    wanted
        .apply_all(&[Change::Clear, add(81), add(80)])
        .unwrap();
    assert_eq!([added(&wanted, 81), added(&wanted, 80)], [Some(2), Some(3)]);
}

#[test]
fn replacing_keeps_the_services_that_stay() {
    let before = made(&[add(80), add_rip(80, 141), add(81)]);
    let mut state = made(&[
        add(82),
        add(81),
        add_rip(81, 143),
        add_rip(81, 142),
        add(80),
        Change::SetTimeouts {
            tcp: Some(5),
            tcp_fin: None,
            udp: None,
        },
    ]);
    let mut wanted = before.clone();
    let replace = |state: &Wanted| Change::Replace {
        state: state.clone(),
    };
    wanted.apply(&replace(&state)).unwrap();
    assert_eq!(hosts(&wanted, 81), [142, 143]);
    assert!(hosts(&wanted, 80).is_empty());
    assert_eq!(wanted.timeouts().tcp, 5);
    let added: Vec<_> = wanted.services().iter().map(|s| s.added).collect();
    assert_eq!(added, [0, 1, 2]);

    // What the state says is checked as if it were said by one change after the other.
    state.services[0].settings = scheduled("nosuch");
    let mut unchanged = before.clone();
    let refused = unchanged.apply(&replace(&state));
    assert_eq!(refused, Err(Refusal::SchedulerNotFound));
    assert_eq!(unchanged, before);
}

#[test]
fn the_state_survives_as_json() {
    let mut wanted = made(&[add(443), add(80), add_rip(80, 141), add_rip(80, 143)]);
    let round_trip = |wanted: &Wanted| {
        let json = serde_json::to_string(wanted).unwrap();
        assert_eq!(serde_json::from_str::<Wanted>(&json).unwrap(), *wanted);
        json
    };
    // As older daemons wrote it, which had no sysctls.
    assert!(!round_trip(&wanted).contains("sysctl"));
    wanted.apply(&set(Sysctl::SloppyTcp, 1)).unwrap();
    assert!(round_trip(&wanted).contains(r#""sysctls":{"sloppy_tcp":1}"#));
}

#[test]
fn json_with_doubles_is_not_a_state() {
    let wanted = made(&[add(80), add_rip(80, 141)]);
    let mut json = serde_json::to_value(&wanted).unwrap();
    let services = json["services"].as_array_mut().unwrap();
    services.push(services[0].clone());
    let error = serde_json::from_value::<Wanted>(json).unwrap_err();
    assert_eq!(error.to_string(), "TCP 10.0.0.1:80 is there twice");

    let mut json = serde_json::to_value(&wanted).unwrap();
    let destinations = json["services"][0]["destinations"].as_array_mut().unwrap();
    destinations.push(destinations[0].clone());
    let error = serde_json::from_value::<Wanted>(json).unwrap_err();
    assert_eq!(
        error.to_string(),
        "192.168.2.141:80 of TCP 10.0.0.1:80 is there twice"
    );
}

#[test]
fn a_change_reads_as_json() {
    let json = r#"{"change":"add_destination","service":{"kind":"address","protocol":"tcp","address":"10.0.0.1:80"},"destination":{"address":"192.168.2.141:80","forwarding":"masq","weight":1}}"#;
    assert_eq!(serde_json::to_string(&add_rip(80, 141)).unwrap(), json);
    assert_eq!(
        serde_json::from_str::<Change>(json).unwrap(),
        add_rip(80, 141)
    );
    assert_eq!(
        serde_json::from_str::<Change>(r#"{"change":"clear"}"#).unwrap(),
        Change::Clear
    );
    let json = r#"{"change":"set_sysctl","name":"sloppy_tcp","value":1}"#;
    let change = set(Sysctl::SloppyTcp, 1);
    assert_eq!(serde_json::to_string(&change).unwrap(), json);
    assert_eq!(serde_json::from_str::<Change>(json).unwrap(), change);
}

#[test]
fn so_many_services_and_servers_and_no_more() {
    let mut wanted = Wanted::default();
    for port in 1..=MAX_SERVICES as u16 {
        wanted.apply(&add(port)).unwrap();
    }
    assert_eq!(
        wanted.apply(&add(MAX_SERVICES as u16 + 1)),
        Err(Refusal::TableFull)
    );
    let join = |number: usize| {
        let host = 10 << 24 | number as u32;
        Change::AddDestination {
            service: vip((number % MAX_SERVICES) as u16 + 1),
            destination: Destination::masq((std::net::Ipv4Addr::from(host), 80).into()),
        }
    };
    for number in 1..=MAX_SERVERS {
        wanted.apply(&join(number)).unwrap();
    }
    let more = join(MAX_SERVERS + 1);
    assert_eq!(wanted.apply(&more), Err(Refusal::TableFull));
    // What it had before makes it the same refusal as ever.
    assert_eq!(wanted.apply(&join(7)), Err(Refusal::DestinationExists));
    // Whatever takes servers away makes room, and a state that was read back knows how much.
    let Change::AddDestination { service, .. } = join(7) else {
        unreachable!()
    };
    let text = serde_json::to_string(&wanted).unwrap();
    let mut wanted: Wanted = serde_json::from_str(&text).unwrap();
    assert_eq!(wanted.apply(&more), Err(Refusal::TableFull));
    wanted.apply(&Change::DeleteService { service }).unwrap();
    wanted.apply(&more).unwrap();
    let replaced = Change::Replace {
        state: wanted.clone(),
    };
    wanted.apply(&replaced).unwrap();
    wanted.apply(&Change::Clear).unwrap();
    wanted.apply(&replaced).unwrap();
}

#[test]
fn so_many_servers_of_one_service_and_no_more() {
    let mut wanted = Wanted::default();
    wanted.apply(&add(80)).unwrap();
    let join = |number: usize| Change::AddDestination {
        service: vip(80),
        destination: Destination::masq(
            (std::net::Ipv4Addr::from(10 << 24 | number as u32), 80).into(),
        ),
    };
    for number in 1..=MAX_SERVERS_OF_SERVICE {
        wanted.apply(&join(number)).unwrap();
    }
    let more = join(MAX_SERVERS_OF_SERVICE + 1);
    assert_eq!(wanted.apply(&more), Err(Refusal::TableFull));
    assert_eq!(wanted.apply(&join(7)), Err(Refusal::DestinationExists));
}

#[test]
fn a_number_that_a_service_has_is_not_given_again() {
    let mut before = Wanted::default();
    before.apply_all(&[add(1), add(2)]).unwrap();
    // As an older daemon may have stored it, which did not know of the number.
    let mut json: serde_json::Value = serde_json::to_value(&before).unwrap();
    json.as_object_mut().unwrap().remove("ever_added");
    let mut read: Wanted = serde_json::from_value(json).unwrap();
    read.apply(&add(3)).unwrap();
    assert_eq!(read.service(&vip(3)).unwrap().added, 2);
    // No number is too large to be read.
    let mut service = before.services()[0].clone();
    service.added = u64::MAX;
    let of = Wanted::of(
        vec![service],
        Timeouts::default(),
        Sysctls::default(),
        Vec::new(),
    );
    assert!(of.is_some());
}
