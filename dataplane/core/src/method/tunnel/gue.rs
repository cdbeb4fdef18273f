//! Generic UDP Encapsulation (`ip_vs_gue_encap`; draft-ietf-intarea-gue, variant 0): a UDP header and four bytes
//! that name the protocol behind them.

use crate::frame::Frame;
use crate::nat::checksum::{finish, sum_of};

/// Length of both headers, bytes.
pub(super) const LENGTH: usize = 12;

/// First source port: the dynamic ones (RFC 6335, section 6) say to which connection a packet belongs, so that
/// routers and network cards can spread them (`udp_flow_src_port`).
const FIRST_PORT: u16 = 0xc000;

/// What the headers say.
pub(super) struct About {
    /// The server's port, wire order.
    pub(super) port: u16,
    /// Scatters connections over source ports.
    pub(super) entropy: u32,
    /// IP protocol number of what is behind.
    pub(super) protocol: u8,
    /// Length with both headers, bytes.
    pub(super) length: usize,
}

/// Writes the headers at `offset`. `sum` is that of pseudo-header and contents; without it they have no
/// checksum (RFC 6935 allows that for tunnels over IPv6 too).
#[inline(always)]
pub(super) fn write<F: Frame>(
    frame: &mut F,
    offset: usize,
    about: &About,
    sum: Option<u32>,
) -> Option<()> {
    let source = FIRST_PORT | (about.entropy as u16) >> 2;
    let ports = source.to_be() as u32 | (about.port as u32) << 16;
    let length = (about.length as u16).to_be() as u32;
    let gue = u32::from_ne_bytes([0, about.protocol, 0, 0]);
    let checksum = match sum {
        None => 0,
        Some(sum) => match finish(sum + sum_of(ports) + length + sum_of(gue)) {
            0 => 0xffff,
            checksum => checksum,
        },
    };
    frame.write_u32(offset, ports)?;
    frame.write_u32(offset + 4, length | (checksum as u32) << 16)?;
    frame.write_u32(offset + 8, gue)
}
