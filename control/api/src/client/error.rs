//! What may go wrong when asking the daemon.

use std::{io, time::Duration};

use crate::Refused;

/// What may go wrong when asking the daemon. Each prints as one sentence for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The daemon tried and failed (400 or 500).
    #[error("the ferrovs daemon could not do it: {0}")]
    Failed(String),
    /// The daemon does not serve this user (403).
    #[error("{0}")]
    Forbidden(String),
    /// The system refused a call.
    #[error("cannot reach the ferrovs daemon: {0}")]
    Io(#[source] io::Error),
    /// Somebody else took the socket's name.
    #[error(
        "the control socket of ferrovs is held by process {pid} of user {user}, neither root nor \
         you: stop that process, then try again"
    )]
    NotOurs {
        /// The process that listens, 0 when it is outside of this process namespace.
        pid: i32,
        /// Its user's name, or number where there is no name.
        user: String,
    },
    /// Nobody listens in this network namespace.
    #[error("no ferrovs daemon runs in this network namespace: start one with `ferrovs run`")]
    NotRunning,
    /// What came back is not an answer of this API: another program or version listens.
    #[error("the answer on the control socket is not one of ferrovs: {0}")]
    Protocol(String),
    /// A change cannot be made, and nothing was changed (409).
    #[error("{}", .0.message)]
    Refused(Refused),
    /// No answer came in time.
    #[error("the ferrovs daemon has not answered for {} seconds; what was asked may be done yet, see `ferrovs status`", .0.as_secs())]
    Silent(Duration),
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() {
            return Self::Protocol(error.to_string());
        }
        Self::Io(io::Error::other(error))
    }
}
