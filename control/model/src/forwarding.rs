//! Ways to a real server.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a flow's packets reach its real server.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Forwarding {
    /// Masquerading (LVS-NAT): addresses and ports are rewritten both ways.
    Masq,
    /// Masquerading of the client too (FullNat): the server sees an address of the director ([`crate::PoolAddress`]), so
    /// that its answers come back by the director wherever its routes lead. Not in IPVS.
    #[serde(rename = "fullnat")]
    FullNat,
    /// [`Forwarding::FullNat`] for clients whose answers would not come back by the director: those in the server's own
    /// network, and itself. [`Forwarding::Masq`] for all others. Not in IPVS.
    Auto,
    /// Direct routing (LVS-DR): the packet is handed to the server's link address unchanged.
    Route,
    /// Tunnelling (LVS-TUN): the packet is wrapped in another one.
    Tunnel(Encapsulation),
}

impl Forwarding {
    /// Whether packets are rewritten, so that answers pass here.
    #[must_use]
    pub const fn rewrites(self) -> bool {
        matches!(self, Self::Masq | Self::FullNat | Self::Auto)
    }

    /// Whether flows may have an address of the pool.
    #[must_use]
    pub const fn uses_pool(self) -> bool {
        matches!(self, Self::FullNat | Self::Auto)
    }

    /// Whether packets are wrapped in others: then the server may be of another address family than the
    /// service.
    #[must_use]
    pub const fn is_tunnel(self) -> bool {
        matches!(self, Self::Tunnel(_))
    }
}

/// What a tunnelled packet is wrapped in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encapsulation {
    /// IP in IP.
    #[default]
    Ipip,
    /// Generic UDP Encapsulation.
    Gue {
        /// The server's UDP port, in host order; never 0.
        port: u16,
        /// The UDP header's checksum.
        #[serde(default)]
        checksum: TunnelChecksum,
    },
    /// Generic Routing Encapsulation.
    Gre {
        /// The GRE header's checksum.
        #[serde(default)]
        checksum: TunnelChecksum,
    },
}

/// Whether a tunnel's own header has a checksum (`IP_VS_TUNNEL_ENCAP_FLAG_*`).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TunnelChecksum {
    /// It has none.
    #[default]
    None,
    /// It has one.
    Full,
    /// Remote checksum offload, for [`Encapsulation::Gue`] only.
    Remote,
}

impl fmt::Display for Forwarding {
    /// `masq`, `fullnat`, `auto`, `route`, `tunnel ipip`, `tunnel gue 6080 remote checksum`, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masq => f.write_str("masq"),
            Self::FullNat => f.write_str("fullnat"),
            Self::Auto => f.write_str("auto"),
            Self::Route => f.write_str("route"),
            Self::Tunnel(Encapsulation::Ipip) => f.write_str("tunnel ipip"),
            Self::Tunnel(Encapsulation::Gue { port, checksum }) => {
                write!(f, "tunnel gue {port}{}", checksum.suffix())
            }
            Self::Tunnel(Encapsulation::Gre { checksum }) => {
                write!(f, "tunnel gre{}", checksum.suffix())
            }
        }
    }
}

impl TunnelChecksum {
    const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Full => " checksum",
            Self::Remote => " remote checksum",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ways_are_words_and_tunnels_say_more() {
        let gue = Encapsulation::Gue {
            port: 6080,
            checksum: TunnelChecksum::Remote,
        };
        for (forwarding, json) in [
            (Forwarding::Masq, r#""masq""#),
            (Forwarding::FullNat, r#""fullnat""#),
            (Forwarding::Auto, r#""auto""#),
            (Forwarding::Route, r#""route""#),
            (
                Forwarding::Tunnel(Encapsulation::Ipip),
                r#"{"tunnel":"ipip"}"#,
            ),
            (
                Forwarding::Tunnel(gue),
                r#"{"tunnel":{"gue":{"port":6080,"checksum":"remote"}}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&forwarding).unwrap(), json);
            assert_eq!(
                serde_json::from_str::<Forwarding>(json).unwrap(),
                forwarding
            );
        }
    }
}
