//! The daemon: `ferrovs run`, and `ferrovs down` which undoes it.
//!
//! A command's way: [`server`] takes a change from the control socket, [`director`] makes it, which
//! means: the model accepts it, [`network`] hooks what it needs, [`document`] stores it, the publisher
//! writes it into the tables. Beside that the [`sweeper`] ends flows whose time is over, and senders whose packets
//! go nowhere get [`answers`].
//!
//! The daemon forwards nothing itself. It may be killed at any moment: programs and tables stay on the
//! interfaces, and the next daemon takes them up where they are.

mod answers;
mod director;
mod document;
mod down;
mod lifetime;
mod listing;
mod logging;
mod network;
mod options;
mod plane;
mod rates;
mod server;
mod socket;
mod sweeper;
mod worker;

use std::{io::Write, os::unix::net::UnixListener, sync::Arc};

use anyhow::{Context, bail};
use ferrovs_kernel::{DataPlane, HookChoice, Sizes, kernel_ipvs_services, probe};
use ferrovs_model::publish::INITIAL_LOG2;
use tokio::sync::{Mutex, Notify};
use tracing::{info, warn};

pub use down::down;
pub use options::RunArgs;

use director::Director;
use document::Store;
use network::Network;
use socket::Taken;

/// Why the daemon ends.
enum End {
    /// A signal asked it to: the data plane stays.
    Signal(&'static str),
    /// `ferrovs down` asked it to, and all has been taken away.
    Down,
    /// A command had started it, there was nothing left to do, and all has been taken away.
    Idle(&'static str),
}

/// Runs the director of this network namespace until it is told to end.
///
/// # Errors
/// Everything that keeps it from starting, in one sentence; nothing is half-applied then.
pub fn run(args: &RunArgs) -> anyhow::Result<()> {
    logging::start(args)?;
    probe()?;
    refuse_kernel_ipvs()?;
    let name = match socket::take()? {
        Taken::Ours(name) => name,
        // Of commands that start a daemon at the same time, one wins, which is all that they want.
        Taken::ByDaemon(_) if args.autostart => return Ok(()),
        Taken::ByDaemon(holder) => bail!(holder),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, name))
}

async fn serve(args: &RunArgs, name: socket::Name) -> anyhow::Result<()> {
    let plane = Arc::new(data_plane(args)?);
    let store = Arc::new(Store::open(Arc::clone(&plane))?);
    let network = Network::start(Arc::clone(&plane), Arc::clone(&store))?;
    // Those that an earlier daemon was told may have gone in the meantime.
    network.require(args.interfaces.clone()).await?;
    let manner = args.manner(store.document().manner);
    if manner.choice() == HookChoice::Xdp {
        // What the kernel does not accept is said now, and the first service need not wait for it.
        plane.programs.xdp()?;
    }
    let autostarted = manner.autostarted;
    let mut director = Director::new(plane, store, network.clone(), manner);
    director.start().await?;
    network.announce().await?;
    let director = Arc::new(Mutex::new(director));
    let sweeper = sweeper::start(director.lock().await.plane(), network.clone())?;
    let answering = answers::start(&director.lock().await.plane())?;
    let listener = name.listen()?;
    let stop = Arc::new(Notify::new());
    let serving = server::serve(listener, Arc::clone(&director), Arc::clone(&stop));
    let end = tokio::select! {
        result = serving => match result {
            Ok(()) => End::Down,
            Err(error) => return Err(error).context("the control socket failed"),
        },
        signal = lifetime::signal() => End::Signal(signal?),
        reason = lifetime::idle(autostarted, Arc::clone(&director)) => End::Idle(reason?),
        () = director::look(Arc::clone(&director)) => bail!("the publisher has ended"),
        () = network.ended() => bail!("the thread that watches the network has ended"),
        () = answering.ended() => bail!("the thread that answers senders has ended"),
        () = sweeper.ended() => bail!("the thread that sweeps flows has ended"),
    };
    match end {
        End::Signal(name) if network.hooks().is_empty() => {
            info!("{name}: the daemon ends. No interface has a program of it, so nothing stays");
        }
        End::Signal(name) => info!(
            "{name}: the daemon ends. Programs and tables stay and go on forwarding; `ferrovs run` takes \
             them up again, `ferrovs down` takes them away"
        ),
        End::Down => info!("programs and tables are taken away; the daemon ends"),
        End::Idle(reason) => info!("{reason}: the daemon, which a command had started, ends"),
    }
    Ok(())
}

/// The data plane that is on the interfaces already, or a new one.
fn data_plane(args: &RunArgs) -> anyhow::Result<DataPlane> {
    let sizes = Sizes::new(args.flows);
    let Some(found) = DataPlane::recover()? else {
        return Ok(DataPlane::create(&sizes, INITIAL_LOG2)?);
    };
    info!("took up the tables that an earlier daemon left on the interfaces");
    if args.flows.is_some() && found.maps.flow_lines() / 8 != sizes.buckets() {
        warn!(
            "the table of flows that was found has another size than --flows asks for and keeps it: to \
             change it run `ferrovs down` first, which ends all connections"
        );
    }
    Ok(found)
}

/// Two directors for the same packets would fight.
fn refuse_kernel_ipvs() -> anyhow::Result<()> {
    let services = kernel_ipvs_services();
    match services.len() {
        0 => Ok(()),
        count => bail!(
            "the kernel's own IPVS holds services in this network namespace ({count}): `ferrovs import --help` \
             has the steps to take them over, the kernel's `ipvsadm -C` clears them"
        ),
    }
}

/// Writes to standard output; a reader that has gone is no error.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A listener that both the standard library and tokio understand.
type Listener = UnixListener;
