//! Values as they are typed: numbers, ports, addresses.

use std::{
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
};

use super::names::{Names, Transport};

/// A decimal number in `range`, written as strtol(3) reads it: blanks and a sign before the digits,
/// nothing after them.
pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let number = u32::try_from(integer(text)?).ok()?;
    range.contains(&number).then_some(number)
}

/// Any decimal integer; those too large for 64 bits are cut to the largest, as by strtol(3).
fn integer(text: &str) -> Option<i64> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -size } else { size })
}

/// Where a service or a server is said to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) ip: IpAddr,
    /// None when it was left out.
    pub(super) port: Option<u16>,
}

/// Reads `HOST[:PORT]`, `[IPv6][:PORT]` or a bare IPv6 address. Ports may have the names of
/// `transport`, so that none is known before the transport is. A number alone would be a port, which
/// is no place.
pub(super) fn place(text: &str, transport: Option<Transport>, names: &dyn Names) -> Option<Place> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (ip, rest) = bracketed.split_once(']')?;
        let ip = ip.parse::<Ipv6Addr>().ok()?.into();
        let port = match rest {
            "" => None,
            rest => Some(port(rest.strip_prefix(':')?, transport, names)?),
        };
        return Some(Place { ip, port });
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Some(Place {
            ip: ip.into(),
            port: None,
        });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, text)) => (host, Some(port(text, transport, names)?)),
        None if number(text, 0..=u16::MAX.into()).is_some() => return None,
        None => (text, None),
    };
    let ip = names.find_host(host)?.into();
    Some(Place { ip, port })
}

fn port(text: &str, transport: Option<Transport>, names: &dyn Names) -> Option<u16> {
    match integer(text) {
        Some(number) => u16::try_from(number).ok(),
        None if text.is_empty() => None,
        None => names.find_port(text, transport?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvsadm::names::tests::Table;

    #[test]
    fn numbers_are_read_as_by_strtol() {
        for (text, expected) in [
            ("5", Some(5)),
            (" +5", Some(5)),
            ("010", Some(10)),
            ("0", Some(0)),
            ("2147483647", Some(i32::MAX.unsigned_abs())),
            ("2147483648", None),
            ("99999999999999999999", None),
            ("-1", None),
            ("-0", Some(0)),
            ("", None),
            ("+", None),
            ("5 ", None),
            ("0x10", None),
            ("1.5", None),
            ("é", None),
        ] {
            let range = 0..=i32::MAX.unsigned_abs();
            assert_eq!(number(text, range), expected, "{text:?}");
        }
    }

    #[test]
    fn places_are_read_with_and_without_ports() {
        let v4 = |port| {
            Some(Place {
                ip: [10, 0, 0, 1].into(),
                port,
            })
        };
        let v6 = |port| {
            Some(Place {
                ip: "2001:db8::1".parse().unwrap(),
                port,
            })
        };
        for (text, expected) in [
            ("10.0.0.1", v4(None)),
            ("10.0.0.1:80", v4(Some(80))),
            ("10.0.0.1: +80", v4(Some(80))),
            ("10.0.0.1:0", v4(Some(0))),
            ("10.0.0.1:http", v4(Some(80))),
            ("10.0.0.1:tftp", None),
            ("10.0.0.1:65536", None),
            ("10.0.0.1:-1", None),
            ("10.0.0.1:", None),
            ("10.0.0.1:80:80", None),
            (":80", None),
            ("80", None),
            ("", None),
            ("nosuchhost:80", None),
            ("2001:db8::1", v6(None)),
            ("[2001:db8::1]", v6(None)),
            ("[2001:db8::1]:80", v6(Some(80))),
            ("[2001:db8::1]80", None),
            ("[2001:db8::1:80", None),
            ("[2001:db8::zz]:80", None),
            ("[fe80::1%lo]:80", None),
        ] {
            assert_eq!(
                place(text, Some(Transport::Tcp), &Table),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_named_port_needs_a_transport() {
        assert_eq!(place("10.0.0.1:http", None, &Table), None);
        let udp = place("10.0.0.1:tftp", Some(Transport::Udp), &Table);
        assert_eq!(udp.and_then(|place| place.port), Some(69));
    }
}
