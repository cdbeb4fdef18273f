//! The pool: addresses of the director that servers with [`Forwarding::FullNat`](crate::Forwarding::FullNat) know
//! clients by.

use std::{fmt, net::IpAddr, str::FromStr};

use ferrovs_core::abi::pool::OFFERED;
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The lowest port that is taken where no ports are named.
pub const FIRST_PORT: u16 = 1024;

/// An address of the pool. In text, `10.0.0.1`, or with its ports `10.0.0.1:20000-29999`; an IPv6 address with ports is in
/// brackets.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct PoolAddress {
    /// The address, which an interface of the director carries.
    pub address: IpAddr,
    /// The first and the last port that flows may have, host order. None: those from [`FIRST_PORT`] on, without those of
    /// the director's own connections where it has such from this address.
    pub ports: Option<(u16, u16)>,
}

/// A text that names no address of a pool.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "an address of the pool is like 10.0.0.1, 10.0.0.1:20000-29999 or [2001:db8::1]:20000-29999, not {0:?}"
)]
pub struct NoPoolAddress(String);

impl PoolAddress {
    /// Whether the kernel may take one machine to be there, and there are ports.
    fn is_usable(&self) -> bool {
        let unicast = match self.address {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => {
                !ip.is_unspecified()
                    && !ip.is_multicast()
                    && !ip.is_unicast_link_local()
                    && ip.to_ipv4_mapped().is_none()
            }
        };
        unicast
            && self
                .ports
                .is_none_or(|(first, last)| 0 < first && first <= last)
    }
}

/// Whether these addresses can be a pool.
///
/// # Errors
/// [`Refusal::Pool`].
pub(crate) fn check(pool: &[PoolAddress]) -> Result<(), Refusal> {
    let mut seen = Vec::new();
    for one in pool {
        if !one.is_usable() || seen.contains(&one.address) {
            return Err(Refusal::Pool);
        }
        seen.push(one.address);
    }
    let ipv6 = seen.iter().filter(|address| address.is_ipv6()).count();
    if ipv6 > OFFERED || seen.len() - ipv6 > OFFERED {
        return Err(Refusal::Pool);
    }
    Ok(())
}

impl fmt::Display for PoolAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.ports) {
            (address, None) => write!(f, "{address}"),
            (IpAddr::V4(address), Some((first, last))) => write!(f, "{address}:{first}-{last}"),
            (IpAddr::V6(address), Some((first, last))) => write!(f, "[{address}]:{first}-{last}"),
        }
    }
}

impl FromStr for PoolAddress {
    type Err = NoPoolAddress;

    fn from_str(text: &str) -> Result<Self, NoPoolAddress> {
        parse(text).ok_or_else(|| NoPoolAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PoolAddress> {
    if let Ok(address) = text.parse() {
        return Some(PoolAddress {
            address,
            ports: None,
        });
    }
    let (address, ports) = text.rsplit_once(':')?;
    let (first, last) = ports.split_once('-')?;
    let address = match address.strip_prefix('[') {
        Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse().ok()?),
        None => IpAddr::V4(address.parse().ok()?),
    };
    Some(PoolAddress {
        address,
        ports: Some((first.parse().ok()?, last.parse().ok()?)),
    })
}

impl From<PoolAddress> for String {
    fn from(one: PoolAddress) -> Self {
        one.to_string()
    }
}

impl TryFrom<String> for PoolAddress {
    type Error = NoPoolAddress;

    fn try_from(text: String) -> Result<Self, NoPoolAddress> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(texts: &[&str]) -> Vec<PoolAddress> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn text_and_address_are_each_others_inverse() {
        for text in [
            "10.0.0.1",
            "10.0.0.1:20000-29999",
            "2001:db8::1",
            "[2001:db8::1]:1-65535",
        ] {
            assert_eq!(text.parse::<PoolAddress>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "10.0.0.1:80",
            "10.0.0.1:1-70000",
            "2001:db8::1:1-2",
            "[10.0.0.1]:1-2",
            "[2001:db8::1]",
        ] {
            let error = text.parse::<PoolAddress>().unwrap_err();
            assert_eq!(error, NoPoolAddress(text.to_owned()));
        }
    }

    #[test]
    fn a_pool_has_machines_addresses_once_and_not_too_many() {
        let many: Vec<String> = (1..=9).map(|host| format!("10.0.0.{host}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (texts, good) in [
            (&[][..], true),
            (&many[..8], true),
            (&[&many[..8], &["2001:db8::1"]].concat(), true),
            (&many, false),
            (&["10.0.0.1", "10.0.0.1:5-6"], false),
            (&["10.0.0.1:6-5"], false),
            (&["10.0.0.1:0-5"], false),
            (&["224.0.0.1"], false),
            (&["fe80::1"], false),
        ] {
            assert_eq!(check(&pool(texts)).is_ok(), good, "{texts:?}");
        }
    }
}
