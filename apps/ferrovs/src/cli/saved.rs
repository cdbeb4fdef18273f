//! `ferrovs save` and `ferrovs restore`.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use ferrovs_config::saved;
use ferrovs_model::{Change, Wanted, differences};

use crate::ipvsadm::{Backend, Daemon};

/// Options of `ferrovs save`.
#[derive(Clone, Debug, Args)]
pub(super) struct SaveOptions {
    /// Write to this file instead of standard output; it is replaced whole, or not at all
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Options of `ferrovs restore`.
#[derive(Clone, Debug, Args)]
pub(super) struct RestoreOptions {
    /// The file; `-` or nothing for standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only check the file and print what would change: `-` what goes, `+` what comes
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn save(options: &SaveOptions) -> anyhow::Result<()> {
    let text = saved::write(&present(&mut Daemon::default())?)?;
    match &options.file {
        Some(file) => replace(file, &text).with_context(|| cannot("write", file)),
        None => say(&text),
    }
}

pub(super) fn restore(options: &RestoreOptions) -> anyhow::Result<()> {
    let (name, text) = match &options.file {
        Some(file) if file != Path::new("-") => {
            let text = fs::read_to_string(file).with_context(|| cannot("read", file))?;
            (file.display().to_string(), text)
        }
        _ => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
            ("standard input".to_owned(), text)
        }
    };
    let state = match saved::read(&text) {
        Ok(state) => state,
        Err(error) => bail!("{name}, {error}; nothing was changed"),
    };
    let mut daemon = Daemon::default();
    if options.dry_run {
        return tell(&present(&mut daemon)?, &state);
    }
    daemon
        .apply(&[Change::Replace { state }])
        .context("nothing was changed")
}

fn present(daemon: &mut Daemon) -> anyhow::Result<Wanted> {
    daemon
        .services()?
        .wanted()
        .context("the daemon's answer makes no sense")
}

fn tell(old: &Wanted, new: &Wanted) -> anyhow::Result<()> {
    let found = differences(old, new);
    if found.is_empty() {
        return say("nothing would change\n");
    }
    let lines: Vec<String> = found.iter().map(|one| format!("{one}\n")).collect();
    say(&lines.concat())
}

/// Prints; a reader that has gone has seen enough.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes beside the file, then puts that in its place: who reads it, or finds it after a crash, has the
/// old one or the new one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::File::create_new(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&beside, file));
    if done.is_err() {
        // It may not even exist, and why it failed matters more.
        let _ = fs::remove_file(&beside);
    }
    done
}

fn cannot(what: &str, file: &Path) -> String {
    format!("cannot {what} {}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = std::env::temp_dir().join(format!("ferrovs-saved-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let file = directory.join("state.toml");
        replace(&file, "one").unwrap();
        replace(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        // A directory cannot be replaced by a file, and nothing is left beside it.
        let taken = directory.join("taken");
        fs::create_dir_all(taken.join("inside")).unwrap();
        replace(&taken, "three").unwrap_err();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
        fs::remove_dir_all(&directory).unwrap();
    }
}
