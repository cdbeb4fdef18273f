//! The client: one request per connection, with a chosen source port where the test needs one.

use std::{
    io::{self, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{
    body::{Body, compare},
    message::{Head, bad},
};
use crate::{
    error::{Doing, Result},
    namespace::Namespace,
    tcp,
};

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status, 200 when all is well.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The client's own address and port.
    pub local: SocketAddr,
    /// How long it took from the first packet to the last.
    pub elapsed: Duration,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A GET request.
#[derive(Clone, Copy, Debug)]
pub struct Get<'a> {
    target: SocketAddr,
    path: &'a str,
    source: Option<SocketAddr>,
    limit: Duration,
}

/// Loads a page from within the namespace.
///
/// # Errors
/// When it does not come within five seconds.
pub fn fetch(namespace: &Namespace, target: impl Into<SocketAddr>, path: &str) -> Result<Response> {
    Get::new(target, path).send(namespace)
}

impl<'a> Get<'a> {
    /// A request for `path` at `target`, with five seconds' patience.
    pub fn new(target: impl Into<SocketAddr>, path: &'a str) -> Self {
        Self {
            target: target.into(),
            path,
            source: None,
            limit: Duration::from_secs(5),
        }
    }

    /// Comes from this port.
    pub fn source_port(mut self, port: u16) -> Self {
        let any = match self.target {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.source = Some(SocketAddr::new(any, port));
        self
    }

    /// Comes from this address of its machine, and any port.
    pub fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(SocketAddr::new(address, 0));
        self
    }

    /// Waits at most this long for each step: the connection, and each piece of the answer.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sends the request from within the namespace.
    ///
    /// # Errors
    /// When there is no connection or no proper answer.
    pub fn send(&self, namespace: &Namespace) -> Result<Response> {
        namespace.run(|| self.send_from_here())?.doing(|| {
            format!(
                "load http://{}{} from {}",
                self.target,
                self.path,
                namespace.name()
            )
        })
    }

    /// As [`send`](Self::send), from the namespace of the calling thread.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_from_here(&self) -> io::Result<Response> {
        let begin = Instant::now();
        let (local, mut answer) = self.open()?;
        let mut body = Vec::new();
        answer.reader.read_to_end(&mut body)?;
        if answer
            .length
            .is_some_and(|length| length != body.len() as u64)
        {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the page was cut off",
            ));
        }
        Ok(Response {
            status: answer.status,
            body,
            local,
            elapsed: begin.elapsed(),
        })
    }

    fn open(&self) -> io::Result<(SocketAddr, Answer)> {
        let mut stream = tcp::connect(self.target, self.source, self.limit)?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ferrovs-lab\r\nConnection: close\r\n\r\n",
            self.path, self.target
        );
        stream.write_all(request.as_bytes())?;
        let local = stream.local_addr()?;
        Ok((local, Answer::read(stream)?))
    }
}

/// A large transfer that arrived intact.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Its bytes.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Loads `bytes` bytes and checks every one of them.
///
/// # Errors
/// When a byte is wrong or missing, or the transfer stands still for ten seconds.
pub fn download(
    namespace: &Namespace,
    target: impl Into<SocketAddr>,
    bytes: u64,
) -> Result<Transfer> {
    let target = target.into();
    let begin = Instant::now();
    let path = format!("/big?bytes={bytes}");
    let get = Get::new(target, &path).limit(Duration::from_secs(10));
    let compared = namespace.run(|| {
        let (_, answer) = get.open()?;
        if answer.status == 200 {
            compare(answer.reader, bytes)
        } else {
            Err(bad(&format!("the server answers {}", answer.status)))
        }
    })?;
    let bytes = compared.doing(|| format!("download {bytes} bytes from {target}"))?;
    Ok(Transfer {
        bytes,
        elapsed: begin.elapsed(),
    })
}

/// Sends `bytes` bytes and compares what the server says it received.
///
/// # Errors
/// As [`download`].
pub fn upload(
    namespace: &Namespace,
    target: impl Into<SocketAddr>,
    bytes: u64,
) -> Result<Transfer> {
    let target = target.into();
    let begin = Instant::now();
    namespace
        .run(|| put(target, bytes))?
        .doing(|| format!("upload {bytes} bytes to {target}"))?;
    Ok(Transfer {
        bytes,
        elapsed: begin.elapsed(),
    })
}

fn put(target: SocketAddr, bytes: u64) -> io::Result<()> {
    let mut stream = tcp::connect(target, None, Duration::from_secs(10))?;
    let head = format!(
        "PUT /upload HTTP/1.1\r\nHost: {target}\r\nContent-Length: {bytes}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut body = Body::new(bytes);
    let mut digest = crc32fast::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = body.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        stream.write_all(&buffer[..read])?;
    }
    let mut answer = String::new();
    Answer::read(stream)?.reader.read_to_string(&mut answer)?;
    let expected = format!("{bytes} bytes, CRC-32 {:08x}\n", digest.finalize());
    if answer == expected {
        return Ok(());
    }
    Err(bad(&format!(
        "sent {}, but the server says {answer:?}",
        expected.trim_end()
    )))
}

/// The head of an answer; its body is still to be read.
struct Answer {
    status: u16,
    length: Option<u64>,
    reader: BufReader<TcpStream>,
}

impl Answer {
    fn read(stream: TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let head = Head::read(&mut reader)?.ok_or_else(|| bad("closed without an answer"))?;
        let status = head
            .first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| bad("an answer without a status"))?;
        let length = head
            .field("Content-Length")
            .and_then(|length| length.parse().ok());
        Ok(Self {
            status,
            length,
            reader,
        })
    }
}
