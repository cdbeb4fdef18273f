//! Frames of our own making, and counting what arrives.

use std::{
    fs::File,
    io::{self, Write},
    net::SocketAddrV4,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use etherparse::PacketBuilder;
use ferrovs_lab::{Link, Mac};

/// Frames under way at once: a quarter of what a veth's ring holds, which drops what it cannot hold.
const WINDOW: u64 = 64;
/// How long a window may take before the next is sent all the same.
const HESITATION: Duration = Duration::from_millis(500);
/// How long the last frames may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A packet socket on one interface.
fn socket_on(link: &Link<'_>, protocol: i32) -> OwnedFd {
    let protocol = (protocol as u16).to_be();
    let opened = link.namespace().run(|| {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: a system call without addresses.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made it for us; nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    });
    let socket = opened.unwrap().unwrap();
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol,
        sll_ifindex: link.index() as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the address is as long as is said.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    assert_eq!(bound, 0, "{}", io::Error::last_os_error());
    socket
}

/// Sends frames by an interface.
pub(crate) struct Cannon {
    socket: File,
    from: Mac,
    to: Mac,
}

impl Cannon {
    pub(crate) fn new(link: &Link<'_>, to: Mac) -> Self {
        Self {
            socket: File::from(socket_on(link, 0)),
            from: link.mac().unwrap(),
            to,
        }
    }

    /// A datagram of 60 bytes.
    pub(crate) fn udp(&self, source: SocketAddrV4, target: SocketAddrV4) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(self.from.0, self.to.0)
            .ipv4(source.ip().octets(), target.ip().octets(), 64)
            .udp(source.port(), target.port());
        let payload = [0; 18];
        let mut frame = Vec::with_capacity(builder.size(payload.len()));
        builder.write(&mut frame, &payload).unwrap();
        frame
    }

    /// Sends the frames no faster than `counter` sees them arrive; how many did not arrive.
    pub(crate) fn deliver(
        &mut self,
        frames: impl IntoIterator<Item = Vec<u8>>,
        counter: &mut Counter,
    ) -> u64 {
        let begin = counter.count();
        let mut sent = 0;
        for frame in frames {
            self.socket.write_all(&frame).unwrap();
            sent += 1;
            if sent % WINDOW == 0 {
                counter.await_count(begin + sent, HESITATION);
            }
        }
        counter.await_count(begin + sent, PATIENCE);
        (begin + sent).saturating_sub(counter.count())
    }
}

/// Counts the IPv4 packets that arrive at some interfaces, by the kernel's own count.
pub(crate) struct Counter {
    sockets: Vec<OwnedFd>,
    count: u64,
}

impl Counter {
    pub(crate) fn new<'a>(links: impl IntoIterator<Item = Link<'a>>) -> Self {
        let socket = |link| socket_on(&link, libc::ETH_P_IP);
        Self {
            sockets: links.into_iter().map(socket).collect(),
            count: 0,
        }
    }

    /// How many have arrived since this was made.
    pub(crate) fn count(&mut self) -> u64 {
        let new: u64 = self.sockets.iter().map(arrived).sum();
        self.count += new;
        self.count
    }

    fn await_count(&mut self, count: u64, limit: Duration) {
        let begin = Instant::now();
        while self.count() < count && begin.elapsed() < limit {
            thread::yield_now();
        }
    }
}

/// Packets since the last question, those that the socket had no room for included.
fn arrived(socket: &OwnedFd) -> u64 {
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut statistics: libc::tpacket_stats = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&statistics) as libc::socklen_t;
    // SAFETY: the answer has the room that is said.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    assert_eq!(asked, 0, "{}", io::Error::last_os_error());
    u64::from(statistics.tp_packets)
}
