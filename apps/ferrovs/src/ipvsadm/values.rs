//! Values as they are typed: numbers, ports, addresses.

use std::{
    net::{IpAddr, Ipv6Addr},
    ops::RangeInclusive,
};

use ferrovs_model::Protocol;

use super::names::Names;

/// A decimal number in `range`, written as strtol(3) reads it: blanks and a sign before the digits,
/// nothing after them.
pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let (number, "") = leading_integer(text)? else {
        return None;
    };
    let number = u32::try_from(number).ok()?;
    range.contains(&number).then_some(number)
}

/// The decimal number at the beginning, written as atoi(3) reads it; 0 where there is none.
pub(super) fn leading_number(text: &str) -> i64 {
    leading_integer(text).map_or(0, |(number, _)| number)
}

/// The decimal integer at the beginning, and what follows it. One too large for 64 bits is cut to the
/// largest, as by strtol(3).
fn leading_integer(text: &str) -> Option<(i64, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(length);
    if digits.is_empty() {
        return None;
    }
    let size = digits.parse().unwrap_or(i64::MAX);
    Some((if negative { -size } else { size }, rest))
}

/// Where a service or a server is said to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) ip: IpAddr,
    /// None when it was left out.
    pub(super) port: Option<u16>,
}

/// Reads `HOST[:PORT]`, `[IPv6]:PORT` or a bare IPv6 address, as `parse_service` does: brackets need
/// a port behind them, which is only looked at if an IPv6 address is in them. Ports may have the names
/// of `protocol`, so that none is known before the protocol is. Digits alone would be a port, which is
/// no place.
pub(super) fn place(text: &str, protocol: Option<Protocol>, names: &dyn Names) -> Option<Place> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (host, behind) = match text.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, Some(rest.strip_prefix(':')?))
        }
        None => (text, None),
    };
    if let Ok(ip) = host.parse::<Ipv6Addr>() {
        let port = match behind {
            Some(text) => Some(port(text, protocol, names)?),
            None => None,
        };
        return Some(Place {
            ip: ip.into(),
            port,
        });
    }
    let (host, port) = match host.rsplit_once(':') {
        Some((host, text)) => (host, Some(port(text, protocol, names)?)),
        None => (host, None),
    };
    let ip = names.find_host(host)?.into();
    Some(Place { ip, port })
}

fn port(text: &str, protocol: Option<Protocol>, names: &dyn Names) -> Option<u16> {
    match number(text, 0..=u16::MAX.into()) {
        Some(number) => u16::try_from(number).ok(),
        None => names.find_port(text, protocol?),
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
    fn a_leading_number_is_read_as_by_atoi() {
        for (text, expected) in [
            ("64", 64),
            (" +64foo", 64),
            ("-1", -1),
            ("foo", 0),
            ("", 0),
            ("-", 0),
        ] {
            assert_eq!(leading_number(text), expected, "{text:?}");
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
            ("[2001:db8::1]", None),
            ("[2001:db8::1]:", None),
            ("[10.0.0.1]:80", v4(None)),
            ("[10.0.0.1:80]:90", v4(Some(80))),
            ("[10.0.0.1]", None),
            ("167772161", None),
            ("99999999999999999999", None),
            ("[2001:db8::1]:80", v6(Some(80))),
            ("[2001:db8::1]80", None),
            ("[2001:db8::1:80", None),
            ("[2001:db8::zz]:80", None),
            ("[fe80::1%lo]:80", None),
        ] {
            assert_eq!(
                place(text, Some(Protocol::Tcp), &Table),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_named_port_needs_a_transport() {
        assert_eq!(place("10.0.0.1:http", None, &Table), None);
        let udp = place("10.0.0.1:tftp", Some(Protocol::Udp), &Table);
        assert_eq!(udp.and_then(|place| place.port), Some(69));
    }
}
