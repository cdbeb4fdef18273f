//! Ethernet II (IEEE 802.3) with at most one 802.1Q tag, or no link header at all.

use crate::frame::Frame;

const IPV4: u16 = u16::from_ne_bytes([0x08, 0x00]);
const IPV6: u16 = u16::from_ne_bytes([0x86, 0xdd]);
const VLAN: u16 = u16::from_ne_bytes([0x81, 0x00]);
/// Those bits of the first eight bytes that are the destination address.
const DESTINATION: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);

/// Offset of the 802.1Q tag control information.
pub const TAG: usize = 14;

/// What stands before the IP header.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Link {
    /// Nothing: a layer-3 device.
    Bare,
    /// An Ethernet header.
    Ethernet,
    /// An Ethernet header with an 802.1Q tag.
    Tagged,
}

impl Link {
    /// Bytes before the IP header.
    #[inline(always)]
    pub const fn length(self) -> usize {
        match self {
            Self::Bare => 0,
            Self::Ethernet => 14,
            Self::Tagged => 18,
        }
    }

    /// The one of this length.
    #[inline(always)]
    pub const fn of_length(bytes: usize) -> Self {
        match bytes {
            14 => Self::Ethernet,
            18 => Self::Tagged,
            _ => Self::Bare,
        }
    }
}

/// The version of IP that a frame carries.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Version {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Makes the type before an IP header at `network` that of the other version.
#[inline(always)]
pub fn retype<F: Frame>(frame: &mut F, network: usize, ipv6: bool) -> Option<()> {
    frame.write_u16(network - 2, if ipv6 { IPV6 } else { IPV4 })
}

/// The link header of an IP frame addressed to `mac` (layout of
/// [`crate::abi::interface::pack_mac`]), and what stands behind it; `None` for every other frame.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F, mac: Option<u64>) -> Option<(Link, Version)> {
    let Some(mac) = mac else {
        let [version, _] = frame.read_u16(0)?.to_ne_bytes();
        return match version >> 4 {
            6 => Some((Link::Bare, Version::V6)),
            _ => Some((Link::Bare, Version::V4)),
        };
    };
    if (frame.read_u64(0)? ^ mac) & DESTINATION != 0 {
        return None;
    }
    match frame.read_u16(12)? {
        IPV4 => Some((Link::Ethernet, Version::V4)),
        IPV6 => Some((Link::Ethernet, Version::V6)),
        VLAN => match frame.read_u16(16)? {
            IPV4 => Some((Link::Tagged, Version::V4)),
            IPV6 => Some((Link::Tagged, Version::V6)),
            _ => None,
        },
        _ => None,
    }
}
