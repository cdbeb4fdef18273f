//! When the daemon ends by itself.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::Path,
    process,
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal as listen};

use super::server::Shared;

/// How long the table must have been empty.
const EMPTY: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Where `ip netns` keeps names.
const NAMES: &str = "/run/netns";

/// Completes with the name of the first signal that asks to end.
pub(super) async fn signal() -> io::Result<&'static str> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// When a daemon that a command started has nothing left to do, takes everything away and completes with
/// the reason; never for another one.
///
/// # Errors
/// When something stays.
pub(super) async fn idle(autostarted: bool, director: Shared) -> anyhow::Result<&'static str> {
    if !autostarted {
        return std::future::pending().await;
    }
    let mut busy = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        // Held until all is taken away, so that no change is accepted and then lost.
        let mut director = director.lock().await;
        if !director.is_idle() {
            busy = Instant::now();
        }
        let reason = if busy.elapsed() >= EMPTY {
            "the table has been empty for 60 s"
        } else if is_abandoned(Path::new(NAMES), Path::new("/proc")) {
            "this network namespace has no name and no other process"
        } else {
            continue;
        };
        director.take_down().await?;
        return Ok(reason);
    }
}

/// Whether it is certain that only this process keeps its network namespace alive.
fn is_abandoned(names: &Path, processes: &Path) -> bool {
    is_alone(names, processes).unwrap_or(false)
}

fn is_alone(names: &Path, processes: &Path) -> io::Result<bool> {
    let own = namespace(Path::new("/proc/self/ns/net"))?;
    let named = match fs::read_dir(names) {
        Ok(entries) => entries,
        // Nobody has ever given a name.
        Err(error) if error.kind() == ErrorKind::NotFound => return has_no_other(processes, own),
        Err(error) => return Err(error),
    };
    for entry in named {
        if is_of(&entry?.path(), own)? {
            return Ok(false);
        }
    }
    has_no_other(processes, own)
}

/// Whether no other process is in this network namespace; an error if that cannot be seen of one.
fn has_no_other(processes: &Path, own: (u64, u64)) -> io::Result<bool> {
    let me = process::id().to_string();
    for entry in fs::read_dir(processes)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let process = name.bytes().all(|byte| byte.is_ascii_digit());
        if process && name != me && is_of(&entry.path().join("ns/net"), own)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether this is a file of the namespace `own`. One that has gone in the meantime is not.
fn is_of(path: &Path, own: (u64, u64)) -> io::Result<bool> {
    match namespace(path) {
        Ok(namespace) => Ok(namespace == own),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Device and number of a namespace's file tell it from all others.
fn namespace(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory like /proc with one other process, whose namespace's file is this.
    fn with_process(test: &str, file: &str, look: impl FnOnce(&Path)) {
        let id = process::id();
        let root = std::env::temp_dir().join(format!("ferrovs-lifetime-{test}-{id}"));
        let ns = root.join("1/ns");
        fs::create_dir_all(&ns).unwrap();
        symlink(file, ns.join("net")).unwrap();
        look(&root);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_namespace_with_other_processes_is_not_abandoned() {
        let nowhere = Path::new("/nonexistent");
        with_process("other", "/proc/self/ns/net", |root| {
            assert!(!is_abandoned(nowhere, root));
        });
        with_process("elsewhere", "/proc/self/ns/mnt", |root| {
            assert!(is_abandoned(nowhere, root));
        });
    }

    #[test]
    fn a_namespace_with_a_name_is_not_abandoned() {
        with_process("name", "/proc/self/ns/mnt", |root| {
            assert!(!is_abandoned(Path::new("/proc/self/ns"), root));
        });
    }

    #[test]
    fn what_cannot_be_seen_may_be_in_use() {
        let nowhere = Path::new("/nonexistent");
        // A link that leads to itself cannot be followed, by root either.
        with_process("unseen", "net", |root| {
            assert!(!is_abandoned(nowhere, root));
        });
        assert!(!is_abandoned(nowhere, nowhere));
    }
}
