//! When the daemon ends by itself.

use std::{
    fs,
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
pub(super) async fn signal() -> std::io::Result<&'static str> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Completes with the reason when a daemon that a command started has nothing left to do; never for
/// another one.
pub(super) async fn idle(autostarted: bool, director: Shared) -> &'static str {
    if !autostarted {
        return std::future::pending().await;
    }
    let mut busy = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        if !director.lock().await.is_idle() {
            busy = Instant::now();
        }
        if busy.elapsed() >= EMPTY {
            return "the table has been empty for 60 s";
        }
        if is_abandoned() {
            return "this network namespace has no name and no other process";
        }
    }
}

/// Whether only this process keeps its network namespace alive.
fn is_abandoned() -> bool {
    let Some(own) = namespace(Path::new("/proc/self/ns/net")) else {
        return false;
    };
    let is_this = |path: &Path| namespace(path) == Some(own);
    let named = entries(Path::new(NAMES)).any(|path| is_this(&path));
    if named {
        return false;
    }
    let me = process::id().to_string();
    !entries(Path::new("/proc")).any(|path| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        let process = name.bytes().all(|byte| byte.is_ascii_digit());
        process && name != me && is_this(&path.join("ns/net"))
    })
}

/// Device and number of a namespace's file tell it from all others.
fn namespace(path: &Path) -> Option<(u64, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn entries(directory: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_with_other_processes_is_not_abandoned() {
        assert!(!is_abandoned());
    }
}
