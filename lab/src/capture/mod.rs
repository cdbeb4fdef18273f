//! What passes on an interface, counted the way IPVS counts: packets and bytes of IP.
//!
//! A capture is a packet socket and a thread that reads it. It sees both directions. Where the
//! kernel has joined packets (GSO before they are sent, GRO after they were received) the packet is
//! one here as it is one for a director at tc; [`Packet::segments`] tells how many the wire had.

mod packet;
mod pcap;
mod record;
mod socket;

use std::{
    fs::File,
    io::{self, BufWriter},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub use self::{
    packet::{Direction, Packet},
    record::{Record, Tally},
};
use self::{pcap::PcapWriter, socket::PacketSocket};
use crate::{
    error::{Doing, Error, Result},
    namespace::Namespace,
};

/// A running capture. Dropping it ends it.
#[derive(Debug)]
pub struct Capture {
    record: Arc<Mutex<Record>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Capture {
    /// Begins to capture what passes on the interface, IPv4 only.
    ///
    /// # Errors
    /// When there is no such interface, or without permission.
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self> {
        Self::begin(namespace, interface, None)
    }

    /// As [`start`](Self::start), and writes every frame to a pcap file.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when the file cannot be made.
    pub fn start_to_file(namespace: &Namespace, interface: &str, file: &Path) -> Result<Self> {
        let writer = File::create(file)
            .map(BufWriter::new)
            .and_then(PcapWriter::new)
            .doing(|| format!("write {}", file.display()))?;
        Self::begin(namespace, interface, Some(writer))
    }

    fn begin(
        namespace: &Namespace,
        interface: &str,
        mut file: Option<PcapWriter<BufWriter<File>>>,
    ) -> Result<Self> {
        let index = namespace.link(interface)?.index();
        let socket = namespace
            .run(|| PacketSocket::open(index))?
            .doing(|| format!("capture on {interface} of {}", namespace.name()))?;
        let record = Arc::new(Mutex::new(Record::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (writes, stopped) = (Arc::clone(&record), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name(format!("capture {interface}"))
            .spawn(move || read_on(socket, &writes, &stopped, file.as_mut()))
            .doing(|| "start a capturing thread")?;
        Ok(Self {
            record,
            stop,
            thread: Some(thread),
        })
    }

    /// What has been seen up to now.
    pub fn so_far(&self) -> Record {
        self.record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until no packet that `of_interest` accepts has passed for `quiet`, at most for `limit`;
    /// whether it became quiet.
    pub fn settle(
        &self,
        quiet: Duration,
        limit: Duration,
        of_interest: impl Fn(&Packet) -> bool,
    ) -> bool {
        let begin = Instant::now();
        let mut last = (self.count(&of_interest), begin);
        while last.1.elapsed() < quiet {
            if begin.elapsed() > limit {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
            let now = self.count(&of_interest);
            if now != last.0 {
                last = (now, Instant::now());
            }
        }
        true
    }

    /// Ends the capture and hands over what was seen.
    ///
    /// # Errors
    /// When reading or writing the file failed on the way.
    pub fn stop(mut self) -> Result<Record> {
        self.end()?;
        Ok(self.so_far())
    }

    fn count(&self, of_interest: &impl Fn(&Packet) -> bool) -> usize {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record
            .packets
            .iter()
            .filter(|packet| of_interest(packet))
            .count()
    }

    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        thread
            .join()
            .map_err(|_| Error::Unexpected("the capturing thread panicked".into()))?
            .doing(|| "capture")
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error}");
        }
    }
}

/// Reads until told to stop, and then what had passed by that moment.
fn read_on(
    mut socket: PacketSocket,
    record: &Mutex<Record>,
    stop: &AtomicBool,
    mut file: Option<&mut PcapWriter<BufWriter<File>>>,
) -> io::Result<()> {
    let mut stopped = None;
    loop {
        if stopped.is_none() && stop.load(Ordering::Relaxed) {
            stopped = Some(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default(),
            );
        }
        let Some(frame) = socket.receive()? else {
            if stopped.is_some() {
                break;
            }
            continue;
        };
        // On a busy interface the queue would never be empty.
        if stopped.is_some_and(|stopped| frame.time > stopped) {
            break;
        }
        if let Some(file) = file.as_deref_mut() {
            file.write(frame.time, frame.bytes)?;
        }
        if let Some(packet) = Packet::parse(&frame) {
            record
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .packets
                .push(packet);
        }
    }
    record
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .dropped = socket.dropped()?;
    if let Some(file) = file {
        file.finish()?;
    }
    Ok(())
}
