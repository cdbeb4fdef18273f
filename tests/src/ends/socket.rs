//! Sockets of TCP and, as streams too, of SCTP.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt,
};

use super::Protocol;

fn new(protocol: Protocol, address: IpAddr) -> io::Result<OwnedFd> {
    let family = match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let (kind, flags) = (SockType::Stream, SockFlag::SOCK_CLOEXEC);
    Ok(socket::socket(family, kind, flags, protocol.number())?)
}

pub(super) fn listen(protocol: Protocol, here: SocketAddr) -> io::Result<TcpListener> {
    let listener = new(protocol, here.ip())?;
    setsockopt(&listener, sockopt::ReuseAddr, &true)?;
    socket::bind(listener.as_raw_fd(), &SockaddrStorage::from(here))?;
    socket::listen(&listener, Backlog::new(64)?)?;
    Ok(listener.into())
}

/// A connection from any port of an address; its reads and writes end after this time.
pub(super) fn connect(
    protocol: Protocol,
    from: IpAddr,
    service: SocketAddr,
    patience: Duration,
) -> io::Result<TcpStream> {
    let client = new(protocol, from)?;
    let here = SocketAddr::new(from, 0);
    socket::bind(client.as_raw_fd(), &SockaddrStorage::from(here))?;
    let stream = TcpStream::from(client);
    stream.set_read_timeout(Some(patience))?;
    // This one is for connecting, too.
    stream.set_write_timeout(Some(patience))?;
    socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(service))?;
    Ok(stream)
}
