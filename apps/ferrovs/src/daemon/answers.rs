//! The thread that tells senders, by ICMP, what became of their packets: the [`Answerer`] of `ferrovs-kernel`.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ferrovs_kernel::{Answerer, DataPlane};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::warn;

use super::worker::Worker;

/// How long the thread waits before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(500);

/// Starts it, in the network namespace of the caller.
pub(super) fn start(plane: &DataPlane) -> anyhow::Result<Worker> {
    let answerer = Answerer::new(&plane.maps)?;
    Worker::start("answers", move |stop| run(answerer, stop))
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
