//! Whether this machine can carry the data plane, asked before anything is touched.

use std::{fs, path::Path};

use crate::{Error, Result};

/// The capabilities that are needed, by number (linux/capability.h).
const NEEDED: [(u32, &str); 3] = [
    (12, "CAP_NET_ADMIN"),
    (21, "CAP_SYS_ADMIN"),
    (39, "CAP_BPF"),
];

/// The oldest kernel whose tc programs attach without a queueing discipline (tcx).
const OLDEST: (u32, u32) = (6, 6);

/// Checks processor, permission, kernel version and type information, in this order.
///
/// # Errors
/// The first that is not as it must be.
pub fn probe() -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        return Err(Error::Architecture);
    }
    let missing = missing_capabilities(&read("/proc/self/status"));
    if !missing.is_empty() {
        return Err(Error::NoPermission(missing.join(", ")));
    }
    let release = read("/proc/sys/kernel/osrelease");
    if !is_new_enough(&release) {
        return Err(Error::KernelTooOld(release.trim().to_owned()));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err(Error::NoBtf);
    }
    Ok(())
}

/// The services that the kernel's own IPVS holds in this network namespace, as it lists them. Of a long
/// list it leaves some out, though never all, while other namespaces have services too (Linux 6.1 and
/// 6.12); [`crate::ipvs::read`] misses none.
#[must_use]
pub fn kernel_ipvs_services() -> Vec<String> {
    ipvs_services(&read("/proc/net/ip_vs"))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn missing_capabilities(status: &str) -> Vec<&'static str> {
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let missing = NEEDED.iter().filter(|(bit, _)| effective >> bit & 1 == 0);
    missing.map(|&(_, name)| name).collect()
}

/// A release that cannot be read is given the benefit of the doubt: loading will tell.
fn is_new_enough(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => true,
    }
}

/// A line of a service begins with its protocol, one of a server with an arrow, and there are three
/// lines of titles.
fn ipvs_services(table: &str) -> Vec<String> {
    let services = table.lines().skip(3).filter(|line| !line.starts_with(' '));
    services.map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert!(missing_capabilities("CapEff:\t000001ffffffffff\n").is_empty());
        assert_eq!(
            missing_capabilities("CapInh:\t0\nCapEff:\t0000008000001000\n"),
            ["CAP_SYS_ADMIN"]
        );
        assert_eq!(missing_capabilities("").len(), 3);
    }

    #[test]
    fn kernel_releases_compare_by_number() {
        for (release, fits) in [
            ("6.6.0", true),
            ("6.18.44-fc-v657\n", true),
            ("7.0-rc1", true),
            ("6.1.0-18-amd64", false),
            ("5.15.0", false),
            ("unknown", true),
        ] {
            assert_eq!(is_new_enough(release), fits, "{release}");
        }
    }

    #[test]
    fn services_of_the_kernels_ipvs_are_seen() {
        let titles = "IP Virtual Server version 1.2.1 (size=4096)\n\
                      Prot LocalAddress:Port Scheduler Flags\n  \
                      -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
        assert!(ipvs_services("").is_empty());
        assert!(ipvs_services(titles).is_empty());
        let table = format!("{titles}TCP  A9FEB301:0050 rr  \n  -> C0A8028F:0050 Masq 1 0 0\n");
        assert_eq!(ipvs_services(&table), ["TCP  A9FEB301:0050 rr"]);
    }
}
