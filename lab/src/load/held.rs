//! Connections that stay open and each send something now and then, which must come back.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, SocketAddrV4, TcpStream},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{
    error::{Doing, Error, Result},
    namespace::Namespace,
    tcp,
};

/// How long opening a connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections to `/echo` of a web server (see [`crate::http`]), served by one thread.
#[derive(Debug)]
pub struct Held {
    stop: Arc<AtomicBool>,
    alive: Arc<AtomicUsize>,
    thread: Option<JoinHandle<io::Result<HeldReport>>>,
    sources: Vec<SocketAddrV4>,
}

/// What became of the held connections.
#[derive(Clone, Debug, Default)]
pub struct HeldReport {
    /// How many were opened.
    pub opened: usize,
    /// Why those that did not live to the end were cut.
    pub cut: Vec<String>,
    /// Messages sent.
    pub sent: u64,
    /// Messages that came back.
    pub echoed: u64,
    /// The longest time a message took to come back. One that has not come back counts with the
    /// time it was waited for.
    pub slowest: Duration,
}

/// One connection.
struct Connection {
    stream: TcpStream,
    /// Its next message is due then.
    due: Instant,
    /// Bytes of earlier messages that have not come back yet, and since when the oldest is away.
    away: usize,
    since: Instant,
}

/// What is sent: short, and the same each time, so that counting bytes is enough.
const MESSAGE: &[u8; 8] = b"ferrovs\n";

impl Held {
    /// Opens `count` connections from within the namespace; each sends a message every `interval`,
    /// their turns spread over it.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open(
        namespace: &Namespace,
        target: SocketAddrV4,
        count: usize,
        interval: Duration,
    ) -> Result<Self> {
        let opened: io::Result<Vec<TcpStream>> =
            namespace.run(|| (0..count).map(|_| open_one(target)).collect())?;
        let streams = opened.doing(|| format!("hold a connection to {target}"))?;
        let sources = streams
            .iter()
            .filter_map(|stream| match stream.local_addr() {
                Ok(SocketAddr::V4(address)) => Some(address),
                _ => None,
            })
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let alive = Arc::new(AtomicUsize::new(count));
        let (stopped, living) = (Arc::clone(&stop), Arc::clone(&alive));
        let thread = namespace.spawn(move || keep(streams, interval, &stopped, &living))?;
        Ok(Self {
            stop,
            alive,
            thread: Some(thread),
            sources,
        })
    }

    /// How many are still open.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// The clients' ends.
    pub fn sources(&self) -> &[SocketAddrV4] {
        &self.sources
    }

    /// Closes the connections, after waiting two seconds at most for what is still away, and reports.
    ///
    /// # Errors
    /// When the thread failed.
    pub fn close(mut self) -> Result<HeldReport> {
        self.end().unwrap_or_else(|| Ok(HeldReport::default()))
    }

    fn end(&mut self) -> Option<Result<HeldReport>> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take()?.join();
        Some(match ended {
            Ok(report) => report.doing(|| "hold connections"),
            Err(_) => Err(Error::Unexpected(
                "the thread that holds connections panicked".into(),
            )),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.end() {
            eprintln!("{error}");
        }
    }
}

fn open_one(target: SocketAddrV4) -> io::Result<TcpStream> {
    let mut stream = tcp::connect(target.into(), None, PATIENCE)?;
    stream.write_all(b"GET /echo HTTP/1.1\r\nHost: lab\r\n\r\n")?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn keep(
    streams: Vec<TcpStream>,
    interval: Duration,
    stop: &AtomicBool,
    alive: &AtomicUsize,
) -> io::Result<HeldReport> {
    let begin = Instant::now();
    let count = u32::try_from(streams.len()).unwrap_or(u32::MAX).max(1);
    let mut report = HeldReport {
        opened: streams.len(),
        ..HeldReport::default()
    };
    let mut connections: Vec<_> = (0u32..)
        .zip(streams)
        .map(|(turn, stream)| Connection {
            stream,
            due: begin + interval * turn / count,
            away: 0,
            since: begin,
        })
        .collect();
    let mut last_call = None;
    while !connections.is_empty() {
        if last_call.is_none() && stop.load(Ordering::Relaxed) {
            last_call = Some(Instant::now() + Duration::from_secs(2));
        }
        if let Some(end) = last_call
            && (Instant::now() > end || connections.iter().all(|held| held.away == 0))
        {
            break;
        }
        let ready = readable(&connections)?;
        let mut position = 0;
        connections.retain_mut(|held| {
            let outcome = held.turn(ready[position], interval, last_call.is_none(), &mut report);
            position += 1;
            outcome
                .map_err(|error| report.cut.push(error.to_string()))
                .is_ok()
        });
        alive.store(connections.len(), Ordering::Relaxed);
    }
    for held in connections.iter().filter(|held| held.away > 0) {
        report.slowest = report.slowest.max(held.since.elapsed());
    }
    Ok(report)
}

/// Waits a moment for messages; which connections have some.
fn readable(connections: &[Connection]) -> io::Result<Vec<bool>> {
    let mut waiting: Vec<_> = connections
        .iter()
        .map(|held| PollFd::new(held.stream.as_fd(), PollFlags::POLLIN))
        .collect();
    match poll(&mut waiting, PollTimeout::from(2u8)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(waiting.iter().map(|fd| fd.any().unwrap_or(false)).collect())
}

impl Connection {
    fn turn(
        &mut self,
        ready: bool,
        interval: Duration,
        sending: bool,
        report: &mut HeldReport,
    ) -> io::Result<()> {
        if ready {
            self.receive(report)?;
        }
        let now = Instant::now();
        if sending && now >= self.due {
            self.stream.write_all(MESSAGE)?;
            if self.away == 0 {
                self.since = now;
            }
            self.away += MESSAGE.len();
            self.due += interval;
            report.sent += 1;
        }
        Ok(())
    }

    fn receive(&mut self, report: &mut HeldReport) -> io::Result<()> {
        let mut buffer = [0; 512];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) if read > self.away => {
                return Err(io::Error::other("more came back than was sent"));
            }
            Ok(read) => {
                let before = self.away.div_ceil(MESSAGE.len());
                self.away -= read;
                report.echoed += (before - self.away.div_ceil(MESSAGE.len())) as u64;
                report.slowest = report.slowest.max(self.since.elapsed());
                self.since = Instant::now();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
