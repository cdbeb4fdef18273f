//! The table as commands that make it (`-S`).
//!
//! As in ipvsadm, thresholds and timeouts are left out; `ferrovs save` leaves nothing out.

use std::io::{self, Write};

use ferrovs_api::ServiceView;
use ferrovs_model::{
    Destination, Encapsulation, Forwarding, Netmask, Protocol, SchedulerFlags, ServiceKey,
    ServiceSettings, TunnelChecksum,
};

use super::{
    endpoint::{Naming, protocol},
    order,
};

/// Prints the commands that make `services`.
pub(super) fn print(
    services: &[ServiceView],
    naming: Naming<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    for service in order::services(services, true) {
        let target = target(&service.key, naming);
        print_service(&target, service, out)?;
        let protocol = protocol(&service.key);
        for listed in order::destinations(&service.destinations, true) {
            let server = naming.endpoint(listed.destination.address, protocol);
            print_server(&target, &server, &listed.destination, out)?;
        }
    }
    Ok(())
}

fn target(key: &ServiceKey, naming: Naming<'_>) -> String {
    match *key {
        ServiceKey::Mark { mark, ipv6 } => {
            let family = if ipv6 { " -6" } else { "" };
            format!("-f {}{family}", self::mark(mark))
        }
        ServiceKey::Address { protocol, address } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {}", naming.endpoint(address, Some(protocol)))
        }
    }
}

fn print_service(target: &str, service: &ServiceView, out: &mut dyn Write) -> io::Result<()> {
    let settings = &service.settings;
    write!(out, "-A {target} -s {}", settings.scheduler)?;
    if let Some(persistence) = settings.persistence {
        write!(out, " -p {}", persistence.timeout)?;
        if persistence.netmask != Netmask::single(service.key.is_ipv6()) {
            write!(out, " -M {}", netmask(persistence.netmask))?;
        }
    }
    if let Some(engine) = &settings.persistence_engine {
        write!(out, " --pe {engine}")?;
    }
    if settings.one_packet {
        write!(out, " -o")?;
    }
    if !settings.scheduler_flags.is_empty() {
        write!(out, " -b {}", flags(settings))?;
    }
    writeln!(out)
}

fn print_server(
    target: &str,
    server: &str,
    destination: &Destination,
    out: &mut dyn Write,
) -> io::Result<()> {
    let method = match destination.forwarding {
        Forwarding::Masq => "-m",
        Forwarding::FullNat => "--fullnat",
        Forwarding::Auto => "--auto",
        Forwarding::Route => "-g",
        Forwarding::Tunnel(_) => "-i",
    };
    let weight = destination.weight;
    write!(out, "-a {target} -r {server} {method} -w {weight}")?;
    if let Forwarding::Tunnel(encapsulation) = destination.forwarding {
        match encapsulation {
            Encapsulation::Ipip => write!(out, " --tun-type ipip")?,
            Encapsulation::Gue { port, checksum } => {
                let checksum = option(checksum);
                write!(out, " --tun-type gue --tun-port {port} {checksum}")?;
            }
            Encapsulation::Gre { checksum } => {
                write!(out, " --tun-type gre {}", option(checksum))?;
            }
        }
    }
    writeln!(out)
}

const fn option(checksum: TunnelChecksum) -> &'static str {
    match checksum {
        TunnelChecksum::None => "--tun-nocsum",
        TunnelChecksum::Full => "--tun-csum",
        TunnelChecksum::Remote => "--tun-remcsum",
    }
}

/// A firewall mark as ipvsadm prints it: as a signed number, so that 4294967295 is -1.
pub(super) const fn mark(mark: u32) -> i32 {
    mark.cast_signed()
}

/// What `-M` gives.
pub(super) fn netmask(netmask: Netmask) -> String {
    match netmask {
        Netmask::V4(mask) => mask.to_string(),
        Netmask::V6(prefix) => prefix.to_string(),
    }
}

/// The names of the flags that are set, as `print_sched_flags` knows them: those of `sh` and `mh` have no
/// third one.
pub(super) fn flags(settings: &ServiceSettings) -> String {
    let names: &[&str] = match settings.scheduler.as_str() {
        "sh" => &["sh-fallback", "sh-port"],
        "mh" => &["mh-fallback", "mh-port"],
        "mhb" => &["flag-1", "mhb-port", "flag-3"],
        _ => &["flag-1", "flag-2", "flag-3"],
    };
    let flags = [
        SchedulerFlags::FALLBACK,
        SchedulerFlags::PORT,
        SchedulerFlags::THIRD,
    ];
    let named = flags.iter().zip(names);
    let set = named.filter(|(flag, _)| settings.scheduler_flags.has(**flag));
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    set.join(",")
}
