//! /proc/net/ip_vs.

use std::{
    io::{self, Write},
    net::SocketAddr,
};

use ferrovs_api::ServiceView;
use ferrovs_model::{Forwarding, Netmask, ServiceKey};

use super::Address;
use crate::ipvsadm::{BANNER, in_kernel_order};

/// Persistence is told in the kernel's ticks; so many make a second in Debian's kernels (`CONFIG_HZ`).
const TICKS: u64 = 250;

/// Prints services and servers, in the order of the kernel's table.
///
/// # Errors
/// When `out` cannot be written.
pub fn print(services: &[ServiceView], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{BANNER}\nProt LocalAddress:Port Scheduler Flags\n  \
         -> RemoteAddress:Port Forward Weight ActiveConn InActConn"
    )?;
    for service in in_kernel_order(services) {
        print_service(service, out)?;
        for listed in &service.destinations {
            let endpoint = endpoint(listed.destination.address);
            let method = match listed.destination.forwarding {
                // The kernel's file knows no other rewriting.
                Forwarding::Masq | Forwarding::FullNat | Forwarding::Auto => "Masq",
                Forwarding::Route => "Route",
                Forwarding::Tunnel(_) => "Tunnel",
            };
            let (weight, active, inactive) =
                (listed.destination.weight, listed.active, listed.inactive);
            writeln!(
                out,
                "  -> {endpoint}      {method:<7} {weight:<6} {active:<10} {inactive:<10}"
            )?;
        }
    }
    Ok(())
}

fn print_service(service: &ServiceView, out: &mut dyn Write) -> io::Result<()> {
    let settings = &service.settings;
    let scheduler = &settings.scheduler;
    let ops = if settings.one_packet { "ops " } else { "" };
    match service.key {
        // One-packet scheduling is not told of IPv6.
        ServiceKey::Address { protocol, address } if address.is_ipv6() => {
            write!(out, "{protocol}  {} {scheduler} ", endpoint(address))?;
        }
        ServiceKey::Address { protocol, address } => {
            write!(out, "{protocol}  {} {scheduler} {ops} ", endpoint(address))?;
        }
        ServiceKey::Mark { mark, .. } => write!(out, "FWM  {mark:08X} {scheduler} {ops}")?,
    }
    if let Some(persistence) = settings.persistence {
        let ticks = u64::from(persistence.timeout) * TICKS;
        let netmask = match persistence.netmask {
            Netmask::V4(mask) => mask.to_bits(),
            // The length of a prefix, in the order of bytes of an address.
            Netmask::V6(prefix) => u32::from(prefix).swap_bytes(),
        };
        write!(out, "persistent {ticks} {netmask:08X}")?;
    }
    writeln!(out)
}

fn endpoint(endpoint: SocketAddr) -> String {
    let (address, port) = (Address(endpoint.ip()), endpoint.port());
    match endpoint {
        SocketAddr::V4(_) => format!("{address}:{port:04X}"),
        SocketAddr::V6(_) => format!("[{address}]:{port:04X}"),
    }
}
