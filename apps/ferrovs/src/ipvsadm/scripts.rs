//! `ipvsadm-save` and `ipvsadm-restore`, which come with ipvsadm as scripts around it.

use std::io::Write;

use ferrovs_model::Change;

use super::{Session, Stop, restore};

/// What `ipvsadm-save` does with its options.
pub(super) enum Save {
    Numeric,
    Named,
    /// Somebody asked for help, or mistyped.
    Help,
}

impl Save {
    pub(super) fn of(args: &[String]) -> Self {
        let mut options = args.iter().filter(|arg| arg.starts_with('-'));
        if options.clone().any(|option| option != "-n") {
            Self::Help
        } else if options.next().is_some() {
            Self::Numeric
        } else {
            Self::Named
        }
    }
}

/// Says what `ipvsadm-save` is.
pub(super) fn help_of_save(program: &str, err: &mut dyn Write) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(
        err,
        "{program}: print the commands that make the present table; -n: with numbers instead of names"
    );
}

/// Makes the table what the commands of the input say; lines that begin with `#` are none.
///
/// The script clears the table first. Here that goes together with the first commands, so that no packet
/// meets an empty table.
pub(super) fn restore(session: &mut Session<'_>) -> Result<u8, Stop> {
    let mut text = Vec::new();
    loop {
        let line = session.input.next_line().map_err(restore::unreadable)?;
        if line.is_empty() {
            break;
        }
        if !line.starts_with(b"#") {
            text.extend(line);
        }
    }
    let mut input = text.as_slice();
    let mut session = Session {
        program: session.program,
        backend: session.backend,
        names: session.names,
        input: &mut input,
        out: session.out,
        err: session.err,
    };
    restore::run(vec![Change::Clear], &mut session)
}
