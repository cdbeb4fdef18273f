//! The daemon's log: on standard error, or, for a daemon that a command started, in the journal or in a
//! file.

use std::{
    fs::{self, OpenOptions},
    io::IsTerminal,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Mutex,
};

use anyhow::Context;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use super::RunArgs;

/// Where the journal listens.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// Where log files go without a journal.
const DIRECTORY: &str = "/run/ferrovs";
/// The environment variable that says how much is logged.
const LEVEL: &str = "FERROVS_LOG";

/// Starts logging.
pub(super) fn start(args: &RunArgs) -> anyhow::Result<()> {
    let level = EnvFilter::try_from_env(LEVEL).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(level);
    let plain = tracing_subscriber::fmt::layer().with_target(false);
    if !args.autostart {
        let colour = std::io::stderr().is_terminal();
        let layer = plain.with_ansi(colour).with_writer(std::io::stderr);
        return Ok(registry.with(layer).try_init()?);
    }
    if Path::new(JOURNAL).exists()
        && let Ok(journal) = tracing_journald::layer()
    {
        let journal = journal.with_syslog_identifier("ferrovs".to_owned());
        return Ok(registry.with(journal).try_init()?);
    }
    let layer = plain.with_ansi(false).with_writer(Mutex::new(file()?));
    Ok(registry.with(layer).try_init()?)
}

/// One file for each network namespace, named after its number.
fn file() -> anyhow::Result<fs::File> {
    fs::create_dir_all(DIRECTORY).with_context(|| format!("cannot make {DIRECTORY}"))?;
    let namespace = fs::metadata("/proc/self/ns/net").map_or(0, |namespace| namespace.ino());
    let path = Path::new(DIRECTORY).join(format!("net-{namespace}.log"));
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))
}
