//! ldirectord as Debian ships it, in the foreground, with ferrovs where it looks for ipvsadm.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use ferrovs_lab::{Service, Topology};
use ferrovs_tests::ferrovs;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::eventually;

/// The program, and what it calls by this path whatever `PATH` says.
const LDIRECTORD: &str = "/usr/sbin/ldirectord";
const IPVSADM: &str = "/sbin/ipvsadm";

/// A command of the namespace has mounts of its own, so for ldirectord and its children, and for nobody else,
/// the first argument lies over the second; the rest is the program.
const IN_ITS_PLACE: &str = r#"mount --bind "$1" "$2" && shift 2 && exec "$@""#;

/// It runs. Dropping it ends it.
pub(crate) struct Ldirectord {
    service: Service,
    configuration: PathBuf,
}

impl Ldirectord {
    /// Starts it in the director.
    pub(crate) fn start(network: &Topology, configuration: &str) -> Self {
        for program in [LDIRECTORD, IPVSADM] {
            let is_there = Path::new(program).is_file();
            assert!(
                is_there,
                "{program} is missing (apt-get install ldirectord)"
            );
        }
        let file = network.directory().join("ldirectord.cf");
        fs::write(&file, configuration).unwrap();
        let mut command = network.director.command("sh");
        command.args(["-c", IN_ITS_PLACE, "sh"]);
        command.arg(ferrovs()).args([IPVSADM, LDIRECTORD]);
        command.arg(&file).arg("start");
        command.env("FERROVS_AUTOSTART", "0");
        let log = network.directory().join("ldirectord.log");
        Self {
            service: Service::start("ldirectord", command, &log).unwrap(),
            configuration: file,
        }
    }

    /// Has it read another configuration.
    pub(crate) fn reload(&self, configuration: &str) {
        fs::write(&self.configuration, configuration).unwrap();
        self.signal(Signal::SIGHUP);
    }

    /// Ends it in an orderly way; what it has logged.
    pub(crate) fn end(mut self) -> String {
        self.signal(Signal::SIGTERM);
        let mut status = None;
        eventually("ldirectord ends", || {
            status = self.service.ended().unwrap();
            status.is_some()
        });
        let log = self.service.log();
        assert!(status.is_some_and(|status| status.success()), "{log}");
        log
    }

    fn signal(&self, signal: Signal) {
        let process = self.service.id().unwrap().cast_signed();
        kill(Pid::from_raw(process), signal).unwrap();
    }
}

impl Drop for Ldirectord {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("ldirectord has written:\n{}", self.service.log());
        }
    }
}
