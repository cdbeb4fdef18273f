//! The attributes of one thing in the kernel's answer, and those of a request.
//!
//! Numbers are in host order but for ports and addresses, which are in network order.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::{DefaultNla, Emitable, NLA_HEADER_SIZE, NlasIterator};

use super::{Error, Result};

/// `AF_INET` and `AF_INET6`, as they stand in attributes.
const INET: u16 = libc::AF_INET as u16;
const INET6: u16 = libc::AF_INET6 as u16;

/// The attributes of one thing, by kind.
pub(super) struct Attributes<'a> {
    thing: &'a str,
    values: BTreeMap<u16, &'a [u8]>,
}

impl<'a> Attributes<'a> {
    /// Takes attributes apart; `thing` is what errors say they are of.
    pub(super) fn of(thing: &'a str, bytes: &'a [u8]) -> Result<Self> {
        let mut values = BTreeMap::new();
        for attribute in NlasIterator::new(bytes) {
            let attribute = attribute.map_err(|_| {
                Error::Malformed(format!("what it says about {thing} is cut short"))
            })?;
            let end = usize::from(attribute.length());
            // The iterator has checked both ends.
            let value = &attribute.into_inner()[NLA_HEADER_SIZE..end];
            values.insert(attribute.kind(), value);
        }
        Ok(Self { thing, values })
    }

    /// A value that must be there; `name` is what errors call it.
    pub(super) fn bytes(&self, kind: u16, name: &str) -> Result<&'a [u8]> {
        self.required(self.values.get(&kind).copied(), name)
    }

    /// What [`u16`](Self::u16) or [`u32`](Self::u32) have found, if it must be there.
    pub(super) fn required<T>(&self, value: Option<T>, name: &str) -> Result<T> {
        value.ok_or_else(|| self.malformed(format_args!("has no {name}")))
    }

    /// A byte, if it is there.
    pub(super) fn u8(&self, kind: u16, name: &str) -> Result<Option<u8>> {
        Ok(self.array(kind, name)?.map(u8::from_ne_bytes))
    }

    /// A number of 16 bits in host order, if it is there.
    pub(super) fn u16(&self, kind: u16, name: &str) -> Result<Option<u16>> {
        Ok(self.array(kind, name)?.map(u16::from_ne_bytes))
    }

    /// A number of 32 bits in host order, if it is there.
    pub(super) fn u32(&self, kind: u16, name: &str) -> Result<Option<u32>> {
        Ok(self.array(kind, name)?.map(u32::from_ne_bytes))
    }

    /// A port, if it is there.
    pub(super) fn port(&self, kind: u16, name: &str) -> Result<Option<u16>> {
        Ok(self.array(kind, name)?.map(u16::from_be_bytes))
    }

    /// Whether the address family is IPv6, if it is there.
    pub(super) fn is_ipv6(&self, kind: u16) -> Result<Option<bool>> {
        match self.u16(kind, "address family")? {
            None => Ok(None),
            Some(INET) => Ok(Some(false)),
            Some(INET6) => Ok(Some(true)),
            Some(other) => Err(self.malformed(format_args!("is of address family {other}"))),
        }
    }

    /// An address. The kernel sends room for one of IPv6 always (`union nf_inet_addr`).
    pub(super) fn address(&self, kind: u16, ipv6: bool) -> Result<IpAddr> {
        let bytes = self.bytes(kind, "address")?;
        let address = if ipv6 {
            let whole = <[u8; 16]>::try_from(bytes).ok();
            whole.map(|it| IpAddr::V6(Ipv6Addr::from(it)))
        } else {
            let first = bytes.first_chunk::<4>();
            first.map(|it| IpAddr::V4(Ipv4Addr::from(*it)))
        };
        address.ok_or_else(|| self.wrong_length("address", bytes))
    }

    /// A name, if it is there.
    pub(super) fn text(&self, kind: u16, name: &str) -> Result<Option<String>> {
        let Some(&bytes) = self.values.get(&kind) else {
            return Ok(None);
        };
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = String::from_utf8(text.to_vec());
        text.map(Some)
            .map_err(|_| self.malformed(format_args!("has a {name} that is no text")))
    }

    /// So many bytes, if they are there.
    pub(super) fn array<const N: usize>(&self, kind: u16, name: &str) -> Result<Option<[u8; N]>> {
        let Some(&bytes) = self.values.get(&kind) else {
            return Ok(None);
        };
        match bytes.try_into() {
            Ok(array) => Ok(Some(array)),
            Err(_) => Err(self.wrong_length(name, bytes)),
        }
    }

    /// That something is wrong with the thing.
    pub(super) fn malformed(&self, why: std::fmt::Arguments<'_>) -> Error {
        Error::Malformed(format!("{} {why}", self.thing))
    }

    fn wrong_length(&self, name: &str, bytes: &[u8]) -> Error {
        self.malformed(format_args!("has {} bytes as its {name}", bytes.len()))
    }
}

/// An address family, as an attribute has it.
pub(super) const fn family(ipv6: bool) -> u16 {
    if ipv6 { INET6 } else { INET }
}

/// Attributes as the value of another one.
pub(super) fn emitted(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}
