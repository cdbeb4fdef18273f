//! What drivers can do with XDP (generic netlink family "netdev", Linux 6.3).

use std::{collections::BTreeMap, io, os::fd::AsFd};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use super::message::{attributes, check};

/// `GENL_ID_CTRL`.
const CONTROLLER: u16 = 16;
/// `CTRL_CMD_GETFAMILY`, and its attributes `CTRL_ATTR_FAMILY_ID` and `_NAME`.
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `NETDEV_CMD_DEV_GET`, and its attributes `NETDEV_A_DEV_IFINDEX` and `_XDP_FEATURES`.
const DEV_GET: u8 = 1;
const DEV_INDEX: u16 = 1;
const DEV_FEATURES: u16 = 3;
/// `NLM_F_REQUEST` and, for a dump, `NLM_F_ROOT | NLM_F_MATCH`.
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
/// `NLMSG_ERROR`, `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Bytes of the netlink and the generic netlink header.
const HEADERS: usize = 16 + 4;

/// What a driver can do with XDP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Features(u64);

impl Features {
    /// Whether it runs programs and lets them redirect (`NETDEV_XDP_ACT_BASIC`, `_REDIRECT`).
    pub(crate) const fn runs_programs(self) -> bool {
        self.0 & 3 == 3
    }

    /// Whether it sends what XDP programs redirect to it (`NETDEV_XDP_ACT_NDO_XMIT`). A veth does when
    /// its other end has an XDP program or generic receive offload.
    pub(crate) const fn transmits(self) -> bool {
        self.0 & 4 != 0
    }
}

/// Features by interface index.
pub(crate) fn xdp_features() -> io::Result<BTreeMap<u32, Features>> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    super::socket::set_timeout(socket.as_fd(), super::socket::PATIENCE)?;
    let mut family = None;
    exchange(
        &socket,
        CONTROLLER,
        REQUEST,
        GET_FAMILY,
        b"netdev\0",
        |values| {
            family = attributes(values).find_map(|(kind, value)| match (kind, value) {
                (FAMILY_ID, &[a, b]) => Some(u16::from_ne_bytes([a, b])),
                _ => None,
            });
        },
    )?;
    let family = family.ok_or(io::ErrorKind::Unsupported)?;
    let mut features = BTreeMap::new();
    exchange(&socket, family, REQUEST | DUMP, DEV_GET, b"", |values| {
        let mut index = 0;
        let mut flags = 0;
        for (kind, value) in attributes(values) {
            if let (DEV_INDEX, Ok(value)) = (kind, value.try_into()) {
                index = u32::from_ne_bytes(value);
            } else if let (DEV_FEATURES, Ok(value)) = (kind, value.try_into()) {
                flags = u64::from_ne_bytes(value);
            }
        }
        features.insert(index, Features(flags));
    })?;
    Ok(features)
}

/// Sends one command, perhaps with a family's name, and hands the attributes of each answer to `each`.
fn exchange(
    socket: &Socket,
    family: u16,
    flags: u16,
    command: u8,
    name: &[u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut request = vec![0; HEADERS];
    request[16] = command;
    request[17] = 1;
    if !name.is_empty() {
        request.extend(((4 + name.len()) as u16).to_ne_bytes());
        request.extend(FAMILY_NAME.to_ne_bytes());
        request.extend(name);
        request.resize(request.len().next_multiple_of(4), 0);
    }
    let length = request.len() as u32;
    let mut header = NetlinkBuffer::new(&mut request);
    header.set_length(length);
    header.set_message_type(family);
    header.set_flags(flags);
    socket.send_to(&request, &SocketAddr::new(0, 0), 0)?;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        for part in super::socket::parts(&datagram) {
            match NetlinkBuffer::new(part).message_type() {
                DONE => return Ok(()),
                ERROR => return check(&part[16..]),
                _ => each(part.get(HEADERS..).unwrap_or_default()),
            }
        }
        if flags & DUMP == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_tells_what_its_loopback_cannot_do() {
        let features = xdp_features().unwrap();
        let index = 1;
        assert!(!features[&index].transmits());
    }
}
