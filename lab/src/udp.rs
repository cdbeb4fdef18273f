//! Datagrams: a server that answers each, and a client that asks.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    error::{Doing, Error, Result},
    namespace::Namespace,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the server waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

/// A server that answers each datagram with its own address, a space, and what it was sent.
/// Dropping it ends it.
#[derive(Debug)]
pub struct UdpServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl UdpServer {
    /// Starts it in the namespace, in a thread of this process.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start(namespace: &Namespace, address: impl Into<SocketAddr>) -> Result<Self> {
        let address = address.into();
        Self::start_as(namespace, address, address.ip())
    }

    /// As [`start`](Self::start), but answers with this address: of a server that listens on a virtual one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start_as(
        namespace: &Namespace,
        address: impl Into<SocketAddr>,
        server: impl Into<IpAddr>,
    ) -> Result<Self> {
        let (address, server) = (address.into(), server.into());
        let socket = namespace
            .run(|| UdpSocket::bind(address))?
            .and_then(|socket| socket.set_read_timeout(Some(LOOK)).map(|()| socket))
            .doing(|| format!("receive on {address} in {}", namespace.name()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(format!("udp {address}"))
            .spawn(move || answer(&socket, server, &stopped))
            .doing(|| "start a thread")?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && let Ok(Err(error)) = thread.join()
        {
            eprintln!("a UDP server failed: {error}");
        }
    }
}

fn answer(socket: &UdpSocket, own: IpAddr, stop: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((length, client)) => {
                let mut reply = format!("{own} ").into_bytes();
                reply.extend_from_slice(&buffer[..length]);
                socket.send_to(&reply, client)?;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends one datagram from the namespace and gives the server that answered; `source_port` 0 leaves
/// the choice to the kernel.
///
/// # Errors
/// When no answer comes within two seconds, or not what was sent.
pub fn ask<A: FromStr>(
    namespace: &Namespace,
    target: impl Into<SocketAddr>,
    source_port: u16,
    words: &[u8],
) -> Result<A> {
    let target = target.into();
    let any = match target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let received = namespace.run(|| -> io::Result<Vec<u8>> {
        let socket = UdpSocket::bind((any, source_port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        // Connected, so that only the target's answer is taken, and ICMP errors are noticed.
        socket.connect(target)?;
        socket.send(words)?;
        let mut buffer = vec![0; 64 * 1024];
        let length = socket.recv(&mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    })?;
    let received = received.doing(|| format!("ask {target} from {}", namespace.name()))?;
    let space = received.iter().position(|byte| *byte == b' ');
    space
        .map(|space| received.split_at(space))
        .filter(|(_, said)| said[1..] == *words)
        .and_then(|(server, _)| str::from_utf8(server).ok()?.parse().ok())
        .ok_or_else(|| Error::Unexpected(format!("{target} answers something else")))
}
