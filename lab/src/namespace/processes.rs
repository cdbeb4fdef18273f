//! Who is in a namespace, and ending them.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        stat::fstat,
    },
    unistd::Pid,
};

use super::Namespace;
use crate::error::{Doing, Error, Result};

/// How long a process may take to end after SIGTERM, and again after SIGKILL.
const PATIENCE: Duration = Duration::from_secs(3);

impl Namespace {
    /// The processes in the namespace, this one left out.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let here = fstat(self.handle()).doing(|| format!("look at {}", self.name()))?;
        let is_here = |process: &u32| {
            fs::metadata(format!("/proc/{process}/ns/net"))
                .is_ok_and(|there| there.dev() == here.st_dev && there.ino() == here.st_ino)
        };
        let own = std::process::id();
        Ok(fs::read_dir("/proc")
            .doing(|| "read /proc")?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|process| *process != own)
            .filter(is_here)
            .collect())
    }

    /// Ends the processes in the namespace (SIGTERM, later SIGKILL) and says which there were, by
    /// number and name.
    ///
    /// # Errors
    /// When one does not end.
    pub fn end_processes(&self) -> Result<Vec<(u32, String)>> {
        let found: Vec<_> = self
            .processes()?
            .into_iter()
            .map(|process| (process, name_of(process)))
            .collect();
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if self.signal_all(signal)? {
                return Ok(found);
            }
        }
        Err(Error::Unexpected(format!(
            "some processes in {} do not end: {:?}",
            self.name(),
            self.processes()?
        )))
    }

    /// Sends a signal to every process in the namespace and waits; whether all are gone.
    fn signal_all(&self, signal: Signal) -> Result<bool> {
        let begin = Instant::now();
        let mut told = Vec::new();
        loop {
            let processes = self.processes()?;
            if processes.is_empty() {
                return Ok(true);
            }
            // A process told to end may have started another meanwhile.
            for process in processes
                .into_iter()
                .filter(|process| !told.contains(process))
                .collect::<Vec<_>>()
            {
                let pid = Pid::from_raw(process.cast_signed());
                match kill(pid, signal) {
                    Ok(()) | Err(Errno::ESRCH) => told.push(process),
                    Err(error) => return Err(error).doing(|| format!("end process {process}")),
                }
            }
            if begin.elapsed() > PATIENCE {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn name_of(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}
