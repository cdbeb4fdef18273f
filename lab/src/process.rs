//! A program that goes on running, with what it writes kept in a file.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::error::{Doing, Error, Result};

/// How long a program may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running program. Dropping it ends it (SIGTERM, later SIGKILL), unless it was let go.
#[derive(Debug)]
pub struct Service {
    name: String,
    child: Option<Child>,
    log: PathBuf,
}

impl Service {
    /// Starts the command; what it writes is added to the file `log`.
    ///
    /// # Errors
    /// When the file cannot be written or the program cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .doing(|| format!("write {}", log.display()))?;
        let copy = file
            .try_clone()
            .doing(|| format!("write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .doing(|| format!("start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child: Some(child),
            log: log.to_owned(),
        })
    }

    /// The number of the process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How the program ended, if it has.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child.try_wait().doing(|| format!("look at {}", self.name)),
            None => Ok(None),
        }
    }

    /// What the program has written.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// An error about this program, with the end of its log.
    pub(crate) fn failure(&self, what: impl Into<String>) -> Error {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let end = &lines[lines.len().saturating_sub(30)..];
        Error::NotRunning {
            program: self.name.clone(),
            what: what.into(),
            log: end.join("\n"),
        }
    }

    /// Kills the program at once (SIGKILL).
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child
                .kill()
                .and_then(|()| child.wait())
                .doing(|| format!("kill {}", self.name))?;
        }
        Ok(())
    }

    /// Ends the program in an orderly way (SIGTERM) and says how it ended; kills it when it does
    /// not end within five seconds, which is an error.
    ///
    /// # Errors
    /// When it had to be killed, or cannot be ended.
    pub fn stop(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        if let Ok(Some(status)) = child.try_wait() {
            self.child = None;
            return Ok(Some(status));
        }
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM)
            .doing(|| format!("end {}", self.name))?;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = child
                .try_wait()
                .doing(|| format!("wait for {}", self.name))?
            {
                self.child = None;
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.kill()?;
        Err(self.failure("did not end when asked to and was killed"))
    }

    /// Lets the program go on by itself.
    pub fn let_go(mut self) {
        self.child = None;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error}");
        }
    }
}
