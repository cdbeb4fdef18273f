//! The program under test, inside the director.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::{Doing, Result},
    namespace::Namespace,
    process::Service,
};

/// How long the daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the data plane meets the packets.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Hook {
    /// What the daemon thinks best.
    #[default]
    Auto,
    /// Right behind the driver. The cables then must not leave checksums to the receiver.
    Xdp,
    /// At the traffic control layer.
    Tc,
}

impl fmt::Display for Hook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Auto => "auto",
            Self::Xdp => "xdp",
            Self::Tc => "tc",
        })
    }
}

impl FromStr for Hook {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        [Self::Auto, Self::Xdp, Self::Tc]
            .into_iter()
            .find(|hook| hook.to_string() == text)
            .ok_or_else(|| format!("there is no hook {text}; use auto, xdp or tc"))
    }
}

/// `ferrovs run` in a director. Dropping it ends the process; the programs it attached stay until
/// `ferrovs down` or until the director goes.
#[derive(Debug)]
pub struct Daemon {
    binary: PathBuf,
    service: Service,
}

impl Daemon {
    /// Starts `BINARY run --hook HOOK ARGUMENTS` in the namespace and waits until it answers; what
    /// it writes is added to `log`.
    ///
    /// # Errors
    /// When it ends or does not answer in time; the error holds the end of its log.
    pub fn start(
        director: &Namespace,
        binary: &Path,
        hook: Hook,
        arguments: &[&str],
        log: &Path,
    ) -> Result<Self> {
        Self::launch(
            director,
            director.command(binary),
            binary,
            hook,
            arguments,
            log,
        )
    }

    /// As [`start`](Self::start), but it goes on when this process ends, if it is
    /// [let go](Self::let_go).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_lasting(
        director: &Namespace,
        binary: &Path,
        hook: Hook,
        arguments: &[&str],
        log: &Path,
    ) -> Result<Self> {
        Self::launch(
            director,
            director.lasting_command(binary),
            binary,
            hook,
            arguments,
            log,
        )
    }

    fn launch(
        director: &Namespace,
        mut command: std::process::Command,
        binary: &Path,
        hook: Hook,
        arguments: &[&str],
        log: &Path,
    ) -> Result<Self> {
        command
            .arg("run")
            .arg("--hook")
            .arg(hook.to_string())
            .args(arguments);
        let name = format!("the daemon in {}", director.name());
        let service = Service::start(&name, command, log)?;
        let mut daemon = Self {
            binary: binary.to_owned(),
            service,
        };
        daemon.await_answer(director)?;
        Ok(daemon)
    }

    fn await_answer(&mut self, director: &Namespace) -> Result<()> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.service.ended()? {
                return Err(self.service.failure(format!("ended at once ({status})")));
            }
            let answer = ipvsadm(director, &self.binary, &["-L", "-n"])?;
            if answer.status.success() {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                let said = String::from_utf8_lossy(&answer.stderr);
                return Err(self
                    .service
                    .failure(format!("does not answer ({})", said.trim())));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number of the process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.service.id()
    }

    /// What the daemon has written.
    pub fn log(&self) -> String {
        self.service.log()
    }

    /// Kills the daemon (`kill -9`), leaving its programs at work.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.service.kill()
    }

    /// Ends the daemon in an orderly way, leaving its programs at work.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> Result<Option<ExitStatus>> {
        self.service.stop()
    }

    /// Lets the daemon go on by itself; useful only after [`start_lasting`](Self::start_lasting).
    pub fn let_go(self) {
        self.service.let_go();
    }
}

/// Runs `BINARY ipvsadm ARGUMENTS` in the director. It never starts a daemon by itself, so that a
/// test knows which daemon answers.
///
/// # Errors
/// When the program cannot be started; a failure of `ipvsadm` itself is in the output's status.
pub fn ipvsadm<S: AsRef<OsStr>>(
    director: &Namespace,
    binary: &Path,
    arguments: &[S],
) -> Result<Output> {
    let words = arguments.iter().map(AsRef::as_ref);
    let words: Vec<_> = std::iter::once(OsStr::new("ipvsadm"))
        .chain(words)
        .collect();
    ferrovs(director, binary, &words)
}

/// Runs `BINARY ARGUMENTS` in the director and waits for its end, for instance `ferrovs down`.
///
/// # Errors
/// As [`ipvsadm`].
pub fn ferrovs<S: AsRef<OsStr>>(
    director: &Namespace,
    binary: &Path,
    arguments: &[S],
) -> Result<Output> {
    director
        .command(binary)
        .args(arguments)
        .env("FERROVS_AUTOSTART", "0")
        .output()
        .doing(|| format!("run {} in {}", binary.display(), director.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_read_as_they_print() {
        for hook in [Hook::Auto, Hook::Xdp, Hook::Tc] {
            assert_eq!(hook.to_string().parse(), Ok(hook));
        }
        assert!("XDP".parse::<Hook>().is_err());
    }
}
