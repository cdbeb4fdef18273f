//! What can go wrong on the stage. Each message says what was being done and what the kernel said.

use std::io;

/// The result of nearly every function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused something.
    #[error("cannot {action}: {source}")]
    Refused {
        /// What was being done, in the infinitive.
        action: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A namespace of this name exists, made by somebody else or left standing.
    #[error("the network namespace {0} is already there; remove it or use another name")]
    NameTaken(String),
    /// There is no such interface in the namespace.
    #[error("there is no interface {interface} in {namespace}")]
    NoInterface {
        /// The namespace looked into.
        namespace: String,
        /// The name looked for.
        interface: String,
    },
    /// A program that should go on running has ended, or does not answer.
    #[error("{program} {what}\n{log}")]
    NotRunning {
        /// The program and where it runs.
        program: String,
        /// What happened to it.
        what: String,
        /// The end of what it wrote.
        log: String,
    },
    /// A peer spoke something that is not what was asked for.
    #[error("{0}")]
    Unexpected(String),
    /// The caller asked to stop (see [`crate::Progress`]).
    #[error("interrupted")]
    Interrupted,
    /// Several things went wrong while taking the stage down; none of them stopped the rest.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<Error>),
}

impl Error {
    /// `Ok` when `errors` is empty, the error itself when it is the only one.
    pub(crate) fn collect(mut errors: Vec<Error>) -> Result<()> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Error::Several(errors)),
        }
    }
}

/// Says what was being done when an operating system call failed.
pub(crate) trait Doing<T> {
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing<S: Into<String>>(self, action: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|error| Error::Refused {
            action: action().into(),
            source: error.into(),
        })
    }
}
