//! Endpoints in listings, by name or by number.

use std::net::SocketAddr;

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
        if self.numeric {
            return address.to_string();
        }
        let host = self.names.name_host(address.ip());
        let port = match protocol {
            Some(protocol) => self.names.name_port(address.port(), protocol),
            None => address.port().to_string(),
        };
        let mut name = match address {
            SocketAddr::V4(_) => format!("{host}:{port}"),
            SocketAddr::V6(_) => format!("[{host}]:{port}"),
        };
        name.truncate(name.floor_char_boundary(LONGEST));
        name
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
