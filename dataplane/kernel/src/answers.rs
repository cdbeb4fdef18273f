//! Telling senders what became of their packets: the daemon's half of [`ferrovs_core::answer`].
//!
//! The programs leave in a [`ring`] whom to tell what; here it becomes a [`message`] of ICMP, and a raw
//! [`socket`] sends it, from the address that the packet was for, whether or not this machine has that
//! address. The kernel's own limits (`icmp_ratelimit`, `icmp_msgs_per_sec`) are not for raw sockets; ours is in
//! the programs. Netfilter's output hook sees the answers.

mod message;
mod ring;
mod socket;

use std::{io, os::fd::BorrowedFd};

use ferrovs_core::abi::answer::Request;

use self::{ring::Ring, socket::Sockets};
use crate::{Error, Maps, Result};

/// Answers that are sent in one go, so that it ends however many come.
const BATCH: u32 = 1024;

/// What a program asks to be told to the sender of a packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// What.
    pub request: Request,
    /// Index of the interface that the packet came in by.
    pub interface: u32,
    /// The beginning of the packet, from its IP header.
    pub packet: Vec<u8>,
}

/// The answers that the programs ask for. One at a time may take them.
#[derive(Debug)]
pub struct Answers(Ring);

impl Answers {
    /// From now on: what was asked for earlier is dropped, because nobody waits for it any more.
    ///
    /// # Errors
    /// When the ring cannot be mapped.
    pub fn open(maps: &Maps) -> Result<Self> {
        let ring = Ring::map(maps.answers());
        let mut ring = ring.map_err(Error::system("cannot map the ring of answers into memory"))?;
        ring.skip_all();
        Ok(Self(ring))
    }

    /// Readable when there is something to answer.
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.descriptor()
    }
}

impl Iterator for Answers {
    type Item = Answer;

    fn next(&mut self) -> Option<Answer> {
        self.0.next()
    }
}

/// Sends them.
#[derive(Debug)]
pub struct Answerer {
    answers: Answers,
    sockets: Sockets,
}

impl Answerer {
    /// In the network namespace of the calling thread.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW` and `CAP_NET_ADMIN`.
    pub fn new(maps: &Maps) -> Result<Self> {
        let problem = "cannot open a raw socket for ICMP";
        Ok(Self {
            answers: Answers::open(maps)?,
            sockets: Sockets::open().map_err(Error::system(problem))?,
        })
    }

    /// As [`Answers::descriptor`].
    #[must_use]
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.answers.descriptor()
    }

    /// Sends what there is to send, as far as it does not take long.
    ///
    /// # Errors
    /// The first answer that could not be sent; the others are sent all the same.
    pub fn work(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for _ in 0..BATCH {
            let Some(answer) = self.answers.next() else {
                break;
            };
            // What asks for something else than this version knows, or quotes no whole header, has nobody
            // who could be told.
            let Some(message) = message::of(&answer) else {
                continue;
            };
            let sent = self.sockets.send(&message);
            if result.is_ok() {
                result = sent;
            }
        }
        result
    }
}
