//! The thread that tells senders, by ICMP, what became of their packets: the [`Answerer`] of `ferrovs-kernel`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Context;
use ferrovs_kernel::{Answerer, DataPlane};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::Notify;
use tracing::warn;

/// How long the thread waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(500);

/// The thread; it ends when this is dropped.
pub(super) struct Answering {
    stop: Arc<AtomicBool>,
    ended: Arc<Notify>,
}

impl Answering {
    /// Starts it, in the network namespace of the caller.
    pub(super) fn start(plane: &DataPlane) -> anyhow::Result<Self> {
        let answerer = Answerer::new(&plane.maps)?;
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(Notify::new());
        let notice = Notice(Arc::clone(&ended));
        let stopped = Arc::clone(&stop);
        thread::Builder::new()
            .name("answers".to_owned())
            .spawn(move || {
                let _notice = notice;
                run(answerer, &stopped);
            })
            .context("cannot start a thread")?;
        Ok(Self { stop, ended })
    }

    /// Completes when the thread has ended, which it never should before it is told to.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Answering {
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

fn run(mut answerer: Answerer, stop: &AtomicBool) {
    let pause = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO);
    let mut trouble = String::new();
    while !stop.load(Ordering::Relaxed) {
        let mut events = [PollFd::new(answerer.descriptor(), PollFlags::POLLIN)];
        // An interrupted wait is as good as a short one.
        let _ = poll(&mut events, pause);
        if let Err(error) = answerer.work() {
            let now = error.to_string();
            if now != trouble {
                warn!("cannot send an ICMP message: {now}");
                trouble = now;
            }
        }
    }
}
