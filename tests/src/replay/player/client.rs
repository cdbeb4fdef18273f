//! The client: it reads a script line by line and does what each says.
//!
//! | line | what it does |
//! |---|---|
//! | `target ADDRESS PORT`, `proto tcp\|sctp` | where to connect to from now on |
//! | `bind ADDRESS\|none`, `sport PORT` | and from where; port 0: the next of [`Ports`] |
//! | `gap MS`, `tmo MS`, `usize BYTES` | pause after each visit, patience, size of datagrams |
//! | `seq N`, `seqaddr PREFIX FROM TO`, `seqport FROM TO` | short visits: a page, after which the server closes |
//! | `open N`, `openaddr PREFIX FROM TO` | connections that stay open; each is pinged once |
//! | `ping`, `rstone N`, `rstall` | ping those that are open; reset one, or all |
//! | `udp N`, `udpsame N` | datagrams, each from a socket of its own or all from one |
//! | `say TEXT`, `sh COMMAND`, `sleep MS` | |
//!
//! A visit of any kind prints a word.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect,
        getpeername, getsockopt, setsockopt, socket, sockopt,
    },
};

use super::{name, ports::Ports};

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: vip\r\n\r\n";
/// A datagram's answer comes within this, or not at all.
const DATAGRAM_PATIENCE: Duration = Duration::from_secs(1);

struct Client {
    target: SocketAddr,
    protocol: SockProtocol,
    source: Option<IpAddr>,
    port: u16,
    ports: Ports,
    gap: Duration,
    patience: Duration,
    size: usize,
    held: Vec<Option<TcpStream>>,
}

/// Plays the script to its end.
///
/// # Errors
/// When a line is none, or nothing can be printed.
pub(super) fn play(lines: impl Iterator<Item = io::Result<String>>) -> io::Result<()> {
    let mut client = Client {
        target: SocketAddr::from(([0; 4], 0)),
        protocol: SockProtocol::Tcp,
        source: None,
        port: 0,
        ports: Ports::open(),
        gap: Duration::from_millis(20),
        patience: Duration::from_secs(3),
        size: 6,
        held: Vec::new(),
    };
    for line in lines {
        client.line(&line?)?;
    }
    Ok(())
}

impl Client {
    fn line(&mut self, line: &str) -> io::Result<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let rest = |word: &str| line.trim_start()[word.len()..].trim_start();
        match words[..] {
            [] => {}
            ["target", address, port] => {
                self.target = SocketAddr::new(parse(address)?, parse(port)?);
            }
            ["proto", "tcp"] => self.protocol = SockProtocol::Tcp,
            ["proto", "sctp"] => self.protocol = SockProtocol::Sctp,
            ["bind", "none"] => self.source = None,
            ["bind", address] => self.source = Some(parse(address)?),
            ["sport", port] => self.port = parse(port)?,
            ["gap", ms] => self.gap = milliseconds(ms)?,
            ["tmo", ms] => self.patience = milliseconds(ms)?,
            ["usize", bytes] => self.size = parse(bytes)?,
            ["sleep", ms] => sleep(milliseconds(ms)?),
            ["say", ..] => println!("{}", rest("say")),
            ["sh", ..] => shell(rest("sh"))?,
            ["seq", count] => self.visits(0..parse(count)?, |client, _: u32| client.short())?,
            ["seqaddr", prefix, from, to] => self.each_address(prefix, from, to, Self::short)?,
            ["openaddr", prefix, from, to] => self.each_address(prefix, from, to, Self::open)?,
            ["seqport", from, to] => {
                let before = self.port;
                self.visits(parse(from)?..=parse(to)?, |client, port: u16| {
                    client.port = port;
                    client.short()
                })?;
                self.port = before;
            }
            ["open", count] => self.visits(0..parse(count)?, |client, _: u32| client.open())?,
            ["ping"] => self.ping_all()?,
            ["rstone", place] => {
                let place: usize = parse(place)?;
                if let Some(held) = self.held.get_mut(place).and_then(Option::take) {
                    reset(held)?;
                }
                sleep(self.gap);
            }
            ["rstall"] => {
                for held in self.held.drain(..).flatten() {
                    reset(held)?;
                }
                sleep(self.gap);
            }
            ["udp", count] => {
                self.visits(0..parse(count)?, |client, _: u32| {
                    let socket = client.datagrams()?;
                    Ok(client.datagram(&socket))
                })?;
            }
            ["udpsame", count] => {
                let socket = self.datagrams()?;
                self.visits(0..parse(count)?, |client, _: u32| {
                    Ok(client.datagram(&socket))
                })?;
            }
            _ => return Err(io::Error::other(format!("no line of a script: {line}"))),
        }
        Ok(())
    }

    /// Does something for each, and prints what it said as the words of a line.
    fn visits<T>(
        &mut self,
        each: impl IntoIterator<Item = T>,
        mut visit: impl FnMut(&mut Self, T) -> io::Result<String>,
    ) -> io::Result<()> {
        for one in each {
            let word = visit(self, one)?;
            print!("{word} ");
            io::stdout().flush()?;
            sleep(self.gap);
        }
        println!();
        Ok(())
    }

    /// From each of the addresses `PREFIX``FROM` to `PREFIX``TO`; afterwards from any.
    fn each_address(
        &mut self,
        prefix: &str,
        from: &str,
        to: &str,
        mut visit: impl FnMut(&mut Self) -> io::Result<String>,
    ) -> io::Result<()> {
        self.visits(parse(from)?..=parse(to)?, |client, host: u8| {
            client.source = Some(parse(&format!("{prefix}{host}"))?);
            visit(client)
        })?;
        self.source = None;
        Ok(())
    }

    /// The client's end of what it opens next.
    fn here(&self) -> io::Result<SocketAddr> {
        let any = match self.target {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let port = match self.port {
            0 => self.ports.next()?,
            port => port,
        };
        Ok(SocketAddr::new(self.source.unwrap_or(any), port))
    }

    /// A connection, or the error by which there is none. The outer error is one of the script.
    fn connection(&self) -> io::Result<io::Result<TcpStream>> {
        let here = self.here()?;
        let connected = connected(here, self.target, self.protocol, self.patience);
        if let Ok(stream) = &connected {
            stream.set_read_timeout(Some(self.patience))?;
        }
        Ok(connected)
    }

    /// A page; the server closes.
    fn short(&mut self) -> io::Result<String> {
        Ok(match self.connection()? {
            Err(error) => name(&error),
            Ok(mut stream) => match stream.write_all(REQUEST) {
                Err(error) => format!("W:{}", name(&error)),
                Ok(()) => page(&mut stream),
            },
        })
    }

    /// A connection that stays; it is pinged.
    fn open(&mut self) -> io::Result<String> {
        Ok(match self.connection()? {
            Err(error) => name(&error),
            Ok(stream) => {
                let word = ping(&stream);
                self.held.push(Some(stream));
                word
            }
        })
    }

    fn ping_all(&self) -> io::Result<()> {
        for stream in self.held.iter().flatten() {
            print!("{} ", ping(stream));
            io::stdout().flush()?;
        }
        println!();
        Ok(())
    }

    fn datagrams(&self) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(self.here()?)?;
        socket.connect(self.target)?;
        socket.set_read_timeout(Some(self.patience.min(DATAGRAM_PATIENCE)))?;
        Ok(socket)
    }

    fn datagram(&self, socket: &UdpSocket) -> String {
        if let Err(error) = socket.send(&vec![b'h'; self.size]) {
            return format!("W:{}", name(&error));
        }
        let mut room = [0; 512];
        match socket.recv(&mut room) {
            Ok(length) => String::from_utf8_lossy(&room[..length]).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => "TIMEOUT".to_owned(),
            Err(error) => name(&error),
        }
    }
}

