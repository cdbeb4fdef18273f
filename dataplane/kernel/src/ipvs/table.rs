//! Everything together, and the timeouts.

use super::{Result, Service, attributes::Attributes};

/// Attributes of the answer about timeouts (`IPVS_CMD_ATTR_TIMEOUT_*`).
const TCP: u16 = 4;
const TCP_FIN: u16 = 5;
const UDP: u16 = 6;

/// What the kernel's IPVS of one network namespace holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    /// Its services, in the order of the kernel's hash tables, which means nothing.
    pub services: Vec<Service>,
    /// Its timeouts.
    pub timeouts: Timeouts,
}

/// How long an idle connection lives, in seconds; `None` where the kernel was built without the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// An established TCP connection.
    pub tcp: Option<u32>,
    /// A TCP connection after a FIN.
    pub tcp_fin: Option<u32>,
    /// A UDP connection.
    pub udp: Option<u32>,
}

impl Timeouts {
    /// From the attributes of the kernel's answer.
    pub(super) fn of(answer: &[u8]) -> Result<Self> {
        let answer = Attributes::of("the table", answer)?;
        Ok(Self {
            tcp: answer.u32(TCP, "TCP timeout")?,
            tcp_fin: answer.u32(TCP_FIN, "TCP timeout after a FIN")?,
            udp: answer.u32(UDP, "UDP timeout")?,
        })
    }
}
