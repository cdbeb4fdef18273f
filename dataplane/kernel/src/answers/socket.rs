//! Raw sockets that send ICMP from addresses which this machine need not have, and hear nothing.

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use super::message::Message;

/// `ICMP_FILTER` of linux/icmp.h, at level `SOL_RAW`.
const ICMP_FILTER: libc::c_int = 1;
/// `SOL_RAW`.
const SOL_RAW: libc::c_int = 255;
/// `ICMPV6_FILTER` of linux/icmpv6.h, at level `IPPROTO_ICMPV6`.
const ICMPV6_FILTER: libc::c_int = 1;
/// Room for the control messages of one answer.
const CONTROL: usize = 96;

/// One socket of each family.
#[derive(Debug)]
pub(super) struct Sockets {
    ipv4: OwnedFd,
    /// None where the kernel has no IPv6.
    ipv6: Option<OwnedFd>,
}

impl Sockets {
    pub(super) fn open() -> io::Result<Self> {
        let ipv4 = open(libc::AF_INET, libc::IPPROTO_ICMP)?;
        set(&ipv4, SOL_RAW, ICMP_FILTER, u32::MAX)?;
        // Who makes answers fragments them rather than ask for a way where they fit (`icmp_sk_init`).
        let discover = libc::IP_PMTUDISC_DONT;
        set(&ipv4, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)?;
        set(&ipv4, libc::IPPROTO_IP, libc::IP_TRANSPARENT, 1)?;
        let ipv6 = match open(libc::AF_INET6, libc::IPPROTO_ICMPV6) {
            Ok(socket) => {
                let nothing = [u32::MAX; 8];
                set(&socket, libc::IPPROTO_ICMPV6, ICMPV6_FILTER, nothing)?;
                set(&socket, libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, 1)?;
                Some(socket)
            }
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { ipv4, ipv6 })
    }

    /// Sends a message.
    pub(super) fn send(&self, message: &Message) -> io::Result<()> {
        let mut control = Control::default();
        match message.destination {
            IpAddr::V4(destination) => {
                if let Some(IpAddr::V4(source)) = message.source {
                    control.add(libc::IPPROTO_IP, libc::IP_PKTINFO, from_ipv4(source));
                }
                let service = libc::c_int::from(message.service);
                control.add(libc::IPPROTO_IP, libc::IP_TOS, service);
                let address = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: 0,
                    sin_addr: in_addr(destination),
                    sin_zero: [0; 8],
                };
                transmit(&self.ipv4, &address, &message.bytes, &control)
            }
            IpAddr::V6(destination) => {
                let Some(socket) = &self.ipv6 else {
                    return Err(io::ErrorKind::Unsupported.into());
                };
                // Link-local addresses are of a link.
                let interface = if destination.is_unicast_link_local() {
                    message.interface
                } else {
                    0
                };
                if let Some(IpAddr::V6(source)) = message.source {
                    let info = libc::in6_pktinfo {
                        ipi6_addr: in6_addr(source),
                        ipi6_ifindex: interface,
                    };
                    control.add(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
                }
                let address = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: 0,
                    sin6_flowinfo: 0,
                    sin6_addr: in6_addr(destination),
                    sin6_scope_id: interface,
                };
                transmit(socket, &address, &message.bytes, &control)
            }
        }
    }
}

fn from_ipv4(source: Ipv4Addr) -> libc::in_pktinfo {
    libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: in_addr(source),
        ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
    }
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(address.octets()),
    }
}

fn in6_addr(address: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr {
        s6_addr: address.octets(),
    }
}

/// Control messages, aligned as the kernel wants them.
#[repr(C, align(8))]
struct Control {
    bytes: [u8; CONTROL],
    length: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            bytes: [0; CONTROL],
            length: 0,
        }
    }
}

impl Control {
    /// Adds one. `T` is a C structure without padding.
    fn add<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) {
        let size = size_of::<T>() as libc::c_uint;
        // SAFETY: only computes.
        let (space, length) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
        let space = space as usize;
        assert!(self.length + space <= CONTROL, "there is room for all");
        let header: *mut libc::cmsghdr = self.bytes[self.length..].as_mut_ptr().cast();
        // SAFETY: header and data fit, as was just checked; the space of each is a multiple of the
        // alignment.
        unsafe {
            (*header).cmsg_len = length as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.length += space;
    }
}

fn transmit<A>(socket: &OwnedFd, to: &A, bytes: &[u8], control: &Control) -> io::Result<()> {
    let mut piece = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a plain C struct, for which zero is a value.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_name = std::ptr::from_ref(to).cast_mut().cast();
    message.msg_namelen = size_of::<A>() as libc::socklen_t;
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.as_ptr().cast_mut().cast();
    message.msg_controllen = control.length as _;
    // SAFETY: every address is that of memory as long as its length says; the kernel only reads.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn open(family: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no addresses in it.
    let socket = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn set<T>(socket: &OwnedFd, level: libc::c_int, option: libc::c_int, value: T) -> io::Result<()> {
    let value = std::ptr::from_ref(&value);
    // SAFETY: the value is as long as it says.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            value.cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
