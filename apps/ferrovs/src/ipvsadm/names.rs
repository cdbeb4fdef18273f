//! Names of hosts and ports.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs},
};

use dns_lookup::{AddrInfoHints, SockType, getaddrinfo, getnameinfo};
use ferrovs_model::Protocol;

/// A transport protocol as it is typed, balanced or not.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
}

impl From<Protocol> for Transport {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }
}

/// Who knows the names of hosts and ports.
pub trait Names {
    /// The first IPv4 address of `host`, a name or an address in any form that inet_aton(3) reads.
    fn find_host(&self, host: &str) -> Option<Ipv4Addr>;
    /// The port with the name `port`.
    fn find_port(&self, port: &str, transport: Transport) -> Option<u16>;
    /// The host's name; its address where it has none.
    fn name_host(&self, ip: IpAddr) -> String;
    /// The port's name; its number where it has none.
    fn name_port(&self, port: u16, transport: Transport) -> String;
}

/// What this machine is set up to ask: /etc/hosts, DNS, /etc/services. It asks about each host and
/// port once.
#[derive(Debug, Default)]
pub struct System {
    hosts: RefCell<HashMap<IpAddr, String>>,
    ports: RefCell<HashMap<(u16, Transport), String>>,
}

impl Names for System {
    fn find_host(&self, host: &str) -> Option<Ipv4Addr> {
        if host.is_empty() {
            return None;
        }
        (host, 0)
            .to_socket_addrs()
            .ok()?
            .find_map(|address| match address {
                SocketAddr::V4(v4) => Some(*v4.ip()),
                SocketAddr::V6(_) => None,
            })
    }

    fn find_port(&self, port: &str, transport: Transport) -> Option<u16> {
        let (socktype, protocol) = match transport {
            Transport::Tcp => (SockType::Stream, libc::IPPROTO_TCP),
            Transport::Udp => (SockType::DGram, libc::IPPROTO_UDP),
            Transport::Sctp => (SockType::Stream, libc::IPPROTO_SCTP),
        };
        let hints = AddrInfoHints {
            socktype: socktype.into(),
            protocol,
            address: libc::AF_INET,
            ..AddrInfoHints::default()
        };
        let mut found = getaddrinfo(None, Some(port), Some(hints)).ok()?;
        found.find_map(|info| Some(info.ok()?.sockaddr.port()))
    }

    fn name_host(&self, ip: IpAddr) -> String {
        let ask = || match getnameinfo(&SocketAddr::new(ip, 0), libc::NI_NUMERICSERV) {
            Ok((host, _)) => host,
            Err(_) => ip.to_string(),
        };
        self.hosts
            .borrow_mut()
            .entry(ip)
            .or_insert_with(ask)
            .clone()
    }

    fn name_port(&self, port: u16, transport: Transport) -> String {
        let ask = || {
            let datagram = match transport {
                Transport::Udp => libc::NI_DGRAM,
                Transport::Tcp | Transport::Sctp => 0,
            };
            let anywhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into();
            match getnameinfo(&anywhere, libc::NI_NUMERICHOST | datagram) {
                Ok((_, service)) => service,
                Err(_) => port.to_string(),
            }
        };
        self.ports
            .borrow_mut()
            .entry((port, transport))
            .or_insert_with(ask)
            .clone()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A few names that are the same on every machine.
    pub(in crate::ipvsadm) struct Table;

    const PORTS: &[(&str, u16, Transport)] = &[
        ("http", 80, Transport::Tcp),
        ("domain", 53, Transport::Udp),
        ("tftp", 69, Transport::Udp),
    ];

    impl Names for Table {
        fn find_host(&self, host: &str) -> Option<Ipv4Addr> {
            if host == "rs1" {
                return Some(Ipv4Addr::new(192, 168, 2, 141));
            }
            host.parse().ok()
        }

        fn find_port(&self, port: &str, transport: Transport) -> Option<u16> {
            let row = PORTS
                .iter()
                .find(|row| row.0 == port && row.2 == transport)?;
            Some(row.1)
        }

        fn name_host(&self, ip: IpAddr) -> String {
            match ip.to_string().as_str() {
                "192.168.2.141" => "rs1".to_owned(),
                "10.11.12.13" => {
                    "a-very-long-host-name-for-a-virtual-service.example.test".to_owned()
                }
                other => other.to_owned(),
            }
        }

        fn name_port(&self, port: u16, transport: Transport) -> String {
            match PORTS.iter().find(|row| row.1 == port && row.2 == transport) {
                Some(row) => row.0.to_owned(),
                None => port.to_string(),
            }
        }
    }

    #[test]
    fn addresses_are_read_in_every_form_of_inet_aton() {
        let system = System::default();
        for (text, ip) in [
            ("10.0.0.1", [10, 0, 0, 1]),
            ("010.0.0.1", [8, 0, 0, 1]),
            ("10.1", [10, 0, 0, 1]),
            ("0xa.0.0.1", [10, 0, 0, 1]),
            ("167772161", [10, 0, 0, 1]),
        ] {
            assert_eq!(system.find_host(text), Some(Ipv4Addr::from(ip)), "{text}");
        }
        assert_eq!(system.find_host(""), None);
        assert_eq!(system.find_host("256.0.0.1"), None);
    }

    #[test]
    fn an_unknown_port_is_its_number() {
        let system = System::default();
        assert_eq!(system.name_port(65_123, Transport::Tcp), "65123");
        assert_eq!(system.find_port("no-such-port", Transport::Tcp), None);
    }
}
