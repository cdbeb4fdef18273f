//! Listings of services, in the very columns of ipvsadm 1.31: scripts cut them by position, so that
//! blanks at the end of lines are kept.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use ferrovs_api::{Counters, DestinationView, ServiceView};
use ferrovs_model::{Forwarding, Protocol, ServiceKey, Timeouts};

use super::names::Names;

/// How services are listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) numeric: bool,
    pub(super) stats: bool,
    pub(super) exact: bool,
    pub(super) sorted: bool,
}

/// The version of IPVS whose behaviour is kept, and the size of its hash table by default. Scripts
/// look for this line; the size of our own table is in `ferrovs status`.
const BANNER: &str = "IP Virtual Server version 1.2.1 (size=4096)";

/// The room of a name in its column.
const NAME_WIDTH: usize = 28;

impl Listing {
    /// Prints `services`; `whole` says that none was selected.
    pub(super) fn print(
        self,
        services: &[ServiceView],
        whole: bool,
        names: &dyn Names,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if whole {
            writeln!(out, "{BANNER}")?;
        }
        if self.stats {
            writeln!(
                out,
                "{:<33} {:>8} {:>8} {:>8} {:>8} {:>8}\n  -> RemoteAddress:Port",
                "Prot LocalAddress:Port", "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"
            )?;
        } else {
            writeln!(
                out,
                "Prot LocalAddress:Port Scheduler Flags\n  \
                 -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"
            )?;
        }
        for service in services {
            self.print_service(service, names, out)?;
        }
        Ok(())
    }

    fn print_service(
        self,
        service: &ServiceView,
        names: &dyn Names,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let ServiceKey::Address { protocol, address } = service.key;
        let name = column(endpoint(address, protocol, self.numeric, names));
        if self.stats {
            write!(out, "{:<33}", format!("{protocol:<4} {name}"))?;
            self.print_counters(&service.counters, out)?;
        } else {
            writeln!(out, "{protocol:<4} {name} {}", service.settings.scheduler)?;
        }
        let mut destinations: Vec<&DestinationView> = service.destinations.iter().collect();
        if self.sorted {
            destinations.sort_by_key(|listed| listed.destination.address);
        }
        for listed in destinations {
            self.print_destination(listed, protocol, names, out)?;
        }
        Ok(())
    }

    fn print_destination(
        self,
        listed: &DestinationView,
        protocol: Protocol,
        names: &dyn Names,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let DestinationView {
            destination,
            counters,
            active,
            inactive,
        } = listed;
        let name = column(endpoint(destination.address, protocol, self.numeric, names));
        write!(out, "  -> {name:<NAME_WIDTH$}")?;
        if self.stats {
            return self.print_counters(counters, out);
        }
        let forwarding = match destination.forwarding {
            Forwarding::Masq => "Masq",
            Forwarding::Route => "Route",
            Forwarding::Tunnel => "Tunnel",
        };
        let weight = destination.weight;
        writeln!(
            out,
            " {forwarding:<7} {weight:<6} {active:<10} {inactive:<10}"
        )
    }

    fn print_counters(self, counters: &Counters, out: &mut dyn Write) -> io::Result<()> {
        let Counters {
            conns,
            in_packets,
            out_packets,
            in_bytes,
            out_bytes,
        } = *counters;
        for number in [conns, in_packets, out_packets, in_bytes, out_bytes] {
            if self.exact {
                write!(out, " {number:>8}")?;
            } else {
                write!(out, "{}", short(number))?;
            }
        }
        writeln!(out)
    }
}

/// The line of `-L --timeout`.
pub(super) fn print_timeouts(timeouts: Timeouts, out: &mut dyn Write) -> io::Result<()> {
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    writeln!(out, "Timeout (tcp tcpfin udp): {tcp} {tcp_fin} {udp}")
}

/// A number in nine columns, the large ones by thousands, as ipvsadm's print_largenum.
fn short(number: u64) -> String {
    const K: u64 = 1_000;
    const M: u64 = 1_000 * K;
    const G: u64 = 1_000 * M;
    const T: u64 = 1_000 * G;
    let (unit, letter) = match number {
        0..100_000_000 => return format!("{number:>9}"),
        100_000_000..G => (K, 'K'),
        G..100_000_000_000 => (M, 'M'),
        100_000_000_000..100_000_000_000_000 => (G, 'G'),
        _ => (T, 'T'),
    };
    format!("{:>8}{letter}", number / unit)
}

/// `HOST:PORT`, by name or by number.
pub(super) fn endpoint(
    address: SocketAddr,
    protocol: Protocol,
    numeric: bool,
    names: &dyn Names,
) -> String {
    if numeric {
        return address.to_string();
    }
    let host = names.name_host(address.ip());
    let port = names.name_port(address.port(), protocol.into());
    match address {
        SocketAddr::V4(_) => format!("{host}:{port}"),
        SocketAddr::V6(_) => format!("[{host}]:{port}"),
    }
}

/// What of an endpoint's name fits its column. IPv6 addresses are not cut.
fn column(name: String) -> String {
    if name.starts_with('[') {
        return name;
    }
    name.chars().take(NAME_WIDTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn long_names_are_cut_to_their_column() {
        use ferrovs_model::{Destination, ServiceSettings};

        use crate::ipvsadm::names::tests::Table;

        let address = "10.11.12.13:80".parse().unwrap();
        let services = [ServiceView {
            key: ServiceKey::address(Protocol::Tcp, address),
            settings: ServiceSettings {
                scheduler: "rr".to_owned(),
            },
            counters: Counters {
                conns: 1,
                in_packets: 100_000_000,
                ..Counters::default()
            },
            destinations: vec![DestinationView {
                destination: Destination {
                    address,
                    forwarding: Forwarding::Masq,
                    weight: 1,
                },
                counters: Counters {
                    conns: 1,
                    out_bytes: 123_456_789_012,
                    ..Counters::default()
                },
                active: 3,
                inactive: 4,
            }],
        }];
        let print = |stats, exact| {
            let listing = Listing {
                numeric: false,
                stats,
                exact,
                sorted: true,
            };
            let mut out = Vec::new();
            listing.print(&services, false, &Table, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let rows: Vec<String> = text.lines().skip(2).map(str::to_owned).collect();
            rows
        };
        assert_eq!(
            print(false, false),
            [
                "TCP  a-very-long-host-name-for-a- rr",
                "  -> a-very-long-host-name-for-a- Masq    1      3          4         ",
            ]
        );
        assert_eq!(
            print(true, false),
            [
                "TCP  a-very-long-host-name-for-a-        1  100000K        0        0        0",
                "  -> a-very-long-host-name-for-a-        1        0        0        0     123G",
            ]
        );
        assert_eq!(
            print(true, true),
            [
                "TCP  a-very-long-host-name-for-a-        1 100000000        0        0        0",
                "  -> a-very-long-host-name-for-a-        1        0        0        0 123456789012",
            ]
        );
    }
}
