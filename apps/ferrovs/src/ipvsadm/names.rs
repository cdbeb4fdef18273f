//! Names of hosts and ports.

use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::{CStr, CString},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::{Mutex, MutexGuard, PoisonError},
};

use dns_lookup::{AddrInfoHints, getaddrinfo, getnameinfo};
use ferrovs_model::Protocol;

use super::endpoint;

/// Who knows the names of hosts and ports.
pub trait Names {
    /// The first IPv4 address of `host`, a name or an address in any form that inet_aton(3) reads.
    fn find_host(&self, host: &str) -> Option<Ipv4Addr>;
    /// The port with the name `port`.
    fn find_port(&self, port: &str, protocol: Protocol) -> Option<u16>;
    /// The host's name; its address where it has none.
    fn name_host(&self, ip: IpAddr) -> Rc<str>;
    /// The port's name; its number where it has none.
    fn name_port(&self, port: u16, protocol: Protocol) -> Rc<str>;
}

/// What this machine is set up to ask: /etc/hosts, DNS, /etc/services. It asks about each host and
/// port once.
#[derive(Debug, Default)]
pub struct System {
    hosts: RefCell<HashMap<IpAddr, Rc<str>>>,
    ports: RefCell<HashMap<(u16, Protocol), Rc<str>>>,
}

impl Names for System {
    fn find_host(&self, host: &str) -> Option<Ipv4Addr> {
        // Behind an address in numbers inet_aton(3) takes a blank and anything.
        let host = match host.split_once(|letter: char| letter.is_ascii_whitespace()) {
            Some((address, _)) if address.starts_with(|c: char| c.is_ascii_digit()) => address,
            Some(_) => return None,
            None => host,
        };
        if host.is_empty() {
            return None;
        }
        let hints = AddrInfoHints {
            address: libc::AF_INET,
            ..AddrInfoHints::default()
        };
        let mut found = getaddrinfo(Some(host), None, Some(hints)).ok()?;
        found.find_map(|info| match info.ok()?.sockaddr {
            SocketAddr::V4(v4) => Some(*v4.ip()),
            SocketAddr::V6(_) => None,
        })
    }

    fn find_port(&self, port: &str, protocol: Protocol) -> Option<u16> {
        let (port, protocol) = (CString::new(port).ok()?, database_name(protocol));
        let _turn = Self::turn();
        // SAFETY: both strings end in a zero. What comes back is null or an entry that stays as it is
        // until the next question to the database, which waits for its turn.
        unsafe {
            let entry = libc::getservbyname(port.as_ptr(), protocol.as_ptr()).as_ref()?;
            Some(u16::from_be(entry.s_port as u16))
        }
    }

    fn name_host(&self, ip: IpAddr) -> Rc<str> {
        let ask = || match getnameinfo(&SocketAddr::new(ip, 0), libc::NI_NUMERICSERV) {
            Ok((host, _)) => host.into(),
            Err(_) => match ip {
                IpAddr::V4(v4) => v4.to_string().into(),
                IpAddr::V6(v6) => endpoint::ipv6(v6).into(),
            },
        };
        self.hosts
            .borrow_mut()
            .entry(ip)
            .or_insert_with(ask)
            .clone()
    }

    fn name_port(&self, port: u16, protocol: Protocol) -> Rc<str> {
        let ask = || {
            let _turn = Self::turn();
            // SAFETY: the string ends in a zero. What comes back is null or an entry that stays as it is
            // until the next question to the database, which waits for its turn; its name is a string.
            unsafe {
                let name = database_name(protocol).as_ptr();
                let entry = libc::getservbyport(i32::from(port.to_be()), name).as_ref();
                entry.map(|entry| CStr::from_ptr(entry.s_name).to_string_lossy().into())
            }
        };
        self.ports
            .borrow_mut()
            .entry((port, protocol))
            .or_insert_with(|| ask().unwrap_or_else(|| port.to_string().into()))
            .clone()
    }
}

impl System {
    /// The C library keeps one answer about services for the whole process.
    fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The protocol's name in /etc/services.
const fn database_name(protocol: Protocol) -> &'static CStr {
    match protocol {
        Protocol::Tcp => c"tcp",
        Protocol::Udp => c"udp",
        Protocol::Sctp => c"sctp",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A few names that are the same on every machine.
    pub(in crate::ipvsadm) struct Table;

    const PORTS: &[(&str, u16, Protocol)] = &[
        ("http", 80, Protocol::Tcp),
        ("domain", 53, Protocol::Udp),
        ("tftp", 69, Protocol::Udp),
    ];

    impl Names for Table {
        fn find_host(&self, host: &str) -> Option<Ipv4Addr> {
            if host == "rs1" {
                return Some(Ipv4Addr::new(192, 168, 2, 141));
            }
            host.parse().ok()
        }

        fn find_port(&self, port: &str, protocol: Protocol) -> Option<u16> {
            let row = PORTS
                .iter()
                .find(|row| row.0 == port && row.2 == protocol)?;
            Some(row.1)
        }

        fn name_host(&self, ip: IpAddr) -> Rc<str> {
            match ip.to_string().as_str() {
                "192.168.2.141" => "rs1".into(),
                "10.11.12.13" => "a-very-long-host-name-for-a-virtual-service.example.test".into(),
                other => other.into(),
            }
        }

        fn name_port(&self, port: u16, protocol: Protocol) -> Rc<str> {
            match PORTS.iter().find(|row| row.1 == port && row.2 == protocol) {
                Some(row) => row.0.into(),
                None => port.to_string().into(),
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
        assert_eq!(&*system.name_port(65_123, Protocol::Tcp), "65123");
        assert_eq!(system.find_port("no-such-port", Protocol::Tcp), None);
    }
}
