//! The two ends of connections through a director: servers that send back what they get, and clients that compare what
//! comes back. The program of this name plays them in the scripts of `tests/guest`, where the processor is emulated: an
//! interpreter takes seconds there to start.

mod socket;
mod watch;

use std::{
    fs::File,
    io::{self, BufRead as _, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use clap::{Parser, ValueEnum};
use nix::{
    libc,
    sys::socket::{SockProtocol, setsockopt, sockopt},
};

pub use watch::watch;

/// How long a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is sent at a time: a message of SCTP must fit into the send buffer.
const MESSAGE: usize = 16_384;

/// What an end does.
#[derive(Debug, Parser)]
#[command(name = "ends")]
pub enum End {
    /// For ever: sends its name, then back what it gets
    Serve {
        /// By what
        protocol: Protocol,
        /// One character
        name: char,
        /// Where
        address: IpAddr,
        /// Where
        port: u16,
    },
    /// One connection: sends so many bytes, compares what comes back, ends; prints the server's name
    Talk {
        /// By what
        protocol: Protocol,
        /// From where
        from: IpAddr,
        /// Where to
        address: IpAddr,
        /// Where to
        port: u16,
        /// How many
        bytes: usize,
    },
    /// As many connections at once, prints their servers; then a word from standard input each time: "end" ends one of
    /// them, "abort" aborts one
    Hold {
        /// By what
        protocol: Protocol,
        /// From where
        from: IpAddr,
        /// Where to
        address: IpAddr,
        /// Where to
        port: u16,
        /// How many
        count: usize,
    },
    /// Looks at so many packets of SCTP that come in, and computes their checksums from scratch
    Watch {
        /// How many
        count: usize,
    },
}

/// What carries connections.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// SCTP, one-to-one.
    Sctp,
}

impl Protocol {
    fn number(self) -> SockProtocol {
        match self {
            Self::Tcp => SockProtocol::Tcp,
            Self::Sctp => SockProtocol::Sctp,
        }
    }
}

impl End {
    /// Plays it.
    ///
    /// # Errors
    /// Those of the sockets, and when what comes back, or a checksum, is not right.
    pub fn play(&self) -> io::Result<()> {
        match *self {
            Self::Serve {
                protocol,
                name,
                address,
                port,
            } => serve(protocol, name, SocketAddr::new(address, port)),
            Self::Talk {
                protocol,
                from,
                address,
                port,
                bytes,
            } => talk(protocol, from, SocketAddr::new(address, port), bytes),
            Self::Hold {
                protocol,
                from,
                address,
                port,
                count,
            } => hold(protocol, from, SocketAddr::new(address, port), count),
            Self::Watch { count } => watch(count),
        }
    }
}

/// It is bound to one address: an INIT ACK of SCTP then names no other ones, which nobody would translate.
fn serve(protocol: Protocol, name: char, here: SocketAddr) -> io::Result<()> {
    for client in socket::listen(protocol, here)?.incoming().flatten() {
        thread::spawn(move || {
            // A client that goes away is the client's business.
            let _ = answer(&client, name);
        });
    }
    Ok(())
}

fn answer(mut client: &TcpStream, name: char) -> io::Result<()> {
    client.write_all(name.to_string().as_bytes())?;
    let mut room = vec![0; MESSAGE];
    loop {
        match client.read(&mut room)? {
            0 => return Ok(()),
            length => client.write_all(&room[..length])?,
        }
    }
}

/// A connection, and the name of its server.
fn connect(protocol: Protocol, from: IpAddr, service: SocketAddr) -> io::Result<(TcpStream, char)> {
    let mut connection = socket::connect(protocol, from, service, PATIENCE)?;
    let mut name = [0];
    connection.read_exact(&mut name)?;
    Ok((connection, char::from(name[0])))
}

fn talk(protocol: Protocol, from: IpAddr, service: SocketAddr, bytes: usize) -> io::Result<()> {
    let (connection, name) = connect(protocol, from, service)?;
    let mut sent = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut sent)?;
    let mut back = vec![0; bytes];
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            sent.chunks(MESSAGE)
                .try_for_each(|message| (&connection).write_all(message))
        });
        let mut reader = &connection;
        reader.read_exact(&mut back)?;
        sender.join().expect("the sender does not panic")
    })?;
    if back != sent {
        return Err(io::Error::other("what came back is not what was sent"));
    }
    println!("{name}");
    Ok(())
}

fn hold(protocol: Protocol, from: IpAddr, service: SocketAddr, count: usize) -> io::Result<()> {
    let mut held = Vec::new();
    let mut names = String::new();
    for _ in 0..count {
        let (connection, name) = connect(protocol, from, service)?;
        held.push(connection);
        names.push(name);
    }
    println!("{names}");
    for word in io::stdin().lock().lines() {
        let connection = held.pop().ok_or_else(|| io::Error::other("none is left"))?;
        if word?.trim() == "abort" {
            // RFC 6458, section 8.1.4: a linger time of zero aborts.
            let linger = libc::linger {
                l_onoff: 1,
                l_linger: 0,
            };
            setsockopt(&connection, sockopt::Linger, &linger)?;
        }
        drop(connection);
        println!("done");
    }
    Ok(())
}