fn parse<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    word: &str,
) -> io::Result<T> {
    word.parse().map_err(io::Error::other)
}

fn milliseconds(word: &str) -> io::Result<Duration> {
    parse(word).map(Duration::from_millis)
}

fn shell(command: &str) -> io::Result<()> {
    let status = Command::new("sh").args(["-c", command]).status()?;
    match status.code() {
        Some(0) => {}
        Some(code) => println!("[sh rc={code}]"),
        None => println!("[sh {status}]"),
    }
    Ok(())
}

fn connected(
    here: SocketAddr,
    there: SocketAddr,
    protocol: SockProtocol,
    patience: Duration,
) -> io::Result<TcpStream> {
    let family = match there {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, protocol)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(here))?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(there)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    await_connection(&socket, patience)?;
    let flags = OFlag::from_bits_retain(fcntl(&socket, FcntlArg::F_GETFL)?);
    fcntl(&socket, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    let stream = TcpStream::from(socket);
    if protocol == SockProtocol::Tcp {
        stream.set_nodelay(true)?;
    }
    Ok(stream)
}

/// Waits until the socket is connected. It may be said to be ready an instant before the error is there by which it
/// is not: only having a peer counts.
fn await_connection(socket: &OwnedFd, patience: Duration) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        let mut ends = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        let left = end.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).map_err(io::Error::other)?;
        if poll(&mut ends, left)? == 0 {
            return Err(Errno::ETIMEDOUT.into());
        }
        match getsockopt(socket, sockopt::SocketError)? {
            0 if getpeername::<SockaddrStorage>(socket.as_raw_fd()).is_ok() => return Ok(()),
            0 if Instant::now() < end => sleep(Duration::from_millis(1)),
            0 => return Err(Errno::ETIMEDOUT.into()),
            number => return Err(io::Error::from_raw_os_error(number)),
        }
    }
}

/// The page's first line. What comes behind the header counts only when it is whole.
fn page(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let outcome = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    let body = text
        .split_once("\r\n\r\n")
        .and_then(|(_, body)| body.split_once('\n'));
    match (body, outcome) {
        (Some((line, _)), _) => line.to_owned(),
        (None, Ok(_)) => "EMPTY".to_owned(),
        (None, Err(error)) => format!("R:{}", name(&error)),
    }
}

/// Asks, and waits for a line. It is read byte by byte: an answer that comes too late is read the next time.
fn ping(mut stream: &TcpStream) -> String {
    if let Err(error) = stream.write_all(b"PING\n") {
        return format!("W:{}", name(&error));
    }
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) => return "EOF".to_owned(),
            Ok(_) if byte == *b"\n" => return String::from_utf8_lossy(&line).into_owned(),
            Ok(_) => line.push(byte[0]),
            Err(error) => return format!("R:{}", name(&error)),
        }
    }
}

/// Closes with a reset.
fn reset(stream: TcpStream) -> io::Result<()> {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&stream, sockopt::Linger, &linger)?;
    Ok(())
}
