//! The thread that watches the network: the [`Keeper`] of `ferrovs-kernel`, and how to talk to it.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use anyhow::Context;
use ferrovs_kernel::{DataPlane, Hook, Keeper, Result, Targets, Watched};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{Notify, oneshot};
use tracing::warn;

use super::document::Store;

/// The longest pause between two rounds of the keeper's work: well within the three seconds after
/// which programs no longer trust the next hops.
const PAUSE: Duration = Duration::from_millis(200);

/// Something for the keeper to do.
type Task = Box<dyn FnOnce(&mut Keeper) + Send>;

/// A handle on the thread.
#[derive(Clone)]
pub(super) struct Network {
    tasks: mpsc::Sender<Task>,
    wake: Arc<UnixStream>,
    hooks: Arc<Mutex<Vec<Hook>>>,
    ended: Arc<Notify>,
}

impl Network {
    /// Starts the thread, in the network namespace of the caller.
    pub(super) fn start(plane: Arc<DataPlane>, store: Arc<Store>) -> anyhow::Result<Self> {
        let tuning = store.document().tuning;
        let remember = Box::new(move |tuning: &_| {
            store.update(|document| document.tuning = Clone::clone(tuning))
        });
        let keeper = Keeper::new(plane, tuning, remember)?;
        let (tasks, inbox) = mpsc::channel();
        let (wake, woken) = UnixStream::pair().context("cannot make a pair of sockets")?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let hooks = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(Notify::new());
        let thread = Thread {
            keeper,
            inbox,
            woken,
            hooks: Arc::clone(&hooks),
            ended: Arc::clone(&ended),
        };
        thread::Builder::new()
            .name("network".to_owned())
            .spawn(move || thread.run())
            .context("cannot start a thread")?;
        Ok(Self {
            tasks,
            wake: Arc::new(wake),
            hooks,
            ended,
        })
    }

    /// See [`Keeper::require`].
    pub(super) async fn require(&self, names: Vec<String>) -> anyhow::Result<()> {
        let require = move |keeper: &mut Keeper| keeper.require(&names);
        Ok(self.ask(require).await??)
    }

    /// See [`Keeper::prepare`].
    pub(super) async fn prepare(&self, targets: Targets) -> anyhow::Result<()> {
        let prepare = move |keeper: &mut Keeper| keeper.prepare(&targets);
        Ok(self.ask(prepare).await??)
    }

    /// See [`Keeper::settle`].
    pub(super) async fn settle(&self, targets: Targets) -> anyhow::Result<()> {
        Ok(self.ask(|keeper| keeper.settle(targets)).await??)
    }

    /// See [`Keeper::announce`].
    pub(super) async fn announce(&self) -> anyhow::Result<()> {
        self.ask(Keeper::announce).await
    }

    /// See [`Keeper::down`].
    pub(super) async fn down(&self) -> anyhow::Result<()> {
        Ok(self.ask(Keeper::down).await??)
    }

    /// Tells the keeper what a round of the sweeper met.
    pub(super) fn end_of_round(&self, round: u64, next_hops: BTreeSet<u32>) {
        self.send(Box::new(move |keeper| {
            complain(&keeper.end_of_round(Watched { round, next_hops }));
        }));
    }

    /// Where programs sit now.
    pub(super) fn hooks(&self) -> Vec<Hook> {
        lock(&self.hooks).clone()
    }

    /// Completes when the thread has ended, which it never should.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Keeper) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move |keeper| {
            // Who asked may have gone.
            let _ = answer.send(question(keeper));
        }));
        answered
            .await
            .context("the thread that watches the network has ended")
    }

    fn send(&self, task: Task) {
        // A thread that has ended is noticed by whoever waits for an answer.
        let _ = self.tasks.send(task);
        // A full buffer means that it is being woken already.
        let _ = (&*self.wake).write(&[0]);
    }
}

/// The thread's own things.
struct Thread {
    keeper: Keeper,
    inbox: mpsc::Receiver<Task>,
    woken: UnixStream,
    hooks: Arc<Mutex<Vec<Hook>>>,
    ended: Arc<Notify>,
}

impl Thread {
    fn run(mut self) {
        let mut trouble = String::new();
        while self.wait() {
            let result = self.keeper.work();
            let now = result.err().map_or_else(String::new, |e| e.to_string());
            if now != trouble {
                if !now.is_empty() {
                    warn!("{now}; packets take the slow way until this is mended");
                }
                trouble = now;
            }
            lock(&self.hooks).clone_from(&self.keeper.hooks().to_vec());
        }
    }

    /// Waits for a change of the network, for a task, or for the pause to end, and does what there is to
    /// do. False when nobody is left to give tasks.
    fn wait(&mut self) -> bool {
        let mut events = [
            PollFd::new(self.keeper.changed(), PollFlags::POLLIN),
            PollFd::new(self.woken.as_fd(), PollFlags::POLLIN),
        ];
        let pause = PollTimeout::try_from(PAUSE).unwrap_or(PollTimeout::ZERO);
        // An interrupted wait is as good as a short one.
        let _ = poll(&mut events, pause);
        let mut drained = [0; 64];
        while (&self.woken).read(&mut drained).is_ok_and(|read| read > 0) {}
        loop {
            match self.inbox.try_recv() {
                Ok(task) => {
                    task(&mut self.keeper);
                    lock(&self.hooks).clone_from(&self.keeper.hooks().to_vec());
                }
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.ended.notify_one();
    }
}

fn lock(hooks: &Mutex<Vec<Hook>>) -> std::sync::MutexGuard<'_, Vec<Hook>> {
    hooks.lock().unwrap_or_else(PoisonError::into_inner)
}

fn complain(result: &Result<()>) {
    if let Err(error) = result {
        warn!("{error}");
    }
}
