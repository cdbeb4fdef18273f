//! The `ipvsadm` personality: ipvsadm 1.31's command line, messages, columns and exit statuses.
//!
//! A command line goes through these rooms: `popt` takes words apart, `line` reads them with
//! the `table` of options, `check` holds the rules across options, `action` says what it
//! means. Then it is done through a [`Backend`], the daemon, and what that answers is printed by
//! `list` and `flows`.
//!
//! Nothing is asked of the daemon before the whole line is understood, so that a mistake changes
//! nothing and starts nothing.

mod action;
mod check;
mod daemon;
mod endpoint;
mod failure;
mod flows;
mod help;
mod line;
mod list;
mod names;
mod options;
mod order;
mod popt;
mod restore;
mod rule;
mod scripts;
mod table;
mod values;

use std::{
    ffi::{OsStr, OsString},
    io::{self, BufReader, BufWriter, ErrorKind, IsTerminal, LineWriter, Write},
    ops::ControlFlow,
};

use ferrovs_api::{FlowView, Services};
use ferrovs_model::{Change, Refusal, ServiceKey};

use self::{
    action::Action, endpoint::Naming, failure::Failure, flows::FlowPrinter, line::Line,
    list::Listing, scripts::Save,
};
pub use self::{
    daemon::Daemon,
    names::{Names, System},
    restore::Input,
};
pub(crate) use self::{list::BANNER, order::in_kernel_order};

/// Who does what a command asks for.
pub trait Backend {
    /// Makes all of `changes`, or none.
    ///
    /// # Errors
    /// When they were not made.
    fn apply(&mut self, changes: &[Change]) -> Result<(), BackendError>;

    /// Makes those of `changes` that can be made, in order. The others come back by their place in the
    /// list, from 0.
    ///
    /// # Errors
    /// When it is not known which were made.
    fn apply_each(&mut self, changes: &[Change]) -> Result<Vec<(usize, Refusal)>, BackendError>;

    /// All services, timeouts and sysctls.
    ///
    /// # Errors
    /// When they cannot be had.
    fn services(&mut self) -> Result<Services, BackendError>;

    /// Hands every flow to `each`, as they arrive, until it breaks.
    ///
    /// # Errors
    /// When not all could be had.
    fn flows(
        &mut self,
        each: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError>;
}

/// Why a [`Backend`] did not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BackendError {
    /// A change cannot be made.
    #[error("{0}")]
    Refused(Refusal),
    /// This user may not ask.
    #[error("Permission denied (you must be root)")]
    Denied,
    /// It cannot be reached, or broke; in one sentence.
    #[error("{0}")]
    Failed(String),
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::Refused(refusal) => refusal.into(),
            // In the words of ipvsadm, which asks the kernel before it reads its command line.
            BackendError::Denied => Self::usage(format!(
                "Can't initialize ipvs: {error}\n\
                 Are you sure that IP Virtual Server is built in the kernel or as module?"
            )),
            BackendError::Failed(message) => Self::usage(message),
        }
    }
}

/// Where a command runs.
pub struct Session<'a> {
    /// How the program was called, for messages that name it.
    pub program: &'a str,
    /// Who does what is asked.
    pub backend: &'a mut dyn Backend,
    /// Who knows the names of hosts and ports.
    pub names: &'a dyn Names,
    /// Standard input.
    pub input: &'a mut dyn Input,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
}

/// What shells give as the status of a program that SIGPIPE has ended, as it ends ipvsadm. Here the
/// signal is ignored, as in every Rust program, and the failure to write is seen.
const UNREAD: u8 = 128 + libc::SIGPIPE as u8;

/// The programs that come with ipvsadm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    /// `ipvsadm` itself.
    Ipvsadm,
    /// `ipvsadm-save`, which prints the table as commands.
    Save,
    /// `ipvsadm-restore`, which makes the table what commands say.
    Restore,
}

impl Program {
    /// The one with this name.
    #[must_use]
    pub fn named(name: &OsStr) -> Option<Self> {
        Some(match name.to_str()? {
            "ipvsadm" => Self::Ipvsadm,
            "ipvsadm-save" => Self::Save,
            "ipvsadm-restore" => Self::Restore,
            _ => return None,
        })
    }

    /// Runs under `name` with `args`, the words after it, against this network namespace's daemon.
    /// Gives the exit status.
    #[must_use]
    pub fn run(self, name: &str, args: &[OsString]) -> u8 {
        let args: Vec<String> = args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect();
        let stdout = io::stdout().lock();
        let stderr = io::stderr().lock();
        // Who types commands for -R reads what each prints before typing the next.
        let mut out: Box<dyn Write> = if stdout.is_terminal() {
            Box::new(LineWriter::new(stdout))
        } else {
            Box::new(BufWriter::with_capacity(1 << 16, stdout))
        };
        let session = Session {
            program: name,
            backend: &mut Daemon::default(),
            names: &System::default(),
            input: &mut BufReader::with_capacity(1 << 16, io::stdin()),
            out: &mut *out,
            err: &mut { stderr },
        };
        self.main(&args, session)
    }

