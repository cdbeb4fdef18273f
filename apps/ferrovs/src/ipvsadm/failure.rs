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
    /// Whether a file of commands ends with it (`-R`): the program ends where it finds it.
    pub(super) ends_all: bool,
}

impl Failure {
    /// The command line makes no sense, or nothing can be asked.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            status: USAGE,
            message: message.into(),
            ends_all: true,
        }
    }

    /// The command is understood and refused, or its words cannot be taken apart.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self {
            status: REFUSED,
            message: message.into(),
            ends_all: false,
        }
    }

    /// There is no command.
    pub(super) fn no_command(program: &str) -> Self {
        let message = format!("Try `{program} -h' or '{program} --help' for more information.");
        Self {
            ends_all: true,
            ..Self::refused(message)
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
            ends_all: true,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.to_string())
    }
}
