//! Routes as data: what the kernel's forwarding table is to the eBPF programs.

use std::net::IpAddr;

/// Where addresses of one network are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// An address of the network.
    pub address: IpAddr,
    /// Leading bits that all its addresses share, 0 to 32 or 128.
    pub prefix: u8,
    /// Index of the interface towards it.
    pub interface: u32,
    /// The router it is behind; none: its addresses are neighbours.
    pub gateway: Option<IpAddr>,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let common = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        common >= u32::from(self.prefix)
    }
}

/// A routing table. The longest prefix decides, and of two alike the one added first.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Network>);

impl Routes {
    /// Adds a network.
    pub fn add(&mut self, network: Network) {
        self.0.push(network);
    }

    /// By which interface and to which neighbour packets to an address leave.
    pub fn to(&self, address: IpAddr) -> Option<(u32, IpAddr)> {
        let containing = self.0.iter().filter(|network| network.contains(address));
        let best = containing.rev().max_by_key(|network| network.prefix)?;
        Some((best.interface, best.gateway.unwrap_or(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides() {
        let network = |address: &str, prefix, interface, gateway: Option<&str>| Network {
            address: address.parse().unwrap(),
            prefix,
            interface,
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        };
        let mut routes = Routes::default();
        let to = |routes: &Routes, address: &str| {
            let (interface, neighbour) = routes.to(address.parse().unwrap())?;
            Some((interface, neighbour.to_string()))
        };
        routes.add(network("10.0.0.0", 8, 2, None));
        assert_eq!(to(&routes, "11.0.0.1"), None);
        routes.add(network("0.0.0.0", 0, 3, Some("10.0.0.1")));
        routes.add(network("10.1.0.0", 16, 4, None));
        routes.add(network("10.1.0.0", 16, 5, None));
        assert_eq!(to(&routes, "10.2.3.4"), Some((2, "10.2.3.4".to_owned())));
        assert_eq!(to(&routes, "10.1.3.4"), Some((4, "10.1.3.4".to_owned())));
        assert_eq!(to(&routes, "9.9.9.9"), Some((3, "10.0.0.1".to_owned())));
        assert_eq!(to(&routes, "2001:db8::1"), None);
        routes.add(network("2001:db8::", 32, 6, Some("fe80::1")));
        assert_eq!(to(&routes, "2001:db8::1"), Some((6, "fe80::1".to_owned())));
    }
}
