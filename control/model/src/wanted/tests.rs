use super::*;
use crate::{Forwarding, Protocol};

fn vip(port: u16) -> ServiceKey {
    ServiceKey::address(Protocol::Tcp, ([10, 0, 0, 1], port).into())
}

fn rr() -> ServiceSettings {
    scheduled("rr")
}

fn scheduled(name: &str) -> ServiceSettings {
    ServiceSettings {
        scheduler: name.to_owned(),
    }
}

fn add(port: u16) -> Change {
    Change::AddService {
        service: vip(port),
        settings: rr(),
    }
}

fn rip(host: u8, weight: u32) -> Destination {
    Destination {
        address: ([192, 168, 2, host], 80).into(),
        forwarding: Forwarding::Masq,
        weight,
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
                settings: scheduled("wlc"),
            },
            Refusal::SchedulerNotFound,
        ),
        // Being there already is noticed before the scheduler is looked up.
        (
            Change::AddService {
                service: vip(80),
                settings: scheduled("wlc"),
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
                service: ServiceKey::address(Protocol::Tcp, "[2001:db8::1]:80".parse().unwrap()),
                settings: rr(),
            },
            Refusal::AddressFamilyNotSupported,
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
        // A destination that is there is noticed before what is not built.
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
        (
            Change::AddDestination {
                service: vip(80),
                destination: Destination {
                    forwarding: Forwarding::Route,
                    ..rip(143, 1)
                },
            },
            Refusal::ForwardingNotSupported,
        ),
        (
            Change::EditDestination {
                service: vip(80),
                destination: Destination {
                    forwarding: Forwarding::Route,
                    ..rip(141, 1)
                },
            },
            Refusal::ForwardingNotSupported,
        ),
        (
            Change::SetTimeouts {
                tcp: Some(5),
                tcp_fin: Some(0),
                udp: None,
            },
            Refusal::Invalid,
        ),
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
fn the_state_survives_as_json() {
    let wanted = made(&[add(443), add(80), add_rip(80, 141), add_rip(80, 143)]);
    let json = serde_json::to_string(&wanted).unwrap();
    assert_eq!(serde_json::from_str::<Wanted>(&json).unwrap(), wanted);
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
}
