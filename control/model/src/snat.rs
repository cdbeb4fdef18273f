//! A way out for connections that servers make themselves: from an address of the director (SNAT).

use std::{fmt, net::Ipv4Addr, str::FromStr};

use ferrovs_core::outward::NETWORKS;
use serde::{Deserialize, Serialize};

use crate::{PoolAddress, Refusal, pool};

/// Who has a way out, and by which addresses of the director. IPv4.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Snat {
    /// Networks of servers. What one of them sends to another has no need of it.
    pub from: Vec<Network>,
    /// What the world sees in place of a server.
    pub to: Vec<PoolAddress>,
}

/// An IPv4 network; in text `192.168.2.0/24`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    /// Its address: that of a host in it, all bits of the host being 0.
    pub address: Ipv4Addr,
    /// How many leading bits name it, 1 to 32.
    pub prefix: u8,
}

/// A text that names no network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a network is like 192.168.2.0/24, with no bits of a host, not {0:?}")]
pub struct NoNetwork(String);

impl Network {
    /// The bits that name it.
    #[must_use]
    pub const fn mask(&self) -> u32 {
        u32::MAX << ((32 - self.prefix) & 31)
    }
}

impl Snat {
    /// Whether a director can do so.
    ///
    /// # Errors
    /// [`Refusal::Snat`].
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let Self { from, to } = self;
        let few = (1..=NETWORKS).contains(&from.len()) && !to.is_empty();
        if few && to.iter().all(|one| one.address.is_ipv4()) && pool::check(to).is_ok() {
            Ok(())
        } else {
            Err(Refusal::Snat)
        }
    }
}

impl fmt::Display for Snat {
    /// As the command line has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |texts: Vec<String>| texts.join(" ");
        let from = all(self.from.iter().map(ToString::to_string).collect());
        let to = all(self.to.iter().map(ToString::to_string).collect());
        write!(f, "{from} --to {to}")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let network = Self {
                address: address.parse().ok()?,
                prefix: prefix
                    .parse()
                    .ok()
                    .filter(|prefix| (1..=32).contains(prefix))?,
            };
            (network.address.to_bits() & !network.mask() == 0).then_some(network)
        };
        parse().ok_or_else(|| NoNetwork(text.to_owned()))
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_no_bits_of_a_host() {
        for text in ["192.168.2.0/24", "10.0.0.0/8", "10.1.2.3/32", "128.0.0.0/1"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.1/24",
            "0.0.0.0/0",
            "10.0.0.0/33",
            "fd00::/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork(text.to_owned())));
        }
    }

    #[test]
    fn somebody_needs_a_way_out_by_some_address() {
        let snat = |from: &[&str], to: &[&str]| Snat {
            from: from.iter().map(|one| one.parse().unwrap()).collect(),
            to: to.iter().map(|one| one.parse().unwrap()).collect(),
        };
        let network = "10.0.0.0/8";
        assert_eq!(snat(&[network], &["1.2.3.4"]).check(), Ok(()));
        for wrong in [
            snat(&[], &["1.2.3.4"]),
            snat(&[network], &[]),
            snat(&[network], &["2001:db8::1"]),
            snat(&[network; NETWORKS + 1], &["1.2.3.4"]),
        ] {
            assert_eq!(wrong.check(), Err(Refusal::Snat), "{wrong}");
        }
    }
}
