//! Netlink sockets: one that asks and waits for the answer, one that is told of changes.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::Duration,
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::message;

/// Multicast groups whose changes matter here (`RTNLGRP_*`): links, neighbours; addresses, routes and rules
/// of IPv4; the same of IPv6.
const GROUPS: [u32; 8] = [1, 3, 5, 7, 8, 9, 11, 19];
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// Bytes of a message's header.
const HEADER: usize = 16;
/// How long the kernel may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Room for changes that have not been read yet.
const WATCH_BUFFER: usize = 4 << 20;

/// Asks and waits for the answer.
#[derive(Debug)]
pub(crate) struct Query {
    socket: Socket,
    sequence: u32,
}

/// Is told of changes.
#[derive(Debug)]
pub(crate) struct Watch {
    socket: Socket,
}

impl Query {
    /// A socket in the network namespace of the calling thread.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_ext_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        set_timeout(socket.as_fd(), PATIENCE)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// Everything of one kind: each message of the answer is handed to `each`.
    pub(crate) fn dump(
        &mut self,
        request: RouteNetlinkMessage,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST | NLM_F_DUMP)?;
        loop {
            let datagram = self.receive()?;
            for part in parts(&datagram) {
                match parse(part)? {
                    Some(NetlinkPayload::Done(_)) => return Ok(()),
                    Some(NetlinkPayload::InnerMessage(message)) => each(message),
                    _ => {}
                }
            }
        }
    }

    /// One question with one answer.
    pub(crate) fn ask(&mut self, request: RouteNetlinkMessage) -> io::Result<RouteNetlinkMessage> {
        self.send(request, NLM_F_REQUEST)?;
        loop {
            let datagram = self.receive()?;
            for part in parts(&datagram) {
                if let Some(NetlinkPayload::InnerMessage(message)) = parse(part)? {
                    return Ok(message);
                }
            }
        }
    }

    /// Has something done; `flags` beside those of every request.
    pub(crate) fn act(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        loop {
            let datagram = self.receive()?;
            for part in parts(&datagram) {
                if let Some(NetlinkPayload::Error(_)) = parse(part)? {
                    return Ok(());
                }
            }
        }
    }

    fn send(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(request);
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }

    /// The next datagram that answers the last request.
    fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let answers = NetlinkBuffer::new_checked(&datagram[..])
                .is_ok_and(|buffer| buffer.sequence_number() == self.sequence);
            if answers {
                return Ok(datagram);
            }
        }
    }
}

impl Watch {
    /// A socket that is told of changes in the network namespace of the calling thread.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        socket.set_rx_buf_sz(WATCH_BUFFER as libc::c_int)?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        Ok(Self { socket })
    }

    /// The changes since the last call; `None` if some were lost and everything must be asked anew.
    pub(crate) fn changes(&self) -> io::Result<Option<Vec<RouteNetlinkMessage>>> {
        let mut changes = Vec::new();
        loop {
            match self.socket.recv_from_full() {
                Ok((datagram, _)) => {
                    for part in parts(&datagram) {
                        if let Some(NetlinkPayload::InnerMessage(change)) = parse(part)? {
                            changes.push(change);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(changes));
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Cuts a datagram into messages.
pub(super) fn parts(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = NetlinkBuffer::new_checked(rest).ok()?.length() as usize;
        let part = rest.get(..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(part)
    })
}

/// The payload of a message; `None` for a kind that is not understood. An error message becomes an
/// error, with the kernel's own words where it has any.
fn parse(part: &[u8]) -> io::Result<Option<NetlinkPayload<RouteNetlinkMessage>>> {
    let buffer = NetlinkBuffer::new_checked(part).map_err(io::Error::other)?;
    if buffer.message_type() == ERROR {
        message::check(&part[HEADER..])?;
    }
    Ok(NetlinkMessage::deserialize(part)
        .ok()
        .map(|message| message.payload))
}

pub(super) fn set_timeout(socket: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    let value = libc::timeval {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_usec: 0,
    };
    // SAFETY: the value is as long as it says.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const value).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