    /// Runs with `args`, the words after the program's name. Gives the exit status: 0 when it was done,
    /// 2 when the line makes no sense or the backend cannot be reached, 255 when it was refused or is no
    /// command, 1 when what should be listed is not there, 141 when nobody reads the output any more.
    #[must_use]
    pub fn main(self, args: &[String], mut session: Session<'_>) -> u8 {
        let done = match self {
            Self::Ipvsadm => ipvsadm(args, &mut session),
            Self::Restore => {
                // The script runs ipvsadm, by that name.
                session.program = "ipvsadm";
                scripts::restore(&mut session)
            }
            Self::Save => match Save::of(args) {
                Save::Numeric => save(true, &mut session),
                Save::Named => save(false, &mut session),
                Save::Help => {
                    scripts::help_of_save(session.program, session.err);
                    return 1;
                }
            },
        };
        let done = done.and_then(|status| {
            session.out.flush()?;
            Ok(status)
        });
        let failure = match done {
            Ok(status) => return status,
            // Who reads the output has seen enough.
            Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => return UNREAD,
            Err(Stop::Output(error)) => Failure::usage(format!("cannot write the output: {error}")),
            Err(Stop::Failure(failure)) => failure,
        };
        session.complain(&failure);
        failure.status
    }
}

fn ipvsadm(args: &[String], session: &mut Session<'_>) -> Result<u8, Stop> {
    match understand(args, session)? {
        Action::Restore => restore::run(Vec::new(), session),
        action => perform(action, session),
    }
}

impl Session<'_> {
    fn complain(&mut self, failure: &Failure) {
        // Without a standard error there is nobody left to tell.
        let _ = writeln!(self.err, "{}", failure.message);
    }
}

/// Why a command ended before its end.
enum Stop {
    Failure(Failure),
    Output(io::Error),
}

impl<T: Into<Failure>> From<T> for Stop {
    fn from(failure: T) -> Self {
        Self::Failure(failure.into())
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// What a command line asks for.
fn understand(args: &[String], session: &Session<'_>) -> Result<Action, Failure> {
    let line = Line::read(session.program, args, session.names)?;
    check::check(&line)?;
    Action::of(&line)
}

/// Does it. Gives the exit status.
fn perform(action: Action, session: &mut Session<'_>) -> Result<u8, Stop> {
    match action {
        Action::Help => help::print_help(session.program, session.out)?,
        Action::Version => help::print_version(session.out)?,
        Action::Change(change) => session.backend.apply(&[change])?,
        Action::ListServices(listing, only) => list_services(listing, only, session)?,
        Action::ListFlows { numeric, engines } => list_flows(numeric, engines, session)?,
        Action::ListTimeouts => {
            let timeouts = session.backend.services()?.timeouts;
            list::print_timeouts(timeouts, session.out)?;
        }
        Action::ListDaemons => {}
        Action::Save { numeric } => return save(numeric, session),
        // A file of commands has no files of commands in it.
        Action::Restore => return Err(Failure::no_command(session.program).into()),
        Action::Refuse(failure) => return Err(failure.into()),
    }
    Ok(0)
}

fn save(numeric: bool, session: &mut Session<'_>) -> Result<u8, Stop> {
    let services = session.backend.services()?.services;
    let names = session.names;
    rule::print(&services, Naming { numeric, names }, session.out)?;
    Ok(0)
}

fn list_services(
    listing: Listing,
    only: Option<ServiceKey>,
    session: &mut Session<'_>,
) -> Result<(), Stop> {
    let mut services = session.backend.services()?.services;
    if let Some(key) = only {
        services.retain(|service| service.key == key);
        if services.is_empty() {
            return Err(Failure::not_there().into());
        }
    }
    listing.print(&services, only.is_none(), session.names, session.out)?;
    Ok(())
}

fn list_flows(numeric: bool, engines: bool, session: &mut Session<'_>) -> Result<(), Stop> {
    let names = session.names;
    let mut printer = FlowPrinter::new(Naming { numeric, names }, engines, session.out);
    let mut printed = Ok(());
    let asked = session.backend.flows(&mut |flow| {
        printed = printer.print(&flow);
        match printed {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    printed?;
    asked?;
    printer.finish()?;
    Ok(())
}
