//! The machine that the commands run on: as the one of the recordings, but with ferrovs.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use ferrovs_api::client::Client;
use ferrovs_lab::{Daemon, Hook, Namespace};
use ferrovs_model::Change;
use ferrovs_tests::ferrovs;

/// The names that the machine of the recordings knew.
const HOSTS: &str = "\
127.0.0.1 localhost
::1 ip6-localhost
192.168.2.141 rs1
192.168.2.143 rs2.example.test
169.254.179.1 vip
";

/// Gives the shell, which has mounts of its own, those names and no name server.
const PREPARE: &str = "\
mount --bind \"$1/hosts\" /etc/hosts && mount --bind /dev/null /etc/resolv.conf || exit 99
shift
eval \"$1\"";

/// A network namespace with a daemon, and the program under the name `ipvsadm`.
pub(crate) struct Machine {
    // In this order they are dropped.
    _daemon: Daemon,
    namespace: Namespace,
    directory: Directory,
}

/// What a script did.
pub(crate) struct Done {
    /// The exit status of the last command.
    pub(crate) status: u8,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        ferrovs_tests::need_root();
        let services = fs::read_to_string("/etc/services").unwrap_or_default();
        assert!(
            services.contains("http-alt"),
            "this test needs Debian's /etc/services: apt-get install netbase"
        );
        let name = format!("ferrovs-transcripts-{}", process::id());
        let directory = Directory::new(env::temp_dir().join(&name));
        for name in ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"] {
            symlink(ferrovs(), directory.0.join(name)).unwrap();
        }
        let namespace = Namespace::create(&name).unwrap();
        let log = directory.0.join("daemon.log");
        let arguments = ["--flows", "1024"];
        let daemon = Daemon::start(&namespace, ferrovs(), Hook::Tc, &arguments, &log).unwrap();
        Self {
            _daemon: daemon,
            namespace,
            directory,
        }
    }

    /// Has a shell run `script`.
    pub(crate) fn run(&self, script: &str) -> Done {
        let directory = &self.directory.0;
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", directory.display());
        let output = self
            .namespace
            .command("/bin/sh")
            .args(["-c", PREPARE, "sh"])
            .args([directory.as_os_str(), script.as_ref()])
            .env_clear()
            .env("PATH", path)
            .env("FERROVS_AUTOSTART", "0")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Done {
            status: output.status.code().unwrap().try_into().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// An empty table, and the timeouts and names that every recording began with.
    pub(crate) fn reset(&self) {
        fs::write(self.directory.0.join("hosts"), HOSTS).unwrap();
        let timeouts = Change::SetTimeouts {
            tcp: Some(900),
            tcp_fin: Some(120),
            udp: Some(300),
        };
        let changes = [Change::Clear, timeouts];
        let applied = self.namespace.run(|| Client::connect()?.apply(&changes));
        applied.unwrap().unwrap();
    }
}

/// A directory that goes with this value.
struct Directory(PathBuf);

impl Directory {
    fn new(path: PathBuf) -> Self {
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        if let Err(error) = fs::remove_dir_all(path) {
            eprintln!("{} is left behind: {error}", path.display());
        }
    }
}
