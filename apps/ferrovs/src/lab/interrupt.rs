//! Ctrl-C: noticed at the next step, so that everything is taken away in its order.

use std::{
    io,
    ops::ControlFlow,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{consts::signal, flag};

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Somebody pressed Ctrl-C, or asked the process to end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// From now on SIGINT, SIGTERM and SIGHUP do not kill the process but are noticed by [`check`].
pub(super) fn listen() -> io::Result<()> {
    for signal in [signal::SIGINT, signal::SIGTERM, signal::SIGHUP] {
        flag::register(signal, Arc::clone(&REQUESTED))?;
    }
    Ok(())
}

/// Whether the process was asked to end.
pub(super) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Ends a step half-way.
pub(super) fn check() -> Result<(), Interrupted> {
    if requested() {
        Err(Interrupted)
    } else {
        Ok(())
    }
}

/// The same for the loops of the stage.
pub(super) fn flow() -> ControlFlow<()> {
    if requested() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
