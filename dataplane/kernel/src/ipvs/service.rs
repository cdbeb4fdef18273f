//! How a virtual service behaves.

use std::net::Ipv4Addr;

use super::{Destination, Key, Result, attributes::Attributes};

/// Attributes (`IPVS_SVC_ATTR_*`).
const SCHED_NAME: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const PE_NAME: u16 = 11;
/// Flags (`IP_VS_SVC_F_PERSISTENT`, `_ONEPACKET`, `_SCHED1` to `_SCHED3`).
const PERSISTENT: u32 = 1 << 0;
const ONE_PACKET: u32 = 1 << 2;
const SCHEDULER_FLAGS: [u32; 3] = [1 << 3, 1 << 4, 1 << 5];

/// One virtual service and its real servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Service {
    /// Which packets it is for.
    pub key: Key,
    /// The scheduler's name, `none` where it has none.
    pub scheduler: String,
    /// The scheduler's flags 1 to 3. For `sh` and `mh` the first is fallback, the second port.
    pub scheduler_flags: [bool; 3],
    /// Whether and how clients stay with their server. The kernel keeps a timeout and a mask for other
    /// services too, which are without effect.
    pub persistence: Option<Persistence>,
    /// The persistence engine's name.
    pub persistence_engine: Option<String>,
    /// Whether every packet is scheduled for itself.
    pub one_packet: bool,
    /// Its real servers in the kernel's order, the one added last first.
    pub destinations: Vec<Destination>,
}

/// How long and how finely a client stays with its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Persistence {
    /// Seconds after its last connection.
    pub timeout: u32,
    /// Which clients stay together.
    pub netmask: Netmask,
}

/// Clients whose addresses are alike under this mask count as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Netmask {
    /// Of IPv4 addresses; any bits, not only leading ones.
    V4(Ipv4Addr),
    /// Of IPv6 addresses: the length of the prefix, 1 to 128.
    V6(u8),
}

impl Service {
    /// From the attributes of one service, without its real servers.
    pub(super) fn of(bytes: &[u8]) -> Result<Self> {
        let key = Key::of(bytes)?;
        let name = format!("the service {key}");
        let values = Attributes::of(&name, bytes)?;
        let scheduler = values.text(SCHED_NAME, "scheduler")?;
        let flags = values.array::<8>(FLAGS, "flags")?;
        // Flags, and a mask that says which of them are meant: in answers all.
        let [f0, f1, f2, f3, ..] = values.required(flags, "flags")?;
        let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
        let persistent = flags & PERSISTENT != 0;
        Ok(Self {
            key,
            scheduler: values.required(scheduler, "scheduler")?,
            scheduler_flags: SCHEDULER_FLAGS.map(|flag| flags & flag != 0),
            persistence: persistent
                .then(|| Persistence::of(&values, key.is_ipv6()))
                .transpose()?,
            persistence_engine: values.text(PE_NAME, "persistence engine")?,
            one_packet: flags & ONE_PACKET != 0,
            destinations: Vec::new(),
        })
    }
}

impl Persistence {
    fn of(values: &Attributes<'_>, ipv6: bool) -> Result<Self> {
        let timeout = values.u32(TIMEOUT, "persistence timeout")?;
        Ok(Self {
            timeout: values.required(timeout, "persistence timeout")?,
            netmask: Netmask::of(values, ipv6)?,
        })
    }
}

impl Netmask {
    /// IPv4 masks are in network order, IPv6 prefix lengths are numbers in host order
    /// (`ip_vs_genl_parse_service`, `ip_vs_add_service`).
    fn of(values: &Attributes<'_>, ipv6: bool) -> Result<Self> {
        let name = "persistence netmask";
        let bytes = values.required(values.array::<4>(NETMASK, name)?, name)?;
        if !ipv6 {
            return Ok(Self::V4(Ipv4Addr::from(bytes)));
        }
        match u32::from_ne_bytes(bytes) {
            length @ 1..=128 => Ok(Self::V6(length as u8)),
            length => Err(values.malformed(format_args!("has a {name} of {length} bits"))),
        }
    }
}
