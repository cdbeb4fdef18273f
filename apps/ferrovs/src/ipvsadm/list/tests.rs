use ferrovs_api::Traffic;
use ferrovs_model::{Destination, Protocol, ServiceSettings};

use super::*;
use crate::ipvsadm::names::tests::Table;

#[test]
fn large_numbers_are_cut_to_nine_columns() {
    for (number, expected) in [
        (0, "        0"),
        (99_999_999, " 99999999"),
        (100_000_000, "  100000K"),
        (999_999_999, "  999999K"),
        (1_000_000_000, "    1000M"),
        (99_999_999_999, "   99999M"),
        (100_000_000_000, "     100G"),
        (99_999_999_999_999, "   99999G"),
        (100_000_000_000_000, "     100T"),
        (u64::MAX, "18446744T"),
    ] {
        assert_eq!(short(number), expected);
    }
}

/// The rows of a service with one server through which much went.
fn rows(columns: Columns, exact: bool) -> Vec<String> {
    let address = "10.11.12.13:80".parse().unwrap();
    let services = [ServiceView {
        key: ServiceKey::address(Protocol::Tcp, address),
        settings: ServiceSettings::new("rr"),
        added: 0,
        traffic: Traffic {
            counters: Counters {
                conns: 1,
                in_packets: 100_000_000,
                ..Counters::default()
            },
            rates: Rates {
                conns: 100_000_000,
                ..Rates::default()
            },
        },
        destinations: vec![DestinationView {
            destination: Destination::masq(address),
            traffic: Traffic {
                counters: Counters {
                    conns: 1,
                    out_bytes: 123_456_789_012,
                    ..Counters::default()
                },
                rates: Rates {
                    conns: 100_000_000,
                    in_bytes: 100_000_000,
                    ..Rates::default()
                },
            },
            active: 3,
            inactive: 4,
            persistent: 5,
        }],
    }];
    let listing = Listing {
        columns,
        numeric: false,
        exact,
        sorted: true,
    };
    let mut out = Vec::new();
    listing.print(&services, false, &Table, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().skip(2).map(str::to_owned).collect()
}

#[test]
fn long_names_are_cut_to_their_column() {
    assert_eq!(
        rows(Columns::Connections, false),
        [
            "TCP  a-very-long-host-name-for-a- rr",
            "  -> a-very-long-host-name-for-a- Masq    1      3          4         ",
        ]
    );
    assert_eq!(
        rows(Columns::Persistent, false),
        [
            "TCP  a-very-long-host-name-for-a- rr",
            "  -> a-very-long-host-name-for-a- 1         5           3          4         ",
        ]
    );
}

#[test]
fn counters_are_cut_unless_exact() {
    assert_eq!(
        rows(Columns::Stats, false),
        [
            "TCP  a-very-long-host-name-for-a-        1  100000K        0        0        0",
            "  -> a-very-long-host-name-for-a-        1        0        0        0     123G",
        ]
    );
    assert_eq!(
        rows(Columns::Stats, true),
        [
            "TCP  a-very-long-host-name-for-a-        1 100000000        0        0        0",
            "  -> a-very-long-host-name-for-a-        1        0        0        0 123456789012",
        ]
    );
}

#[test]
fn only_the_bytes_of_a_servers_rates_are_cut() {
    assert_eq!(
        rows(Columns::Rate, false),
        [
            "TCP  a-very-long-host-name-for-a-  100000K        0        0        0        0",
            "  -> a-very-long-host-name-for-a- 100000000        0        0  100000K        0",
        ]
    );
}
