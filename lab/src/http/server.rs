//! The server: a thread per connection, because the stage never has more than some thousands.

use std::{
    collections::HashMap,
    io::{self, BufReader, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    body::Body,
    message::{Head, bad},
    page,
};
use crate::{
    error::{Doing, Result},
    namespace::Namespace,
};

/// How long a client may take to ask, or to send the next piece.
const PATIENCE: Duration = Duration::from_secs(30);

/// A web server inside this process. Dropping it closes its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    open: Arc<Connections>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// The connections that are open, so that they can be closed from outside.
#[derive(Debug, Default)]
struct Connections {
    streams: Mutex<HashMap<u64, TcpStream>>,
    closing: AtomicBool,
}

impl Connections {
    fn streams(&self) -> MutexGuard<'_, HashMap<u64, TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Serves the home page of its own address, and the rest of [`crate::http`], in the namespace.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(namespace: &Namespace, address: impl Into<SocketAddr>) -> Result<Self> {
        let address = address.into();
        Self::start_as(namespace, address, address.ip())
    }

    /// As [`start`](Self::start), with the home page of another address: of a server that listens on a virtual
    /// one.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start_as(
        namespace: &Namespace,
        address: impl Into<SocketAddr>,
        server: impl Into<IpAddr>,
    ) -> Result<Self> {
        let (address, server) = (address.into(), server.into());
        let listener = namespace
            .run(|| TcpListener::bind(address))?
            .doing(|| format!("listen on {address} in {}", namespace.name()))?;
        let open = Arc::new(Connections::default());
        let shared = Arc::clone(&open);
        let thread = thread::Builder::new()
            .name(format!("http {address}"))
            .spawn(move || accept(&listener, server, &shared))
            .doing(|| "start a thread")?;
        Ok(Self {
            address,
            open,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.open.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && let Ok(Err(error)) = thread.join()
        {
            eprintln!("the web server on {} failed: {error}", self.address);
        }
        for stream in self.open.streams().values() {
            // A client that has gone meanwhile is no failure.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Serves the pages of `server` on the listener, for ever.
///
/// # Errors
/// When the listener fails.
pub fn serve(listener: &TcpListener, server: impl Into<IpAddr>) -> io::Result<()> {
    accept(listener, server.into(), &Arc::default())
}

fn accept(listener: &TcpListener, server: IpAddr, open: &Arc<Connections>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    for number in 0.. {
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if is_passing(&error) => {
                    if open.closing.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                    wait_for_client(listener)?;
                }
                Err(error) => return Err(error),
            }
        };
        stream.set_nonblocking(false)?;
        open.streams().insert(number, stream.try_clone()?);
        let shared = Arc::clone(open);
        thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                // What goes wrong with a client is seen by the client.
                let _ = answer(stream, server);
                shared.streams().remove(&number);
            })?;
    }
    Ok(())
}

/// Nobody is there, or whoever was has gone.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
    )
}

/// Waits for a client, but never so long that closing is noticed late.
fn wait_for_client(listener: &TcpListener) -> io::Result<()> {
    use std::os::fd::AsFd;

    use nix::{
        errno::Errno,
        poll::{PollFd, PollFlags, PollTimeout, poll},
    };

    let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    match poll(&mut waiting, PollTimeout::from(50u8)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn answer(stream: TcpStream, server: IpAddr) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let Some(head) = Head::read(&mut reader)? else {
        return Ok(());
    };
    let mut words = head.first.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (method, path) {
        ("GET" | "HEAD", "/") => {
            let page = page(server);
            let text = if method == "HEAD" { "" } else { &page };
            send(&mut writer, "200 OK", "text/html", page.len() as u64, text)
        }
        ("GET", "/big") => {
            let length = query
                .strip_prefix("bytes=")
                .and_then(|number| number.parse().ok());
            let Some(length) = length else {
                return send_text(
                    &mut writer,
                    "400 Bad Request",
                    "ask for /big?bytes=NUMBER\n",
                );
            };
            send(
                &mut writer,
                "200 OK",
                "application/octet-stream",
                length,
                "",
            )?;
            io::copy(&mut Body::new(length), &mut writer).map(drop)
        }
        ("GET", "/echo") => {
            writer.set_read_timeout(None)?;
            writer.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            io::copy(&mut reader, &mut writer).map(drop)
        }
        ("PUT" | "POST", _) => receive(&head, &mut reader, &mut writer),
        _ => send_text(&mut writer, "404 Not Found", "there is no such page here\n"),
    }
}

/// Takes an upload and answers what has come.
fn receive(head: &Head, reader: &mut impl Read, writer: &mut TcpStream) -> io::Result<()> {
    let length = head
        .field("Content-Length")
        .and_then(|length| length.parse::<u64>().ok());
    let Some(length) = length else {
        return send_text(writer, "411 Length Required", "say how long the body is\n");
    };
    if head
        .field("Expect")
        .is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue"))
    {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut digest = crc32fast::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut left = length;
    while left > 0 {
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(bad("an upload that ends too early"));
        }
        digest.update(&buffer[..read]);
        left -= read as u64;
    }
    send_text(
        writer,
        "200 OK",
        &format!("{length} bytes, CRC-32 {:08x}\n", digest.finalize()),
    )
}

fn send_text(writer: &mut TcpStream, status: &str, text: &str) -> io::Result<()> {
    send(writer, status, "text/plain", text.len() as u64, text)
}

/// Sends the head and `text` in one piece, so that a page is one packet.
fn send(
    writer: &mut TcpStream,
    status: &str,
    kind: &str,
    length: u64,
    text: &str,
) -> io::Result<()> {
    let message = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}"
    );
    writer.write_all(message.as_bytes())
}
