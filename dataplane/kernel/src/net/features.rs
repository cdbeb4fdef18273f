//! What drivers can do with XDP (generic netlink family "netdev", Linux 6.3).

use std::{collections::BTreeMap, io};

use super::{generic::Generic, message::attributes};

/// `NETDEV_CMD_DEV_GET`, and its attributes `NETDEV_A_DEV_IFINDEX` and `_XDP_FEATURES`.
const DEV_GET: u8 = 1;
const DEV_INDEX: u16 = 1;
const DEV_FEATURES: u16 = 3;

/// What a driver can do with XDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Features(u64);

impl Features {
    /// Whether it runs programs and lets them redirect (`NETDEV_XDP_ACT_BASIC`, `_REDIRECT`).
    pub(crate) const fn runs_programs(self) -> bool {
        self.0 & 3 == 3
    }

    /// Whether it sends what XDP programs redirect to it (`NETDEV_XDP_ACT_NDO_XMIT`). A veth does when
    /// its other end has an XDP program or generic receive offload.
    pub(crate) const fn transmits(self) -> bool {
        self.0 & 4 != 0
    }
}

/// Features by interface index.
pub(crate) fn xdp_features() -> io::Result<BTreeMap<u32, Features>> {
    let family = Generic::open("netdev")?;
    let mut netdev = family.ok_or(io::ErrorKind::Unsupported)?;
    let devices = netdev.dump(DEV_GET, &[])?;
    Ok(devices.iter().map(|device| features_of(device)).collect())
}

/// The index of one interface, and its features.
fn features_of(device: &[u8]) -> (u32, Features) {
    let mut index = 0;
    let mut flags = 0;
    for (kind, value) in attributes(device) {
        if let (DEV_INDEX, Ok(value)) = (kind, value.try_into()) {
            index = u32::from_ne_bytes(value);
        } else if let (DEV_FEATURES, Ok(value)) = (kind, value.try_into()) {
            flags = u64::from_ne_bytes(value);
        }
    }
    (index, Features(flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_tells_what_its_loopback_cannot_do() {
        let features = xdp_features().unwrap();
        let index = 1;
        assert!(!features[&index].transmits());
    }
}
