//! What a virtual service is for.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use netlink_packet_core::DefaultNla;

use super::{
    Result,
    attributes::{Attributes, family},
};

/// Attributes (`IPVS_SVC_ATTR_*`).
const AF: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDR: u16 = 3;
const PORT: u16 = 4;
const FWMARK: u16 = 5;

/// What tells one virtual service from another: the packets it is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Key {
    /// Packets to one address and port of one protocol; port 0 stands for all ports that no other
    /// service has.
    Address {
        /// The protocol.
        protocol: Protocol,
        /// The virtual address (VIP) and port.
        address: SocketAddr,
    },
    /// Packets of one family that carry a firewall mark.
    Mark {
        /// The mark, never 0.
        mark: u32,
        /// Whether it is for IPv6.
        ipv6: bool,
    },
}

/// A transport protocol that IPVS balances.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Protocol {
    /// TCP, IP protocol 6.
    Tcp,
    /// UDP, IP protocol 17.
    Udp,
    /// SCTP, IP protocol 132.
    Sctp,
}

impl Key {
    /// From the attributes of a service.
    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        let values = Attributes::of("a service", bytes)?;
        let ipv6 = values.required(values.is_ipv6(AF)?, "address family")?;
        if let Some(mark) = values.u32(FWMARK, "firewall mark")? {
            return Ok(Self::Mark { mark, ipv6 });
        }
        let protocol = values.required(values.u16(PROTOCOL, "protocol")?, "protocol")?;
        let protocol = Protocol::of(protocol)
            .ok_or_else(|| values.malformed(format_args!("is of IP protocol {protocol}")))?;
        let port = values.required(values.port(PORT, "port")?, "port")?;
        let address = SocketAddr::new(values.address(ADDR, ipv6)?, port);
        Ok(Self::Address { protocol, address })
    }

    /// Whether it is for IPv6.
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        match *self {
            Self::Address { address, .. } => address.is_ipv6(),
            Self::Mark { ipv6, .. } => ipv6,
        }
    }

    /// What a request has to say to mean this service (`ip_vs_genl_parse_service`).
    pub(super) fn attributes(&self) -> Vec<DefaultNla> {
        let af = DefaultNla::new(AF, family(self.is_ipv6()).to_ne_bytes().to_vec());
        match *self {
            Self::Address { protocol, address } => {
                let number = protocol.number().to_ne_bytes().to_vec();
                // There is room for an IPv6 address always (`union nf_inet_addr`).
                let mut ip = match address.ip() {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                ip.resize(16, 0);
                let port = address.port().to_be_bytes().to_vec();
                vec![
                    af,
                    DefaultNla::new(PROTOCOL, number),
                    DefaultNla::new(ADDR, ip),
                    DefaultNla::new(PORT, port),
                ]
            }
            Self::Mark { mark, .. } => {
                vec![af, DefaultNla::new(FWMARK, mark.to_ne_bytes().to_vec())]
            }
        }
    }
}

impl fmt::Display for Key {
    /// `TCP 10.0.0.1:80`, `FWM 7` or `FWM 7 IPv6`, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address } => write!(f, "{} {address}", protocol.name()),
            Self::Mark { mark, ipv6: false } => write!(f, "FWM {mark}"),
            Self::Mark { mark, ipv6: true } => write!(f, "FWM {mark} IPv6"),
        }
    }
}

impl Protocol {
    /// The protocol of an IP protocol number, if IPVS balances it.
    fn of(number: u16) -> Option<Self> {
        let all = [Self::Tcp, Self::Udp, Self::Sctp];
        all.into_iter().find(|it| it.number() == number)
    }

    /// The IP protocol number.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The name in listings: `TCP`, `UDP` or `SCTP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}
