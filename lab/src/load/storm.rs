//! New connections at a steady rate, each loading a page.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    error::{Error, Result},
    http::{Get, server_of},
    namespace::Namespace,
};

/// How many page loads may be under way at once.
const WORKERS: usize = 64;
/// A page that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Page loads that go on until stopped.
#[derive(Debug)]
pub struct Storm {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddrV4,
    rate: u32,
    begin: Instant,
    next: AtomicU32,
    stop: AtomicBool,
    report: Mutex<StormReport>,
}

/// What became of the page loads.
#[derive(Clone, Debug, Default)]
pub struct StormReport {
    /// Pages that came, by the real server that sent them.
    pub pages: BTreeMap<Ipv4Addr, u32>,
    /// Why the others did not come, and when, counted from the start.
    pub failures: Vec<(Duration, String)>,
    /// The longest time a page took.
    pub slowest: Duration,
}

impl StormReport {
    /// How many pages came.
    pub fn loaded(&self) -> u32 {
        self.pages.values().sum()
    }
}

impl Storm {
    /// Begins to load the home page of `target` from within the namespace, `rate` times a second.
    ///
    /// # Errors
    /// When no threads can be made.
    pub fn start(namespace: &Namespace, target: SocketAddrV4, rate: u32) -> Result<Self> {
        let shared = Arc::new(Shared {
            target,
            rate,
            begin: Instant::now(),
            next: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            report: Mutex::default(),
        });
        let mut storm = Self {
            shared,
            workers: Vec::new(),
        };
        for _ in 0..WORKERS {
            let shared = Arc::clone(&storm.shared);
            storm.workers.push(namespace.spawn(move || shared.work())?);
        }
        Ok(storm)
    }

    /// What has become of the page loads up to now.
    pub fn so_far(&self) -> StormReport {
        self.shared
            .report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits for the pages under way, and reports.
    ///
    /// # Errors
    /// When a thread panicked.
    pub fn stop(mut self) -> Result<StormReport> {
        self.end()?;
        Ok(self.so_far())
    }

    fn end(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let panics = self
            .workers
            .drain(..)
            .map(JoinHandle::join)
            .filter(std::result::Result::is_err)
            .count();
        match panics {
            0 => Ok(()),
            _ => Err(Error::Unexpected(format!(
                "{panics} threads that load pages panicked"
            ))),
        }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error}");
        }
    }
}

impl Shared {
    /// Takes one turn after the other; turn `n` is due `n / rate` seconds after the start.
    fn work(&self) {
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let due = self.begin + Duration::from_secs(1) * turn / self.rate.max(1);
            while let Some(left) = due.checked_duration_since(Instant::now())
                && !self.stop.load(Ordering::Relaxed)
            {
                thread::sleep(left.min(Duration::from_millis(20)));
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.load_one();
        }
    }

    fn load_one(&self) {
        let at = self.begin.elapsed();
        let loaded = Get::new(self.target, "/").limit(PATIENCE).send_from_here();
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(response) => match server_of(&response.text()) {
                Some(server) => {
                    *report.pages.entry(server).or_default() += 1;
                    report.slowest = report.slowest.max(response.elapsed);
                }
                None => report.failures.push((at, "a page of nobody".to_owned())),
            },
            Err(error) => report.failures.push((at, error.to_string())),
        }
    }
}
