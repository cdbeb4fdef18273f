//! Real servers.

use std::net::SocketAddr;

use super::{Key, Result, attributes::Attributes};

/// Attributes (`IPVS_DEST_ATTR_*`).
const ADDR: u16 = 1;
const PORT: u16 = 2;
const FWD_METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const U_THRESH: u16 = 5;
const L_THRESH: u16 = 6;
const ADDR_FAMILY: u16 = 11;
const TUN_TYPE: u16 = 13;
const TUN_PORT: u16 = 14;
const TUN_FLAGS: u16 = 15;
/// Which bits of the connection flags are the way of forwarding (`IP_VS_CONN_F_FWD_MASK`), and its
/// values.
const FWD_MASK: u32 = 7;
const MASQ: u32 = 0;
const LOCALNODE: u32 = 1;
const TUNNEL: u32 = 2;
const DROUTE: u32 = 3;
const BYPASS: u32 = 4;
/// Tunnel types (`IP_VS_CONN_F_TUNNEL_TYPE_*`).
const IPIP: u8 = 0;
const GUE: u8 = 1;
const GRE: u8 = 2;

/// One real server of a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Destination {
    /// Its address and port. Its family may be another than the service's in a tunnel.
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share of new connections; 0 means no new ones.
    pub weight: u32,
    /// With so many connections it gets no new ones; 0 means no such limit.
    pub upper_threshold: u32,
    /// Below so many connections it gets new ones again; 0 means three quarters of the upper threshold.
    pub lower_threshold: u32,
}

/// How packets reach a real server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Forwarding {
    /// Masquerading (LVS-NAT).
    Masq,
    /// It is the director itself. Kernels of today find that out for each packet and say here what the
    /// administrator said.
    Local,
    /// Tunnelling (LVS-TUN).
    Tunnel(Encapsulation),
    /// Direct routing (LVS-DR).
    Route,
    /// Packets leave for where they were going, past a cache.
    Bypass,
}

/// What a tunnelled packet is wrapped in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encapsulation {
    /// IP in IP; the only one in older kernels.
    Ipip,
    /// Generic UDP Encapsulation.
    Gue {
        /// The server's UDP port.
        port: u16,
        /// The UDP header's checksum.
        checksum: TunnelChecksum,
    },
    /// Generic Routing Encapsulation.
    Gre {
        /// The GRE header's checksum.
        checksum: TunnelChecksum,
    },
    /// One that is not known here, by its number.
    Other(u8),
}

/// Whether a tunnel's own header has a checksum (`IP_VS_TUNNEL_ENCAP_FLAG_*`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TunnelChecksum {
    /// It has none.
    None,
    /// It has one.
    Full,
    /// Remote checksum offload.
    Remote,
    /// Flags that are not known here, or both of the above.
    Other(u16),
}

impl Destination {
    /// From the attributes of one real server of the service `key`.
    pub(super) fn of(bytes: &[u8], key: &Key) -> Result<Self> {
        let thing = format!("a real server of {key}");
        let values = Attributes::of(&thing, bytes)?;
        // Older kernels know no other family than the service's.
        let ipv6 = values.is_ipv6(ADDR_FAMILY)?.unwrap_or(key.is_ipv6());
        let port = values.required(values.port(PORT, "port")?, "port")?;
        let number = |kind, name| values.required(values.u32(kind, name)?, name);
        Ok(Self {
            address: SocketAddr::new(values.address(ADDR, ipv6)?, port),
            forwarding: Forwarding::of(&values)?,
            weight: number(WEIGHT, "weight")?,
            upper_threshold: number(U_THRESH, "upper threshold")?,
            lower_threshold: number(L_THRESH, "lower threshold")?,
        })
    }
}

impl Forwarding {
    fn of(values: &Attributes<'_>) -> Result<Self> {
        let name = "forwarding method";
        let flags = values.required(values.u32(FWD_METHOD, name)?, name)?;
        match flags & FWD_MASK {
            MASQ => Ok(Self::Masq),
            LOCALNODE => Ok(Self::Local),
            TUNNEL => Encapsulation::of(values).map(Self::Tunnel),
            DROUTE => Ok(Self::Route),
            BYPASS => Ok(Self::Bypass),
            other => Err(values.malformed(format_args!("has the {name} {other}"))),
        }
    }
}

impl Encapsulation {
    fn of(values: &Attributes<'_>) -> Result<Self> {
        let port = values.port(TUN_PORT, "tunnel port")?.unwrap_or(0);
        let flags = values.u16(TUN_FLAGS, "tunnel flags")?.unwrap_or(0);
        let checksum = TunnelChecksum::of(flags);
        Ok(match values.u8(TUN_TYPE, "tunnel type")?.unwrap_or(IPIP) {
            IPIP => Self::Ipip,
            GUE => Self::Gue { port, checksum },
            GRE => Self::Gre { checksum },
            other => Self::Other(other),
        })
    }
}

impl TunnelChecksum {
    const fn of(flags: u16) -> Self {
        match flags {
            0 => Self::None,
            1 => Self::Full,
            2 => Self::Remote,
            other => Self::Other(other),
        }
    }
}
