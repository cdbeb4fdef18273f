//! Routes as data: what the kernel's forwarding table is to the eBPF programs.

use std::net::Ipv4Addr;

use ferrovs_core::tables::Route;

/// Where addresses of one network are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// An address of the network.
    pub address: Ipv4Addr,
    /// Leading bits that all its addresses share, 0 to 32.
    pub prefix: u8,
    /// Index of the interface towards it.
    pub interface: u32,
    /// The router it is behind; none: its addresses are neighbours.
    pub gateway: Option<Ipv4Addr>,
}

impl Network {
    fn contains(&self, address: Ipv4Addr) -> bool {
        let different = self.address.to_bits() ^ address.to_bits();
        different.leading_zeros() >= u32::from(self.prefix)
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

    /// The route to an address (wire order).
    pub fn to(&self, destination: u32) -> Option<Route> {
        let address = Ipv4Addr::from(destination.to_ne_bytes());
        let containing = self.0.iter().filter(|network| network.contains(address));
        let best = containing.rev().max_by_key(|network| network.prefix)?;
        let neighbour = best.gateway.unwrap_or(address);
        Some(Route {
            interface: best.interface,
            neighbour: u32::from_ne_bytes(neighbour.octets()),
        })
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
            let address: Ipv4Addr = address.parse().unwrap();
            let route = routes.to(u32::from_ne_bytes(address.octets()))?;
            let neighbour = Ipv4Addr::from(route.neighbour.to_ne_bytes());
            Some((route.interface, neighbour.to_string()))
        };
        routes.add(network("10.0.0.0", 8, 2, None));
        assert_eq!(to(&routes, "11.0.0.1"), None);
        routes.add(network("0.0.0.0", 0, 3, Some("10.0.0.1")));
        routes.add(network("10.1.0.0", 16, 4, None));
        routes.add(network("10.1.0.0", 16, 5, None));
        assert_eq!(to(&routes, "10.2.3.4"), Some((2, "10.2.3.4".to_owned())));
        assert_eq!(to(&routes, "10.1.3.4"), Some((4, "10.1.3.4".to_owned())));
        assert_eq!(to(&routes, "9.9.9.9"), Some((3, "10.0.0.1".to_owned())));
    }
}
