//! Listings of services, in the very columns of ipvsadm 1.31: scripts cut them by position, so that
//! blanks at the end of lines are kept.

use std::io::{self, Write};

use ferrovs_api::{Counters, DestinationView, Rates, ServiceView};
use ferrovs_model::{Encapsulation, Forwarding, Netmask, ServiceKey, Timeouts, TunnelChecksum};

use super::{
    endpoint::{Naming, protocol},
    names::Names,
    order, rule,
};

/// How services are listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    pub(super) columns: Columns,
    pub(super) numeric: bool,
    pub(super) exact: bool,
    pub(super) sorted: bool,
}

/// What is told of each service and server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Columns {
    Connections,
    Stats,
    Rate,
    Thresholds,
    Persistent,
    Tunnels,
}

/// The version of IPVS whose behaviour is kept, and the size of its hash table by default. Scripts
/// look for this line; the size of our own table is in `ferrovs status`.
pub(crate) const BANNER: &str = "IP Virtual Server version 1.2.1 (size=4096)";

/// The room of a name in its column, in bytes.
const NAME_WIDTH: usize = 28;
/// The room of a service with its protocol.
const SERVICE_WIDTH: usize = 33;

impl Columns {
    const fn title(self) -> &'static str {
        match self {
            Self::Connections => {
                "Prot LocalAddress:Port Scheduler Flags\n  \
                 -> RemoteAddress:Port           Forward Weight ActiveConn InActConn"
            }
            Self::Stats => {
                "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  \
                 -> RemoteAddress:Port"
            }
            Self::Rate => {
                "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n  \
                 -> RemoteAddress:Port"
            }
            Self::Thresholds => {
                "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  \
                 -> RemoteAddress:Port"
            }
            Self::Persistent => {
                "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  \
                 -> RemoteAddress:Port"
            }
            Self::Tunnels => {
                "Prot LocalAddress:Port Scheduler Flags\n  \
                 -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn"
            }
        }
    }
}

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
        writeln!(out, "{}", self.columns.title())?;
        let naming = Naming {
            numeric: self.numeric,
            names,
        };
        for service in order::services(services, self.sorted) {
            self.print_service(service, naming, out)?;
            let protocol = protocol(&service.key);
            for listed in order::destinations(&service.destinations, self.sorted) {
                let address = listed.destination.address;
                let mut name = naming.endpoint(address, protocol);
                if address.is_ipv4() {
                    cut(&mut name, NAME_WIDTH);
                }
                write!(out, "  -> {name:<NAME_WIDTH$}")?;
                self.print_destination(listed, out)?;
            }
        }
        Ok(())
    }

    fn print_service(
        self,
        service: &ServiceView,
        naming: Naming<'_>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let name = match service.key {
            ServiceKey::Address { protocol, address } => {
                let endpoint = naming.endpoint(address, Some(protocol));
                let mut name = format!("{protocol:<4} {endpoint}");
                if address.is_ipv4() {
                    cut(&mut name, SERVICE_WIDTH);
                }
                name
            }
            ServiceKey::Mark { mark, ipv6 } => {
                let family = if ipv6 { " IPv6" } else { "" };
                format!("FWM  {}{family}", rule::mark(mark))
            }
        };
        match self.columns {
            Columns::Stats => {
                write!(out, "{name:<SERVICE_WIDTH$}")?;
                self.print_numbers(counted(&service.traffic.counters), out)
            }
            Columns::Rate => {
                write!(out, "{name:<SERVICE_WIDTH$}")?;
                self.print_numbers(estimated(&service.traffic.rates), out)
            }
            _ => {
                write!(out, "{name} ")?;
                print_settings(service, out)
            }
        }
    }

    fn print_destination(self, listed: &DestinationView, out: &mut dyn Write) -> io::Result<()> {
        let DestinationView {
            destination,
            traffic,
            active,
            inactive,
            persistent,
        } = listed;
        let weight = destination.weight;
        let method = match destination.forwarding {
            Forwarding::Masq => "Masq",
            Forwarding::FullNat => "FullNat",
            Forwarding::Auto => "Auto",
            Forwarding::Route => "Route",
            Forwarding::Tunnel(_) => "Tunnel",
        };
        match self.columns {
            Columns::Connections => write!(out, " {method:<7} {weight:<6}")?,
            Columns::Tunnels => {
                let tunnel = tunnel(destination.forwarding);
                write!(out, " {method:<7} {tunnel:<13} {weight:<6}")?;
            }
            Columns::Thresholds => {
                let (upper, lower) = (destination.upper_threshold, destination.lower_threshold);
                write!(out, " {upper:<10} {lower:<10}")?;
            }
            Columns::Persistent => write!(out, " {weight:<9} {persistent:<11}")?,
            Columns::Stats => return self.print_numbers(counted(&traffic.counters), out),
            Columns::Rate => {
                let [conns, in_packets, out_packets, in_bytes, out_bytes] =
                    estimated(&traffic.rates);
                write!(out, " {conns:>8} {in_packets:>8} {out_packets:>8}")?;
                return self.print_numbers([in_bytes, out_bytes], out);
            }
        }
        writeln!(out, " {active:<10} {inactive:<10}")
    }

    fn print_numbers<const N: usize>(
        self,
        numbers: [u64; N],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for number in numbers {
            if self.exact {
                write!(out, " {number:>8}")?;
            } else {
                write!(out, "{}", short(number))?;
            }
        }
        writeln!(out)
    }
}

const fn counted(counters: &Counters) -> [u64; 5] {
    let Counters {
        conns,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    } = *counters;
    [conns, in_packets, out_packets, in_bytes, out_bytes]
}

const fn estimated(rates: &Rates) -> [u64; 5] {
    let Rates {
        conns,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    } = *rates;
    [conns, in_packets, out_packets, in_bytes, out_bytes]
}

/// The scheduler and everything else that was set.
fn print_settings(service: &ServiceView, out: &mut dyn Write) -> io::Result<()> {
    let settings = &service.settings;
    write!(out, "{}", settings.scheduler)?;
    if !settings.scheduler_flags.is_empty() {
        write!(out, " ({})", rule::flags(settings))?;
    }
    if let Some(persistence) = settings.persistence {
        write!(out, " persistent {}", persistence.timeout)?;
        if persistence.netmask != Netmask::single(service.key.is_ipv6()) {
            write!(out, " mask {}", rule::netmask(persistence.netmask))?;
        }
        if let Some(engine) = &settings.persistence_engine {
            write!(out, " pe {engine}")?;
        }
    }
    if settings.one_packet {
        write!(out, " ops")?;
    }
    writeln!(out)
}

/// As `fwd_tun_info`.
fn tunnel(forwarding: Forwarding) -> String {
    const fn short(checksum: TunnelChecksum) -> &'static str {
        match checksum {
            TunnelChecksum::None => "-c",
            TunnelChecksum::Full => "+c",
            TunnelChecksum::Remote => "r+c",
        }
    }
    match forwarding {
        Forwarding::Masq | Forwarding::FullNat | Forwarding::Auto | Forwarding::Route => {
            "n/a".to_owned()
        }
        Forwarding::Tunnel(Encapsulation::Ipip) => "ipip".to_owned(),
        Forwarding::Tunnel(Encapsulation::Gue { port, checksum }) => {
            format!("gue:{port}:{}", short(checksum))
        }
        Forwarding::Tunnel(Encapsulation::Gre { checksum }) => format!("gre:{}", short(checksum)),
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

fn cut(name: &mut String, width: usize) {
    name.truncate(name.floor_char_boundary(width));
}

#[cfg(test)]
mod tests;
