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
    path::{Path, PathBuf},
};

use tracing::{info, warn};

/// Settings below `/proc/sys/net/ipv4/neigh/INTERFACE`, and what they are set to.
const SETTINGS: [(&str, &str); 6] = [
    ("base_reachable_time_ms", "1000"),
    ("delay_first_probe_time", "1"),
    ("ucast_solicit", "1"),
    ("mcast_resolicit", "3"),
    ("retrans_time_ms", "500"),
    // An answer is believed although the entry has just changed its state.
    ("locktime", "0"),
];

/// What the settings of an interface were before: by interface name, then by setting.
pub type Tuning = BTreeMap<String, BTreeMap<String, String>>;

/// What has to be remembered before [`apply`] sets this interface.
pub(crate) fn current(interface: &str) -> io::Result<BTreeMap<String, String>> {
    let read = |&(setting, _): &(&str, &str)| {
        let value = fs::read_to_string(path(interface, setting))?;
        Ok((setting.to_owned(), value.trim().to_owned()))
    };
    SETTINGS.iter().map(read).collect()
}

/// Sets an interface.
pub(crate) fn apply(interface: &str) {
    let mut set = true;
    for (setting, value) in SETTINGS {
        set &= write(interface, setting, value);
    }
    if set {
        info!(
            interface,
            "neighbours are asked after more often here (net.ipv4.neigh.{interface}.*), so that a server \
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
        warn!(interface, setting, value, %error, "cannot set how neighbours are looked after");
    }
    written.is_ok()
}

fn path(interface: &str, setting: &str) -> PathBuf {
    let base = Path::new("/proc/sys/net/ipv4/neigh");
    base.join(interface).join(setting)
}
