//! A named network namespace: making it, working inside it, taking it away.
//!
//! A namespace is entered by a thread, never by the whole process: [`Namespace::run`] and
//! [`Namespace::spawn`] use a thread of their own, so the caller's thread stays where it is, and
//! what was opened inside (a socket, for instance) stays inside wherever it is used later.

mod enter;
mod name;
mod processes;
mod sysctl;

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::resume_unwind,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use nix::sched::{CloneFlags, setns, unshare};

pub use self::name::names;
use crate::{
    error::{Doing, Error, Result},
    route::RouteSocket,
};

/// A network namespace with a name under `/run/netns`.
///
/// Dropping it ends the processes in it and removes the name, unless it was [kept](Self::keep) or
/// only [opened](Self::open).
#[derive(Debug)]
pub struct Namespace {
    name: String,
    handle: Arc<OwnedFd>,
    /// A netlink socket lives in the namespace it was opened in, so one is enough for its lifetime.
    route: Mutex<RouteSocket>,
    /// Whether dropping this removes the name.
    owned: bool,
}

impl Namespace {
    /// Makes a namespace called `name`, with its loopback up.
    ///
    /// # Errors
    /// [`Error::NameTaken`] when the name is in use; otherwise what the kernel refused (`EPERM`
    /// without root).
    pub fn create(name: &str) -> Result<Self> {
        let place = name::reserve(name)?;
        let made = thread::scope(|scope| {
            scope
                .spawn(|| {
                    unshare(CloneFlags::CLONE_NEWNET)
                        .doing(|| format!("make the network namespace {name}"))?;
                    place.bind()?;
                    RouteSocket::open().doing(|| format!("open a netlink socket in {name}"))
                })
                .join()
        });
        let route = match made.unwrap_or_else(|panic| resume_unwind(panic)) {
            Ok(route) => route,
            Err(error) => {
                // The reason is what the caller must hear; the name has to go in any case.
                let _ = name::release(name);
                return Err(error);
            }
        };
        let mut namespace = Self::open(name)?;
        namespace.route = Mutex::new(route);
        namespace.owned = true;
        namespace.link("lo")?.up()?;
        Ok(namespace)
    }

    /// Opens the namespace called `name`, which stays when this value is dropped.
    ///
    /// # Errors
    /// When there is none, or without permission.
    pub fn open(name: &str) -> Result<Self> {
        let handle = fs::File::open(name::path(name))
            .doing(|| format!("open the network namespace {name}"))?;
        let handle = OwnedFd::from(handle);
        let route = enter::scoped(handle.as_fd(), RouteSocket::open)
            .and_then(|opened| opened)
            .doing(|| format!("open a netlink socket in {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            handle: Arc::new(handle),
            route: Mutex::new(route),
            owned: false,
        })
    }

    /// The name, as `ip netns` lists it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the namespace is mounted.
    pub fn path(&self) -> PathBuf {
        name::path(&self.name)
    }

    /// Runs `work` inside the namespace, on a thread of its own, and waits for its result.
    ///
    /// Do not start child processes in `work`: they would be killed when its thread ends. Use
    /// [`command`](Self::command) for that.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    ///
    /// # Panics
    /// When `work` panics.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        enter::scoped(self.handle.as_fd(), work).doing(|| format!("enter {}", self.name))
    }

    /// Runs `work` inside the namespace on a thread that goes on by itself.
    ///
    /// # Errors
    /// When no thread can be made. A namespace that cannot be entered is a panic of that thread.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let handle = Arc::clone(&self.handle);
        thread::Builder::new()
            .name(self.name.clone())
            .stack_size(256 * 1024)
            .spawn(move || {
                setns(handle.as_fd(), CloneFlags::CLONE_NEWNET)
                    .unwrap_or_else(|error| panic!("cannot enter a network namespace: {error}"));
                work()
            })
            .doing(|| format!("start a thread in {}", self.name))
    }

    /// A command that will run inside the namespace, as `ip netns exec` would run it: with the
    /// `/sys` of the namespace, in a mount namespace of its own. It is killed when the thread that
    /// starts it ends, and a Ctrl-C on the terminal does not reach it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        enter::command(program.as_ref(), &self.handle, enter::Lifetime::Parent)
    }

    /// As [`command`](Self::command), but the process outlives its parent.
    pub fn lasting_command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        enter::command(program.as_ref(), &self.handle, enter::Lifetime::Own)
    }

    /// Removes the name of a namespace that may not even be one; what uses it goes on.
    pub(crate) fn remove_name(name: &str) -> Result<()> {
        name::release(name)
    }

    /// Leaves the namespace standing when this value is dropped.
    pub fn keep(&mut self) {
        self.owned = false;
    }

    /// Ends what runs in the namespace and removes its name, reporting what could not be done.
    ///
    /// # Errors
    /// Everything that failed; the rest was done nevertheless.
    pub fn remove(mut self) -> Result<()> {
        self.take_down()
    }

    pub(crate) fn take_down(&mut self) -> Result<()> {
        self.owned = false;
        let errors = [self.end_processes().map(drop), name::release(&self.name)];
        Error::collect(errors.into_iter().filter_map(Result::err).collect())
    }

    pub(crate) fn is_owned(&self) -> bool {
        self.owned
    }

    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    pub(crate) fn route(&self) -> MutexGuard<'_, RouteSocket> {
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if self.owned
            && let Err(error) = self.take_down()
        {
            eprintln!("{error}");
        }
    }
}
