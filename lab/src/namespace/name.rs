//! The names of namespaces: files in `/run/netns` with a namespace mounted on them.
//!
//! The same layout and propagation as iproute2 uses (`ip-netns(8)`, "named network namespace"), so
//! that either tool removes what the other made.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
};

use crate::error::{Doing, Error, Result};

const DIRECTORY: &str = "/run/netns";

/// Where the namespace called `name` is mounted.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// The names in `/run/netns`, sorted.
///
/// # Errors
/// When the directory exists but cannot be read.
pub fn names() -> Result<Vec<String>> {
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).doing(|| format!("read {DIRECTORY}")),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// A name that is ours, with nothing mounted on it yet.
pub(super) struct Reserved(PathBuf);

/// Takes the name, so that nobody else can.
pub(super) fn reserve(name: &str) -> Result<Reserved> {
    share_directory()?;
    let path = path(name);
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(_) => Ok(Reserved(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::NameTaken(name.to_owned()))
        }
        Err(error) => Err(error).doing(|| format!("make {}", path.display())),
    }
}

impl Reserved {
    /// Mounts the namespace of the calling thread on the name.
    pub(super) fn bind(&self) -> Result<()> {
        // `/proc/self` would be the namespace of the process's first thread.
        mount(
            Some("/proc/thread-self/ns/net"),
            &self.0,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .doing(|| format!("mount a network namespace on {}", self.0.display()))
    }
}

/// Takes the name away. The namespace itself goes when nothing uses it any more.
pub(super) fn release(name: &str) -> Result<()> {
    let path = path(name);
    match umount2(&path, MntFlags::MNT_DETACH) {
        // Reserved but never mounted.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(error) => return Err(error).doing(|| format!("unmount {}", path.display())),
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).doing(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Makes `/run/netns` a shared mount: otherwise a process in a mount namespace of its own would keep
/// every namespace of that moment alive, and its name busy.
fn share_directory() -> Result<()> {
    let shared = || {
        mount(
            None::<&str>,
            DIRECTORY,
            None::<&str>,
            MsFlags::MS_SHARED | MsFlags::MS_REC,
            None::<&str>,
        )
    };
    fs::create_dir_all(DIRECTORY).doing(|| format!("make {DIRECTORY}"))?;
    let directory = File::open(DIRECTORY).doing(|| format!("open {DIRECTORY}"))?;
    // iproute2 takes the same lock: two who mount the directory on itself would hide each other's names.
    let _lock = Flock::lock(directory, FlockArg::LockExclusive)
        .map_err(|(_, error)| error)
        .doing(|| format!("lock {DIRECTORY}"))?;
    match shared() {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL) => mount(
            Some(DIRECTORY),
            DIRECTORY,
            None::<&str>,
            MsFlags::MS_BIND | MsFlags::MS_REC,
            None::<&str>,
        )
        .and_then(|()| shared())
        .doing(|| format!("mount {DIRECTORY}")),
        Err(error) => Err(error).doing(|| format!("share the mount {DIRECTORY}")),
    }
}
