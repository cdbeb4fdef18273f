//! A thread of the daemon's beside its runtime, for work that waits in the kernel or walks tables.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::Context;
use tokio::sync::Notify;

/// The thread; it is told to end when this is dropped.
pub(super) struct Worker {
    stop: Arc<AtomicBool>,
    ended: Arc<Notify>,
}

impl Worker {
    /// Starts a thread of this name, in the network namespace of the caller. `work` returns soon after what it is
    /// given has become true.
    pub(super) fn start(
        name: &str,
        work: impl FnOnce(&AtomicBool) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(Notify::new());
        let notice = Notice(Arc::clone(&ended));
        let stopped = Arc::clone(&stop);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _notice = notice;
                work(&stopped);
            })
            .context("cannot start a thread")?;
        Ok(Self { stop, ended })
    }

    /// Completes when the thread has ended, which it never should before it is told to.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Tells the end of the thread, however it comes.
struct Notice(Arc<Notify>);

impl Drop for Notice {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
