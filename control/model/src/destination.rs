//! Real servers.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The largest weight: the kernel keeps weights in a signed 32-bit number.
pub const MAX_WEIGHT: u32 = i32::MAX as u32;

/// How a flow's packets reach its real server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// Its address and port (RIP). This alone tells the destinations of one service apart. Port 0
    /// stands for the port the client asked for (`ip_vs_schedule`); see [`Destination::endpoint`].
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share of new flows, up to [`MAX_WEIGHT`]; 0 means no new flows.
    pub weight: u32,
}

impl Destination {
    /// Where its flows of a service at `virtual_port` go.
    #[must_use]
    pub const fn endpoint(&self, virtual_port: u16) -> SocketAddr {
        let mut endpoint = self.address;
        if endpoint.port() == 0 {
            endpoint.set_port(virtual_port);
        }
        endpoint
    }

    /// Whether this version can serve it.
    ///
    /// # Errors
    /// [`Refusal::AddressFamilyNotSupported`] for IPv6 and [`Refusal::ForwardingNotSupported`] for
    /// anything but [`Forwarding::Masq`].
    pub(crate) fn check_supported(&self) -> Result<(), Refusal> {
        if self.address.is_ipv6() {
            return Err(Refusal::AddressFamilyNotSupported);
        }
        match self.forwarding {
            Forwarding::Masq => Ok(()),
            Forwarding::Route | Forwarding::Tunnel => Err(Refusal::ForwardingNotSupported),
        }
    }

    /// Whether one machine can be reached at its address. The kernel asks its routing tables
    /// (`inet_addr_type` in `ip_vs_new_dest`); these are the addresses that no table makes unicast.
    pub(crate) fn is_unicast(&self) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
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
        for address in [
            "192.168.2.141:80",
            "127.0.0.1:80",
            "240.0.0.1:1",
            "0.1.2.3:1",
        ] {
            assert!(masq(address).is_unicast(), "{address}");
        }
        for address in [
            "0.0.0.0:80",
            "224.0.0.1:80",
            "239.255.255.255:80",
            "255.255.255.255:80",
        ] {
            assert!(!masq(address).is_unicast(), "{address}");
        }
    }

    #[test]
    fn what_is_not_built_is_refused() {
        assert_eq!(masq("10.0.0.2:80").check_supported(), Ok(()));
        assert_eq!(
            masq("[2001:db8::2]:80").check_supported(),
            Err(Refusal::AddressFamilyNotSupported)
        );
        for forwarding in [Forwarding::Route, Forwarding::Tunnel] {
            let other = Destination {
                forwarding,
                ..masq("10.0.0.2:80")
            };
            assert_eq!(
                other.check_supported(),
                Err(Refusal::ForwardingNotSupported)
            );
        }
    }

    #[test]
    fn port_0_is_the_services_port() {
        let endpoint = |address| masq(address).endpoint(8080).to_string();
        assert_eq!(endpoint("10.0.0.2:0"), "10.0.0.2:8080");
        assert_eq!(endpoint("10.0.0.2:80"), "10.0.0.2:80");
    }
}
