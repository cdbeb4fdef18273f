//! `ferrovs save` and `ferrovs restore`.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use ferrovs_api::client::Client;
use ferrovs_config::saved;
use ferrovs_model::{Change, Wanted, differences};

use super::output;

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
    let text = saved::write(&present()?)?;
    output::put(options.file.as_deref(), &text)
}

pub(super) fn restore(options: &RestoreOptions) -> anyhow::Result<()> {
    let (name, text) = match &options.file {
        Some(file) if file != Path::new("-") => {
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            (file.display().to_string(), text)
        }
        _ => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .context("cannot read standard input, nothing was changed")?;
            ("standard input".to_owned(), text)
        }
    };
    let state = match saved::read(&text) {
        Ok(state) => state,
        Err(error) => bail!("{name}, {error}; nothing was changed"),
    };
    if options.dry_run {
        return tell(&present()?, &state);
    }
    super::make(&[Change::Replace { state }])
}

/// The state of the daemon that runs. None is started: what is saved of an empty one is not worth a file.
fn present() -> anyhow::Result<Wanted> {
    Client::connect()?
        .services()?
        .wanted()
        .context("the daemon's answer makes no sense")
}

fn tell(old: &Wanted, new: &Wanted) -> anyhow::Result<()> {
    let found = differences(old, new);
    if found.is_empty() {
        return output::say("nothing would change\n");
    }
    let lines: Vec<String> = found.iter().map(|one| format!("{one}\n")).collect();
    output::say(&lines.concat())
}
