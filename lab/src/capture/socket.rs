//! A packet socket on one interface (packet(7)).

use std::{
    io,
    mem::{self, MaybeUninit, size_of},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

/// How much the kernel may queue for us.
const QUEUE: libc::c_int = 128 << 20;
/// How long a read waits before it looks whether the capture is to end.
const WAIT: libc::timeval = libc::timeval {
    tv_sec: 0,
    tv_usec: 20_000,
};
/// `struct virtio_net_hdr`, which precedes each frame with `PACKET_VNET_HDR`.
const VNET_HEADER: usize = 10;
/// Larger than any packet the kernel joins without BIG TCP.
const LARGEST: usize = 128 * 1024;
/// ETH_P_ALL in network byte order: what is sent too, which a socket for IPv4 alone would not see.
const EVERYTHING: u16 = (libc::ETH_P_ALL as u16).to_be();

/// One frame as the kernel had it.
pub(super) struct Frame<'a> {
    /// When it passed, since 1970.
    pub(super) time: Duration,
    /// From the Ethernet header on.
    pub(super) bytes: &'a [u8],
    /// How much payload each packet of a joined one has; 0 for a packet that is not joined.
    pub(super) segment_size: u16,
}

#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl PacketSocket {
    /// Opens one in the namespace of the calling thread, for the interface with this number.
    pub(super) fn open(interface: u32) -> io::Result<Self> {
        // Protocol 0: nothing is queued until the socket is bound to its interface.
        // SAFETY: no memory is passed.
        let socket =
            unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let opened = Self {
            socket,
            buffer: vec![0; LARGEST],
        };
        opened.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &QUEUE)?;
        opened.set(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &WAIT)?;
        opened.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)?;
        opened.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1)?;
        opened.bind(interface)?;
        Ok(opened)
    }

    fn bind(&self, interface: u32) -> io::Result<()> {
        // SAFETY: a sockaddr_ll of zeroes is a valid one: integers only.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = EVERYTHING;
        address.sll_ifindex = interface.cast_signed();
        // SAFETY: the address lives during the call and its true size is given.
        let outcome = unsafe {
            libc::bind(
                self.socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if outcome < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
        // SAFETY: the value lives during the call and its true size is given.
        let outcome = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        if outcome < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// The next frame, or `None` when none has come for a while.
    pub(super) fn receive(&mut self) -> io::Result<Option<Frame<'_>>> {
        let mut part = libc::iovec {
            iov_base: self.buffer.as_mut_ptr().cast(),
            iov_len: self.buffer.len(),
        };
        let mut control = [0u64; 16];
        // SAFETY: a msghdr of zeroes is a valid one: integers and null pointers.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: the message points at the buffer and at `control`, both alive and of the sizes
        // given.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, 0) };
        let Ok(length) = usize::try_from(length) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                // The interface went down; it may come up again.
                _ if error.raw_os_error() == Some(libc::ENETDOWN) => Ok(None),
                _ => Err(error),
            };
        };
        let time = timestamp(&message);
        let Some((header, bytes)) = self.buffer[..length].split_at_checked(VNET_HEADER) else {
            return Ok(None);
        };
        // flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, in the order of the host.
        let segment_size = match header[1] {
            0 => 0,
            _ => u16::from_ne_bytes([header[4], header[5]]),
        };
        Ok(Some(Frame {
            time,
            bytes,
            segment_size,
        }))
    }

    /// How many frames did not fit into the queue since the last time this was asked.
    pub(super) fn dropped(&self) -> io::Result<u32> {
        let mut statistics = MaybeUninit::<libc::tpacket_stats>::zeroed();
        let mut size = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `size` bytes of a structure that has this size.
        let outcome = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                statistics.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was zeroed and holds integers only.
        Ok(unsafe { statistics.assume_init() }.tp_drops)
    }
}

/// The time the kernel noted; zero when it noted none.
fn timestamp(message: &libc::msghdr) -> Duration {
    // SAFETY: recvmsg has just filled in the control messages and their length, and what they point
    // at is alive.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !control.is_null() {
        // SAFETY: not null, so it is a control message inside the buffer.
        let header = unsafe { control.read_unaligned() };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: the data of this type of message is a timespec.
            let time: libc::timespec = unsafe {
                libc::CMSG_DATA(control)
                    .cast::<libc::timespec>()
                    .read_unaligned()
            };
            return Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32);
        }
        // SAFETY: both pointers are valid as above.
        control = unsafe { libc::CMSG_NXTHDR(message, control) };
    }
    Duration::ZERO
}
