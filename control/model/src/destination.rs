//! Real servers.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{Encapsulation, Forwarding, Refusal, ServiceKey, TunnelChecksum};

/// The largest weight and threshold: the kernel keeps them in signed 32-bit numbers.
pub const MAX_WEIGHT: u32 = i32::MAX as u32;

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
    /// With so many flows it gets no new ones, up to [`MAX_WEIGHT`]; 0 means no such limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upper_threshold: u32,
    /// Below so many flows it gets new ones again, at most the upper threshold; 0 means three quarters
    /// of that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lower_threshold: u32,
}

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Destination {
    /// One of weight 1 without thresholds, reached by masquerading.
    #[must_use]
    pub const fn masq(address: SocketAddr) -> Self {
        Self {
            address,
            forwarding: Forwarding::Masq,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }

    /// Where its flows of a service at `virtual_port` go.
    #[must_use]
    pub const fn endpoint(&self, virtual_port: u16) -> SocketAddr {
        let mut endpoint = self.address;
        if endpoint.port() == 0 {
            endpoint.set_port(virtual_port);
        }
        endpoint
    }

    /// Whether the service `key` may have it, be it new or edited.
    ///
    /// # Errors
    /// As `ip_vs_genl_set_cmd`, `ip_vs_add_dest` and `ip_vs_edit_dest` answer, in their order:
    /// [`Refusal::Invalid`] for another address family without a tunnel, [`Refusal::OutOfRange`] for
    /// weight and thresholds, [`Refusal::Invalid`] for a tunnel that cannot be.
    pub(crate) fn check(&self, key: &ServiceKey) -> Result<(), Refusal> {
        if self.address.is_ipv6() != key.is_ipv6() && !self.forwarding.is_tunnel() {
            return Err(Refusal::Invalid);
        }
        let too_large = self.weight > MAX_WEIGHT || self.upper_threshold > MAX_WEIGHT;
        if too_large || self.lower_threshold > self.upper_threshold {
            return Err(Refusal::OutOfRange);
        }
        match self.forwarding {
            Forwarding::Tunnel(
                Encapsulation::Gue { port: 0, .. }
                | Encapsulation::Gre {
                    checksum: TunnelChecksum::Remote,
                },
            ) => Err(Refusal::Invalid),
            _ => Ok(()),
        }
    }

    /// Whether one machine can be reached at its address. The kernel asks its routing tables
    /// (`ip_vs_new_dest`); these are the addresses that no table makes unicast.
    pub(crate) fn is_unicast(&self) -> bool {
        match self.address.ip() {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
            // `ipv6_addr_type`: an IPv4-mapped address is not of the unicast kind.
            IpAddr::V6(ip) => {
                !ip.is_unspecified()
                    && !ip.is_multicast()
                    && !ip.is_unicast_link_local()
                    && ip.to_ipv4_mapped().is_none()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;

    fn masq(address: &str) -> Destination {
        Destination::masq(address.parse().unwrap())
    }

    #[test]
    fn unicast_addresses_are_told_from_the_rest() {
        for address in [
            "192.168.2.141:80",
            "127.0.0.1:80",
            "240.0.0.1:1",
            "0.1.2.3:1",
            "[::1]:1",
            "[::1.2.3.4]:1",
            "[2001:db8::1]:1",
            "[fd00::1]:1",
        ] {
            assert!(masq(address).is_unicast(), "{address}");
        }
        for address in [
            "0.0.0.0:80",
            "224.0.0.1:80",
            "239.255.255.255:80",
            "255.255.255.255:80",
            "[::]:80",
            "[ff02::1]:80",
            "[fe80::1]:80",
            "[::ffff:1.2.3.4]:80",
        ] {
            assert!(!masq(address).is_unicast(), "{address}");
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let v4 = ServiceKey::address(Protocol::Tcp, "10.0.0.1:80".parse().unwrap());
        let one = masq("10.0.0.2:80");
        let other = masq("[2001:db8::2]:80");
        let tunnel = |encapsulation| Destination {
            forwarding: Forwarding::Tunnel(encapsulation),
            ..other
        };
        let thresholds = |upper_threshold, lower_threshold| Destination {
            upper_threshold,
            lower_threshold,
            ..one
        };
        let heavy = |weight| Destination { weight, ..one };
        let gue = |port| Encapsulation::Gue {
            port,
            checksum: TunnelChecksum::Remote,
        };
        let gre = |checksum| Encapsulation::Gre { checksum };
        for (destination, expected) in [
            (one, Ok(())),
            (other, Err(Refusal::Invalid)),
            (heavy(MAX_WEIGHT), Ok(())),
            (heavy(MAX_WEIGHT + 1), Err(Refusal::OutOfRange)),
            (thresholds(5, 5), Ok(())),
            (thresholds(5, 6), Err(Refusal::OutOfRange)),
            (thresholds(0, 1), Err(Refusal::OutOfRange)),
            (thresholds(MAX_WEIGHT + 1, 1), Err(Refusal::OutOfRange)),
            (tunnel(Encapsulation::Ipip), Ok(())),
            (tunnel(gue(6080)), Ok(())),
            (tunnel(gue(0)), Err(Refusal::Invalid)),
            (tunnel(gre(TunnelChecksum::Full)), Ok(())),
            (tunnel(gre(TunnelChecksum::Remote)), Err(Refusal::Invalid)),
        ] {
            assert_eq!(destination.check(&v4), expected, "{destination:?}");
        }
    }

    #[test]
    fn port_0_is_the_services_port() {
        let endpoint = |address| masq(address).endpoint(8080).to_string();
        assert_eq!(endpoint("10.0.0.2:0"), "10.0.0.2:8080");
        assert_eq!(endpoint("10.0.0.2:80"), "10.0.0.2:80");
    }
}
