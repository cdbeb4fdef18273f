//! A network namespace with a daemon that may be killed and started again while others use it.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{self, Stdio},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use ferrovs_api::{
    Services,
    client::{Client, ClientError},
};
use ferrovs_lab::{Daemon, Hook, Namespace};
use ferrovs_tests::{ferrovs, need_root};

/// How long a daemon may be away.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the [module](self).
pub(super) struct Place {
    namespace: Namespace,
    directory: PathBuf,
    /// How many daemons were about to be killed, and how many answered after one was.
    kills: AtomicU32,
    returns: AtomicU32,
}

impl Place {
    pub(super) fn new(test: &str) -> Self {
        need_root();
        let name = format!("ferrovs-together-{test}-{}", process::id());
        let directory = std::env::temp_dir().join(&name);
        fs::create_dir(&directory).unwrap();
        Self {
            namespace: Namespace::create(&name).unwrap(),
            directory,
            kills: AtomicU32::new(0),
            returns: AtomicU32::new(0),
        }
    }

    pub(super) fn start_daemon(&self) -> Daemon {
        let log = self.directory.join("daemon.log");
        let arguments = ["--flows", "1024"];
        Daemon::start(&self.namespace, ferrovs(), Hook::Tc, &arguments, &log).unwrap()
    }

    /// `kill -9`, and another daemon.
    pub(super) fn replace(&self, daemon: Daemon) -> Daemon {
        self.kills.fetch_add(1, SeqCst);
        daemon.kill().unwrap();
        let next = self.start_daemon();
        self.returns.fetch_add(1, SeqCst);
        next
    }

    /// Asks something of the daemon. A failure counts only if the daemon was there all the time; otherwise it
    /// comes back as an error once there is a daemon again.
    pub(super) fn ask<T>(&self, question: impl FnOnce() -> Result<T, String>) -> Result<T, Killed> {
        let returns = self.returns.load(SeqCst);
        question().map_err(|problem| {
            let kills = self.kills.load(SeqCst);
            assert!(kills > returns, "{problem}");
            let begin = Instant::now();
            while self.returns.load(SeqCst) < self.kills.load(SeqCst) {
                assert!(begin.elapsed() < PATIENCE, "the daemon does not come back");
                thread::sleep(Duration::from_millis(1));
            }
            Killed
        })
    }

    /// Runs `work` with a connection of its own to the daemon.
    pub(super) fn client<T: Send>(
        &self,
        work: impl FnOnce(&mut Client) -> Result<T, ClientError> + Send,
    ) -> Result<T, ClientError> {
        self.namespace
            .run(|| work(&mut Client::connect()?))
            .unwrap()
    }

    /// What is there, as soon as there is a daemon.
    pub(super) fn services(&self) -> Services {
        loop {
            if let Ok(services) = self.ask(|| told(self.client(Client::services))) {
                return services;
            }
        }
    }

    /// Runs `ipvsadm`, which must succeed and have no complaints, perhaps with a file of these lines on its
    /// standard input; one at a time may. Gives what it prints.
    pub(super) fn ipvsadm(&self, words: &str, lines: Option<&[String]>) -> Result<String, String> {
        let input = match lines {
            None => Stdio::null(),
            Some(lines) => {
                let file = self.directory.join("input");
                fs::write(&file, lines.join("\n") + "\n").unwrap();
                File::open(&file).unwrap().into()
            }
        };
        let mut command = self.namespace.command(ferrovs());
        command.arg("ipvsadm").args(words.split(' ')).stdin(input);
        let output = command.env("FERROVS_AUTOSTART", "0").output().unwrap();
        if output.status.success() && output.stderr.is_empty() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(format!("ipvsadm {words}: {output:?}"))
        }
    }
}

/// An error as it is told to people.
pub(super) fn told<T>(result: Result<T, ClientError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Whether it was done before the daemon was killed is not known.
pub(super) struct Killed;

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is in the directory for temporary files.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
