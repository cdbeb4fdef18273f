//! Ethernet addresses.

use std::fmt;

use netlink_packet_route::link::LinkAttribute;

use super::Link;
use crate::error::{Error, Result};

/// An Ethernet address, in the order of the wire.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl Link<'_> {
    /// The interface's Ethernet address.
    ///
    /// # Errors
    /// When the interface has gone or has none.
    pub fn mac(&self) -> Result<Mac> {
        let link = self.read()?;
        link.attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(bytes) => bytes.as_slice().try_into().ok().map(Mac),
                _ => None,
            })
            .ok_or_else(|| Error::Unexpected("an interface without an Ethernet address".into()))
    }

    /// Gives the interface another Ethernet address; its neighbours are not told.
    ///
    /// # Errors
    /// When the kernel refuses, for instance a multicast address.
    pub fn set_mac(&self, mac: Mac) -> Result<()> {
        self.set(
            "set the Ethernet address of",
            vec![LinkAttribute::Address(mac.0.to_vec())],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_prints_as_six_pairs() {
        assert_eq!(
            Mac([0x02, 0, 0xab, 0xcd, 0xef, 0x01]).to_string(),
            "02:00:ab:cd:ef:01"
        );
    }
}
