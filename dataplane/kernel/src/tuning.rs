//! How quickly the kernel notices that a neighbour has changed, on the interfaces behind which real
//! servers or their gateways are.
//!
//! By default it doubts a neighbour after 15 to 45 seconds, then waits five, then asks three times the
//! address that no longer answers. Here it doubts after half a second to a second and a half, waits
//! one, asks once, and then asks everybody: a server with another MAC address is found again within
//! about three seconds, whether the daemon lives or not. What was set before is kept and restored by
//! `ferrovs down`.

use std::{
    collections::BTreeMap,
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use tracing::{info, warn};

/// Settings below `/proc/sys/net/FAMILY/neigh/INTERFACE`, and what they are set to.
const SETTINGS: [(&str, &str); 6] = [
    ("base_reachable_time_ms", "1000"),
    ("delay_first_probe_time", "1"),
    ("ucast_solicit", "1"),
    ("mcast_resolicit", "3"),
    ("retrans_time_ms", "500"),
    // An answer is believed although the entry has just changed its state.
    ("locktime", "0"),
];

/// The same of the loopback interface, below `/proc/sys/net/ipv4/conf/INTERFACE`: what goes up to the director by it may be
/// from one of the director's own addresses.
const INNER_SETTINGS: [(&str, &str); 1] = [("accept_local", "1")];

/// Stands for a family where [`INNER_SETTINGS`] are meant.
pub(crate) const INNER: &str = "ipv4:conf";

/// What the settings of an interface were before: by interface name, then by setting (`FAMILY/SETTING`).
pub type Tuning = BTreeMap<String, BTreeMap<String, String>>;

/// An interface, and the family of the neighbours on it: `ipv4` or `ipv6`; or [`INNER`].
pub(crate) type Tuned<'a> = (&'a str, &'static str);

/// The family as [`Tuned`] names it.
pub(crate) const fn family_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "ipv4",
        IpAddr::V6(_) => "ipv6",
    }
}

/// Whether it is known what was set before.
pub(crate) fn is_known(tuning: &Tuning, (interface, family): Tuned<'_>) -> bool {
    let settings = tuning.get(interface);
    settings.is_some_and(|all| all.contains_key(&named(family, settings_of(family)[0].0)))
}

const fn settings_of(family: &str) -> &'static [(&'static str, &'static str)] {
    match family.as_bytes() {
        b"ipv4:conf" => &INNER_SETTINGS,
        _ => &SETTINGS,
    }
}

/// Notes what has to be remembered before [`apply`] sets it.
pub(crate) fn remember(tuning: &mut Tuning, (interface, family): Tuned<'_>) -> io::Result<()> {
    let mut current = BTreeMap::new();
    for &(setting, _) in settings_of(family) {
        let setting = named(family, setting);
        let value = fs::read_to_string(path(interface, &setting))?;
        current.insert(setting, value.trim().to_owned());
    }
    let settings = tuning.entry(interface.to_owned()).or_default();
    settings.extend(current);
    Ok(())
}

/// Sets an interface for the neighbours of a family.
pub(crate) fn apply((interface, family): Tuned<'_>) {
    let mut set = true;
    for &(setting, value) in settings_of(family) {
        set &= write(interface, &named(family, setting), value);
    }
    if set && family == INNER {
        info!(
            interface,
            "packets to the director from its own addresses are let in here (net.ipv4.conf.{interface}.accept_local), \
             for ferrovs leads them there; `ferrovs down` restores it"
        );
    } else if set {
        info!(
            interface,
            "neighbours are asked after more often here (net.{family}.neigh.{interface}.*), so that a server \
             that changes its MAC address is found again within seconds; `ferrovs down` restores it"
        );
    }
}

/// Sets interfaces back to what they were.
pub(crate) fn restore(tuning: &Tuning) {
    for (interface, settings) in tuning {
        for (setting, value) in settings {
            // Without the interface there is nothing left to restore.
            if path(interface, setting).exists() {
                write(interface, setting, value);
            }
        }
    }
}

fn write(interface: &str, setting: &str, value: &str) -> bool {
    let written = fs::write(path(interface, setting), value);
    if let Err(error) = &written {
        warn!(interface, setting, value, %error, "cannot set this of an interface");
    }
    written.is_ok()
}

fn named(family: &str, setting: &str) -> String {
    format!("{family}/{setting}")
}

fn path(interface: &str, setting: &str) -> PathBuf {
    let (family, setting) = setting.split_once('/').unwrap_or(("ipv4", setting));
    let (family, kind) = family.split_once(':').unwrap_or((family, "neigh"));
    let base = Path::new("/proc/sys/net").join(family);
    base.join(kind).join(interface).join(setting)
}
