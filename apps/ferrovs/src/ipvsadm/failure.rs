//! How a command ends badly.

use ferrovs_model::Refusal;

/// The exit status for a command line that makes no sense.
const USAGE: u8 = 2;
/// The exit status for a command that was refused, or that is none.
const REFUSED: u8 = 255;
/// The exit status of a listing that finds nothing to list.
const NOT_THERE: u8 = 1;

/// What to print on standard error, and the exit status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Failure {
    pub(super) status: u8,
    pub(super) message: String,
}

impl Failure {
    /// The command line makes no sense, or nothing can be asked.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            message: message.into(),
        }
    }

    /// The command is understood and refused.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self {
            status: REFUSED,
            message: message.into(),
        }
    }

    /// The command asks for `what`, which is not built yet.
    pub(super) fn later(what: &str) -> Self {
        Self::refused(format!(
            "ferrovs does not have {what} yet; nothing was changed"
        ))
    }

    /// What should be listed does not exist.
    pub(super) fn not_there() -> Self {
        Self {
            status: NOT_THERE,
            message: Refusal::NoSuchService.to_string(),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.to_string())
    }
}
