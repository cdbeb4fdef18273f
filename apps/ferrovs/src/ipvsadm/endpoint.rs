//! Endpoints in listings, by name or by number.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ferrovs_api::push_endpoint;
use ferrovs_model::{Protocol, ServiceKey};

use super::names::Names;

/// Longer names are cut, in bytes: `addrport_to_anyname` has a buffer of 60.
const LONGEST: usize = 59;

/// How endpoints are named.
#[derive(Clone, Copy)]
pub(super) struct Naming<'a> {
    pub(super) numeric: bool,
    pub(super) names: &'a dyn Names,
}

impl Naming<'_> {
    /// `HOST:PORT`. Without a protocol, ports have no names.
    pub(super) fn endpoint(self, address: SocketAddr, protocol: Option<Protocol>) -> String {
        let mut name = String::new();
        self.push(address, protocol, &mut name);
        name
    }

    /// Adds the same to `line`.
    pub(super) fn push(self, address: SocketAddr, protocol: Option<Protocol>, line: &mut String) {
        let begin = line.len();
        match (address, self.numeric) {
            (SocketAddr::V4(v4), true) => return push_endpoint(v4, line),
            (SocketAddr::V4(v4), false) => {
                line.push_str(&self.names.name_host((*v4.ip()).into()));
            }
            (SocketAddr::V6(v6), numeric) => {
                line.push('[');
                if numeric {
                    line.push_str(&ipv6(*v6.ip()));
                } else {
                    line.push_str(&self.names.name_host((*v6.ip()).into()));
                }
                line.push(']');
            }
        }
        line.push(':');
        match protocol {
            Some(protocol) if !self.numeric => {
                line.push_str(&self.names.name_port(address.port(), protocol));
            }
            _ => line.push_str(itoa::Buffer::new().format(address.port())),
        }
        line.truncate(line.floor_char_boundary(begin + LONGEST));
    }
}

/// An IPv6 address as inet_ntop(3) writes it: the last half of one that is IPv4-compatible in dots.
pub(super) fn ipv6(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high > 0 => {
            let v4 = Ipv4Addr::from_bits(address.to_bits() as u32);
            format!("::{v4}")
        }
        _ => address.to_string(),
    }
}

/// The protocol whose names the ports of a service's servers have. The kernel tells no protocol of a
/// service by firewall mark.
pub(super) fn protocol(key: &ServiceKey) -> Option<Protocol> {
    key.endpoint().map(|(protocol, _)| protocol)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvsadm::names::tests::Table;

    #[test]
    fn ipv6_addresses_are_written_as_the_c_library_does() {
        for text in [
            "::",
            "::1",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
            "2001:db8::1",
            "1:0:0:2::3",
            "::1:102:304",
        ] {
            assert_eq!(ipv6(text.parse().unwrap()), text);
        }
    }

    #[test]
    fn long_names_are_cut_and_marks_have_no_named_ports() {
        let naming = |numeric| Naming {
            numeric,
            names: &Table,
        };
        let name =
            |address: &str, protocol| naming(false).endpoint(address.parse().unwrap(), protocol);
        let tcp = Some(Protocol::Tcp);
        assert_eq!(name("192.168.2.141:80", tcp), "rs1:http");
        assert_eq!(name("192.168.2.141:80", Some(Protocol::Udp)), "rs1:80");
        assert_eq!(name("192.168.2.141:80", None), "rs1:80");
        assert_eq!(name("[2001:db8::1]:80", tcp), "[2001:db8::1]:http");
        assert_eq!(
            name("10.11.12.13:80", tcp),
            "a-very-long-host-name-for-a-virtual-service.example.test:ht"
        );
        let number = naming(true).endpoint("10.11.12.13:80".parse().unwrap(), tcp);
        assert_eq!(number, "10.11.12.13:80");
    }
}
