//! The daemon of this network namespace as a [`Backend`], started when there is none, as the kernel
//! loads its module.

use std::{
    env,
    ffi::OsStr,
    io::Read,
    ops::ControlFlow,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrovs_api::{
    FlowView, Services,
    client::{Client, ClientError},
};
use ferrovs_model::{Change, Refusal};

use super::{Backend, BackendError};

/// Set to `0`, it keeps the daemon from being started.
const AUTOSTART: &str = "FERROVS_AUTOSTART";

/// How long a daemon may take to start: it loads programs and makes its tables.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemon, reached at the first question.
#[derive(Debug, Default)]
pub struct Daemon {
    client: Option<Client>,
}

impl Daemon {
    fn client(&mut self) -> Result<&mut Client, BackendError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => match Client::connect() {
                Err(ClientError::NotRunning) => start()?,
                connected => connected?,
            },
        };
        Ok(self.client.insert(client))
    }
}

impl Backend for Daemon {
    fn apply(&mut self, changes: &[Change]) -> Result<(), BackendError> {
        Ok(self.client()?.apply(changes)?)
    }

    fn apply_each(&mut self, changes: &[Change]) -> Result<Vec<(usize, Refusal)>, BackendError> {
        let refused = self.client()?.apply_each(changes)?;
        Ok(refused.iter().map(|one| (one.index, one.refusal)).collect())
    }

    fn services(&mut self) -> Result<Services, BackendError> {
        Ok(self.client()?.services()?)
    }

    fn flows(
        &mut self,
        each: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        Ok(self.client()?.flows(each)?)
    }
}

impl From<ClientError> for BackendError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(refused) => Self::Refused(refused.refusal),
            ClientError::Forbidden(_) => Self::Denied,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Starts a daemon that outlives this command, and waits until it answers.
fn start() -> Result<Client, BackendError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(BackendError::Denied);
    }
    if env::var_os(AUTOSTART).as_deref() == Some(OsStr::new("0")) {
        return Err(BackendError::Failed(format!(
            "{}, or unset {AUTOSTART}",
            ClientError::NotRunning
        )));
    }
    let mut child = spawn()?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Looked at before the socket: a child that lost a race to another one has ended, and the other
        // one answers sooner or later.
        let ended = child.try_wait().ok().flatten();
        match Client::connect() {
            Err(ClientError::NotRunning) => {}
            connected => return Ok(connected?),
        }
        match ended {
            Some(status) if !status.success() => {
                return Err(BackendError::Failed(complaint(&mut child)));
            }
            // The winner may fail yet: then the next child will, and say why.
            Some(_) => {
                thread::sleep(Duration::from_millis(50));
                child = spawn()?;
            }
            None => {}
        }
        if Instant::now() > deadline {
            // It may be gone already, which is as good.
            let _ = child.kill().and_then(|()| child.wait());
            return Err(BackendError::Failed(format!(
                "the ferrovs daemon did not start within {} seconds: run `ferrovs run` to see why",
                PATIENCE.as_secs()
            )));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// The child's standard error is ours until it answers; then we end, and nobody reads it.
fn spawn() -> Result<Child, BackendError> {
    let failed = |error| BackendError::Failed(format!("cannot start the ferrovs daemon: {error}"));
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    // The file itself may be named ipvsadm, and the name decides.
    command
        .arg0("ferrovs")
        .args(["run", "--autostart"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: the closure runs in the child between fork and exec, where only async-signal-safe
    // functions may be called; setsid(2) is one, and nothing else is called.
    unsafe {
        command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?));
    }
    command.spawn().map_err(failed)
}

/// What a child that ended said, without the word that starts it.
fn complaint(child: &mut Child) -> String {
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        // What was read before an error is still worth telling.
        let _ = stderr.read_to_string(&mut said);
    }
    let said = said.trim();
    match said.strip_prefix("ferrovs: ").unwrap_or(said) {
        "" => "the ferrovs daemon ended at once without a word: run `ferrovs run` to see why"
            .to_owned(),
        said => said.to_owned(),
    }
}
