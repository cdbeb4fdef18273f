//! Servers that answer with their name, whatever the network they stand in.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv6Addr, Shutdown, SocketAddrV6, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, listen,
    setsockopt, socket, sockopt,
};

/// How long a server that has answered waits for the client to close.
const FAREWELL: Duration = Duration::from_secs(2);

/// Answers `PING` with a line, and a request of HTTP/1.0 with a page, and closes then. Never returns but with an error.
pub(super) fn tcp(name: &str, port: u16) -> io::Result<()> {
    serve(name, port, SockProtocol::Tcp)
}

/// The same by SCTP.
pub(super) fn sctp(name: &str, port: u16) -> io::Result<()> {
    serve(name, port, SockProtocol::Sctp)
}

/// Answers every datagram. Never returns but with an error.
pub(super) fn udp(name: &str, port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))?;
    let mut room = [0; 65_536];
    loop {
        // An error is about an earlier answer that nobody took.
        if let Ok((_, client)) = socket.recv_from(&mut room) {
            let _ = socket.send_to(name.as_bytes(), client);
        }
    }
}

fn serve(name: &str, port: u16, protocol: SockProtocol) -> io::Result<()> {
    let socket = socket(
        AddressFamily::Inet6,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        protocol,
    )?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &false)?;
    let here = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0);
    bind(
        std::os::fd::AsRawFd::as_raw_fd(&socket),
        &SockaddrIn6::from(here),
    )?;
    listen(&socket, Backlog::new(512)?)?;
    for client in TcpListener::from(socket).incoming().flatten() {
        let name = name.to_owned();
        thread::spawn(move || {
            // A client that goes away is the client's business.
            let _ = answer(&client, &name).and_then(|()| farewell(client));
        });
    }
    Ok(())
}

fn answer(mut client: &TcpStream, name: &str) -> io::Result<()> {
    let mut lines = BufReader::new(client).lines();
    while let Some(line) = lines.next().transpose()? {
        if line.starts_with("PING") {
            client.write_all(format!("{name}\n").as_bytes())?;
        } else if line.starts_with("GET ") {
            while lines
                .next()
                .transpose()?
                .is_some_and(|line| !line.is_empty())
            {}
            let page = format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\nX-Server: {name}\r\n\r\n{name}\n",
                name.len() + 1
            );
            return client.write_all(page.as_bytes());
        }
    }
    Ok(())
}

/// The server closes first, and takes what the client still sends.
fn farewell(mut client: TcpStream) -> io::Result<()> {
    client.shutdown(Shutdown::Write)?;
    client.set_read_timeout(Some(FAREWELL))?;
    let mut room = [0; 4096];
    while client.read(&mut room)? > 0 {}
    Ok(())
}
