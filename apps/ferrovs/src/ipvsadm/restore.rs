//! Commands from a file (`-R`): a line each, words between blanks, a leading `ipvsadm` left out, no
//! quotes, no comments (`config_stream_read`).
//!
//! As in ipvsadm, a change that is refused is told and the rest goes on, and a mistake ends it where it
//! is. Unlike there, changes are handed over many at once, as many as have been read without waiting:
//! nobody else's changes come in between, and no packet meets a table half filled.

use std::{
    io::{self, BufRead, BufReader, Read, Stdin},
    os::fd::AsFd,
};

use ferrovs_model::Change;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Session, Stop, action::Action, failure::Failure};

/// At most so many changes are handed over at once.
const BATCH: usize = 100_000;

/// Where the lines come from.
pub trait Input {
    /// The next line with its end; empty at the end of all.
    ///
    /// # Errors
    /// When it cannot be read.
    fn next_line(&mut self) -> io::Result<Vec<u8>>;

    /// Whether the next line is not there yet.
    fn is_waiting(&self) -> bool;
}

impl Input for BufReader<Stdin> {
    fn next_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.read_until(b'\n', &mut line)?;
        Ok(line)
    }

    fn is_waiting(&self) -> bool {
        if self.buffer().contains(&b'\n') {
            return false;
        }
        let mut readable = [PollFd::new(self.get_ref().as_fd(), PollFlags::POLLIN)];
        // What cannot be asked is read, and may wait.
        !poll(&mut readable, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl Input for &[u8] {
    fn next_line(&mut self) -> io::Result<Vec<u8>> {
        let end = self.iter().position(|&byte| byte == b'\n');
        let length = end.map_or(self.len(), |at| at + 1);
        let mut line = vec![0; length];
        self.read_exact(&mut line)?;
        Ok(line)
    }

    fn is_waiting(&self) -> bool {
        false
    }
}

/// Changes that were read and not handed over yet.
#[derive(Default)]
struct Pending {
    changes: Vec<Change>,
    /// How the last command ended.
    status: u8,
    /// Whether a command ended the program: help and version do.
    ended: bool,
}

/// Makes the changes `first`, then runs every line of the session's input. Gives the exit status of the
/// last one.
pub(super) fn run(first: Vec<Change>, session: &mut Session<'_>) -> Result<u8, Stop> {
    let mut pending = Pending {
        changes: first,
        ..Pending::default()
    };
    while !pending.ended {
        if session.input.is_waiting() || pending.changes.len() >= BATCH {
            pending.hand_over(session)?;
        }
        let line = session.input.next_line().map_err(unreadable)?;
        if line.is_empty() {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        let words: Vec<String> = line
            .split([' ', '\t', '\r', '\n'])
            .filter(|word| !word.is_empty() && *word != "ipvsadm")
            .map(str::to_owned)
            .collect();
        if !words.is_empty() {
            pending.take(&words, session)?;
        }
    }
    pending.hand_over(session)?;
    Ok(pending.status)
}

impl Pending {
    fn take(&mut self, words: &[String], session: &mut Session<'_>) -> Result<(), Stop> {
        match super::understand(words, session) {
            Ok(Action::Change(change)) => self.changes.push(change),
            Ok(action) => {
                self.hand_over(session)?;
                self.ended = matches!(action, Action::Help | Action::Version);
                match super::perform(action, session) {
                    Ok(status) => self.status = status,
                    Err(Stop::Failure(failure)) => self.note(failure, session)?,
                    Err(stop) => return Err(stop),
                }
            }
            Err(failure) => {
                self.hand_over(session)?;
                self.note(failure, session)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, failure: Failure, session: &mut Session<'_>) -> Result<(), Stop> {
        if failure.ends_all {
            return Err(failure.into());
        }
        self.status = failure.status;
        session.complain(&failure);
        Ok(())
    }

    fn hand_over(&mut self, session: &mut Session<'_>) -> Result<(), Stop> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let changes = std::mem::take(&mut self.changes);
        let refused = session.backend.apply_each(&changes)?;
        self.status = 0;
        for (index, refusal) in refused {
            let failure = Failure::from(refusal);
            session.complain(&failure);
            if index + 1 == changes.len() {
                self.status = failure.status;
            }
        }
        Ok(())
    }
}

/// What to say when the input cannot be read.
pub(super) fn unreadable(error: io::Error) -> Failure {
    Failure::usage(format!("cannot read the commands: {error}"))
}
