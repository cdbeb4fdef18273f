//! A network namespace with a daemon, and `ferrovs` run in it.

use std::{
    io::Write,
    path::PathBuf,
    process::{self, Output, Stdio},
};

use ferrovs_lab::{Daemon, Hook, Namespace};
use ferrovs_tests::{ferrovs, need_root};

/// A network namespace with a daemon.
pub(crate) struct Place {
    // In this order they are dropped.
    daemon: Option<Daemon>,
    /// Where the daemon runs.
    pub(crate) namespace: Namespace,
    /// For files, which go with it.
    pub(crate) directory: PathBuf,
}

impl Place {
    /// A new one, of which nothing stays when it is dropped.
    pub(crate) fn new(test: &str) -> Self {
        need_root();
        let name = format!("ferrovs-commands-{test}-{}", process::id());
        let directory = std::env::temp_dir().join(&name);
        std::fs::create_dir(&directory).unwrap();
        let namespace = Namespace::create(&name).unwrap();
        let mut place = Self {
            daemon: None,
            namespace,
            directory,
        };
        place.restart();
        place
    }

    /// Ends the daemon and starts another one.
    pub(crate) fn restart(&mut self) {
        self.daemon = None;
        let log = self.directory.join("daemon.log");
        let arguments = ["--flows", "1024"];
        let started = Daemon::start(&self.namespace, ferrovs(), Hook::Tc, &arguments, &log);
        self.daemon = Some(started.unwrap());
    }

    /// Runs `ferrovs` with something on its standard input.
    pub(crate) fn ferrovs(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.namespace.command(ferrovs());
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs it; what it prints.
    pub(crate) fn succeed(&self, arguments: &[&str], input: &str) -> String {
        let output = self.ferrovs(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it and has it fail; what it complains about.
    pub(crate) fn fail(&self, arguments: &[&str], input: &str) -> String {
        let output = self.ferrovs(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
