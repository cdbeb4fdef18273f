//! Real servers.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The largest weight: the kernel keeps weights in a signed 32-bit number.
pub const MAX_WEIGHT: u32 = i32::MAX as u32;

/// How a flow's packets reach its real server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Forwarding {
    /// Masquerading (LVS-NAT): addresses and ports are rewritten both ways. The only one that is
    /// built so far.
    Masq,
    /// Direct routing (LVS-DR): the packet is handed to the server's link address unchanged.
    Route,
    /// Tunnelling (LVS-TUN): the packet is wrapped in another one.
    Tunnel,
}

/// One real server of a service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Destination {
    /// Its address and port (RIP). This alone tells the destinations of one service apart.
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share of new flows, up to [`MAX_WEIGHT`]; 0 means no new flows.
    pub weight: u32,
}

impl Destination {
    /// Checks what can be known of a destination without looking at the machine.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a weight above [`MAX_WEIGHT`],
    /// [`Refusal::AddressFamilyNotSupported`] for IPv6 and [`Refusal::ForwardingNotSupported`] for
    /// anything but [`Forwarding::Masq`].
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.weight > MAX_WEIGHT {
            return Err(Refusal::OutOfRange);
        }
        if self.address.is_ipv6() {
            return Err(Refusal::AddressFamilyNotSupported);
        }
        match self.forwarding {
            Forwarding::Masq => Ok(()),
            Forwarding::Route | Forwarding::Tunnel => Err(Refusal::ForwardingNotSupported),
        }
    }

    /// Whether one machine can be reached at its address. The kernel asks its routing tables
    /// (`inet_addr_type` in `ip_vs_new_dest`); these are the ranges that no table can make unicast.
    pub(crate) fn is_unicast(&self) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) => ip.octets()[0] != 0 && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masq(address: &str) -> Destination {
        Destination {
            address: address.parse().unwrap(),
            forwarding: Forwarding::Masq,
            weight: 1,
        }
    }

    #[test]
    fn unicast_addresses_are_told_from_the_rest() {
        for address in ["192.168.2.141:80", "127.0.0.1:80", "240.0.0.1:1"] {
            assert!(masq(address).is_unicast(), "{address}");
        }
        for address in [
            "0.0.0.0:80",
            "0.1.2.3:80",
            "224.0.0.1:80",
            "239.255.255.255:80",
            "255.255.255.255:80",
        ] {
            assert!(!masq(address).is_unicast(), "{address}");
        }
    }

    #[test]
    fn what_is_not_built_is_refused() {
        assert_eq!(masq("10.0.0.2:80").check(), Ok(()));
        assert_eq!(
            masq("[2001:db8::2]:80").check(),
            Err(Refusal::AddressFamilyNotSupported)
        );
        for forwarding in [Forwarding::Route, Forwarding::Tunnel] {
            let other = Destination {
                forwarding,
                ..masq("10.0.0.2:80")
            };
            assert_eq!(other.check(), Err(Refusal::ForwardingNotSupported));
        }
    }

    #[test]
    fn weights_end_where_the_kernels_do() {
        let heavy = |weight| Destination {
            weight,
            ..masq("10.0.0.2:80")
        };
        assert_eq!(heavy(MAX_WEIGHT).check(), Ok(()));
        assert_eq!(heavy(MAX_WEIGHT + 1).check(), Err(Refusal::OutOfRange));
    }
}
