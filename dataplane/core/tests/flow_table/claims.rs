//! The claim protocol, model-checked.
//!
//! Each scene is what two CPUs, or a CPU and the daemon, do at once; loom runs it in every order (the
//! longest scenes: with at most so many preemptions), and lets loads see whatever release and acquire
//! allow, which is more than x86-64 ever does. What one thread alone touches is no concern of loom's.

mod ending;
mod late;
mod one_packet;
mod opening;
mod sharing;
mod templates;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::model::Builder;
use loom::sync::Mutex;
use loom::sync::atomic::{AtomicU64, Ordering};

use crate::world::{Map, Memory, Pointers, Word, World};

/// Memory that loom watches.
pub(crate) struct Watched;

impl Memory for Watched {
    type Word = Gated;
    type Map = Locked;
}

/// A word, and a gate for each thread.
///
/// Loom tries another order of two accesses only if it takes them for a conflict, and of a word it
/// remembers the last access alone: that one thread reads, and then another reads and writes, it takes
/// for none. So whoever reads passes its own gate, and whoever writes the other one's, by an exchange,
/// which is a conflict for loom and orders nothing for the memory model.
pub(crate) struct Gated {
    word: AtomicU64,
    gates: [AtomicU64; 2],
}

loom::thread_local! {
    /// Which of the two threads this is.
    static THREAD: Cell<usize> = Cell::new(0);
}

impl Gated {
    fn reading(&self) -> &AtomicU64 {
        let gate = THREAD.with(Cell::get);
        self.gates[gate].swap(0, Relaxed);
        &self.word
    }

    fn writing(&self) -> &AtomicU64 {
        let gate = 1 - THREAD.with(Cell::get);
        self.gates[gate].swap(0, Relaxed);
        &self.word
    }
}

impl Word for Gated {
    fn new(value: u64) -> Self {
        Self {
            word: AtomicU64::new(value),
            gates: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    fn load(&self) -> u64 {
        self.reading().load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        // A plain store that meets a compare-and-exchange of another thread: loom then may show the one
        // or the other afterwards, whichever came last, which coherence forbids. Exchanges it orders.
        self.writing().swap(value, Ordering::Release);
    }

    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        let word = self.writing();
        word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn fetch_add(&self, value: u64) -> u64 {
        self.writing().fetch_add(value, Ordering::SeqCst)
    }

    fn wait() {
        loom::thread::yield_now();
    }
}

/// A map behind a lock that is held for one operation.
#[derive(Default)]
pub(crate) struct Locked(Mutex<Pointers>);

impl Map for Locked {
    fn with<R>(&self, work: impl FnOnce(&mut Pointers) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }
}

/// Runs a scene in all interleavings, or all with at most so many `preemptions`.
fn explore(preemptions: Option<usize>, scene: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&runs);
    let mut model = Builder::new();
    model.preemption_bound = preemptions;
    model.max_branches = 50_000;
    model.check(move || {
        seen.fetch_add(1, Relaxed);
        scene();
    });
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    println!("{name}: {} runs", runs.load(Relaxed));
}

/// What two of them do at once, and what came of it.
fn race<A: Send + 'static, B>(
    world: &Arc<World<Watched>>,
    one: impl FnOnce(&World<Watched>) -> A + Send + 'static,
    other: impl FnOnce(&World<Watched>) -> B,
) -> (A, B) {
    let shared = Arc::clone(world);
    let thread = loom::thread::spawn(move || {
        THREAD.with(|thread| thread.set(1));
        one(&shared)
    });
    let other = other(world);
    (thread.join().unwrap(), other)
}
