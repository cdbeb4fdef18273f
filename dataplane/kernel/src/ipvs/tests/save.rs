//! Tables in the words of `ipvsadm -Sn`, which leaves out thresholds and timeouts.

use std::net::Ipv4Addr;

use crate::ipvs::{
    Destination, Encapsulation, Forwarding, Key, Netmask, Protocol, Service, Table, TunnelChecksum,
};

/// Its lines, sorted: services have no order of their own.
pub(super) fn saved(table: &Table) -> Vec<String> {
    let mut lines: Vec<String> = table.services.iter().flat_map(lines_of).collect();
    lines.sort();
    lines
}

fn lines_of(service: &Service) -> Vec<String> {
    let key = match service.key {
        Key::Address { protocol, address } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {address}")
        }
        // ipvsadm takes marks for signed.
        Key::Mark { mark, ipv6: false } => format!("-f {}", mark as i32),
        Key::Mark { mark, ipv6: true } => format!("-f {} -6", mark as i32),
    };
    let settings = settings(service);
    let mut lines = vec![format!("-A {key} -s {}{settings}", service.scheduler)];
    let servers = service.destinations.iter();
    lines.extend(servers.map(|server| {
        let Destination {
            address, weight, ..
        } = server;
        let (way, tunnel) = forwarding(server.forwarding);
        format!("-a {key} -r {address} {way} -w {weight}{tunnel}")
    }));
    lines
}

fn settings(service: &Service) -> String {
    let mut text = String::new();
    if let Some(persistence) = service.persistence {
        text += &format!(" -p {}", persistence.timeout);
        match persistence.netmask {
            Netmask::V4(Ipv4Addr::BROADCAST) | Netmask::V6(128) => {}
            Netmask::V4(mask) => text += &format!(" -M {mask}"),
            Netmask::V6(length) => text += &format!(" -M {length}"),
        }
    }
    if let Some(engine) = &service.persistence_engine {
        text += &format!(" --pe {engine}");
    }
    if service.one_packet {
        text += " -o";
    }
    let names = match service.scheduler.as_str() {
        "sh" => ["sh-fallback", "sh-port", ""],
        "mh" => ["mh-fallback", "mh-port", ""],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let flags = names.into_iter().zip(service.scheduler_flags);
    let set: Vec<&str> = flags.filter(|it| it.1).map(|it| it.0).collect();
    if !set.is_empty() {
        text += &format!(" -b {}", set.join(","));
    }
    text
}

/// The option, and what follows the weight.
fn forwarding(forwarding: Forwarding) -> (&'static str, String) {
    let tunnel = match forwarding {
        Forwarding::Masq => return ("-m", String::new()),
        Forwarding::Route => return ("-g", String::new()),
        Forwarding::Tunnel(Encapsulation::Ipip) => "ipip".to_owned(),
        Forwarding::Tunnel(Encapsulation::Gue { port, checksum }) => {
            format!("gue --tun-port {port} {}", option(checksum))
        }
        Forwarding::Tunnel(Encapsulation::Gre { checksum }) => format!("gre {}", option(checksum)),
        other => panic!("ipvsadm cannot make {other:?}"),
    };
    ("-i", format!(" --tun-type {tunnel}"))
}

fn option(checksum: TunnelChecksum) -> &'static str {
    match checksum {
        TunnelChecksum::None => "--tun-nocsum",
        TunnelChecksum::Full => "--tun-csum",
        TunnelChecksum::Remote => "--tun-remcsum",
        TunnelChecksum::Other(flags) => panic!("ipvsadm cannot make {flags:#x}"),
    }
}
