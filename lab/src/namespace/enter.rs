//! Entering a namespace, with a thread or with a child process.

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    panic::resume_unwind,
    process::Command,
    sync::Arc,
    thread,
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::signal::Signal,
    unistd::{Pid, getpid, getppid, setsid},
};

/// How long a child process lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// As long as the thread that started it.
    Parent,
    /// As long as it likes.
    Own,
}

/// Runs `work` on a thread inside the namespace and hands on its result, or its panic.
pub(super) fn scoped<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, || {
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        })?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// A command whose process enters the namespace before it becomes `program`.
pub(super) fn command(program: &OsStr, namespace: &Arc<OwnedFd>, lifetime: Lifetime) -> Command {
    let namespace = Arc::clone(namespace);
    let parent = getpid();
    let mut command = Command::new(program);
    if lifetime == Lifetime::Parent {
        command.process_group(0);
    }
    // SAFETY: between fork and exec the closure makes system calls only: it allocates nothing and
    // takes no lock, whatever the other threads of the parent were doing.
    unsafe {
        command.pre_exec(move || {
            match lifetime {
                Lifetime::Parent => die_with(parent)?,
                Lifetime::Own => drop(setsid()?),
            }
            enter_like_iproute2(namespace.as_fd()).map_err(io::Error::from)
        });
    }
    command
}

/// Asks the kernel to kill this process when the thread that made it ends.
fn die_with(parent: Pid) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == parent {
        Ok(())
    } else {
        Err(Errno::ESRCH.into())
    }
}

/// What `ip netns exec` does: `/sys` shows the devices of the namespace it was mounted in, so the
/// process gets one of its own.
fn enter_like_iproute2(namespace: BorrowedFd<'_>) -> nix::Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_SLAVE | MsFlags::MS_REC,
        None::<&str>,
    )?;
    // Where nothing is mounted on /sys there is nothing to take away.
    let _ = umount2("/sys", MntFlags::MNT_DETACH);
    mount(
        Some("sysfs"),
        "/sys",
        Some("sysfs"),
        MsFlags::empty(),
        None::<&str>,
    )
}
