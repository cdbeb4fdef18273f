//! `ferrovs run` and `ferrovs down` as processes: what they leave, what they find, what they refuse.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::{
    net::Ipv4Addr,
    os::linux::net::SocketAddrExt,
    os::unix::net::{SocketAddr, UnixListener},
    path::{Path, PathBuf},
    process::Output,
};

use ferrovs_lab::{Daemon, Hook, Namespace, ferrovs, ipvsadm, veth};

const SERVICE: &str = "10.78.1.1:80";
const SERVER: &str = "10.78.2.2:80";

/// A director with a cable on each side, and files that go with it.
struct Stage {
    director: Namespace,
    _peer: Namespace,
    log: PathBuf,
}

impl Stage {
    fn new(test: &str) -> Self {
        assert!(
            ferrovs_lab::is_root(),
            "this test makes network namespaces and loads programs: run it as root"
        );
        let id = std::process::id();
        let director = Namespace::create(&format!("ferrovs-d-{test}-{id}")).unwrap();
        let peer = Namespace::create(&format!("ferrovs-dp-{test}-{id}")).unwrap();
        for (name, other, address) in [
            ("outside", "client", Ipv4Addr::new(10, 78, 1, 1)),
            ("inside", "server", Ipv4Addr::new(10, 78, 2, 1)),
        ] {
            let (here, there) = veth((&director, name), (&peer, other)).unwrap();
            here.add_address(address, 24).unwrap();
            here.up().unwrap();
            there.up().unwrap();
        }
        Self {
            director,
            _peer: peer,
            log: std::env::temp_dir().join(format!("ferrovs-d-{test}-{id}.log")),
        }
    }

    fn start(&self) -> Daemon {
        let arguments = ["--flows", "1024"];
        Daemon::start(&self.director, binary(), Hook::Tc, &arguments, &self.log).unwrap()
    }

    fn ferrovs(&self, arguments: &[&str]) -> Output {
        ferrovs(&self.director, binary(), arguments).unwrap()
    }

    /// Has `ipvsadm` do something; what it prints.
    fn ipvsadm(&self, arguments: &str) -> String {
        let words: Vec<_> = arguments.split(' ').collect();
        let output = ipvsadm(&self.director, binary(), &words).unwrap();
        assert!(
            output.status.success(),
            "{arguments}: {}",
            complaint(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Names and hooks, as `ferrovs status` tells them.
    fn hooks(&self) -> Vec<String> {
        let output = self.ferrovs(&["status"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let hooks = text.lines().filter(|line| line.contains(" on "));
        hooks
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A daemon that a command started ends with the test; without one nothing is lost.
        let _ = self.ferrovs(&["down"]);
        // Without a log there is nothing to remove.
        let _ = std::fs::remove_file(&self.log);
    }
}

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ferrovs"))
}

/// The one line that a failed command prints.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    said.trim_end().to_owned()
}

fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    complaint(output)
}

#[test]
fn a_killed_daemon_leaves_all_that_the_next_one_needs() {
    let stage = Stage::new("killed");
    let daemon = stage.start();
    assert!(stage.hooks().is_empty());
    stage.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
    assert_eq!(stage.hooks(), ["tc on outside"]);
    stage.ipvsadm(&format!("-a -t {SERVICE} -r {SERVER} -m -w 7"));
    assert_eq!(stage.hooks(), ["tc on outside", "tc on inside"]);
    stage.ipvsadm("--set 77 0 0");
    let before = (stage.ipvsadm("-L -n"), stage.ipvsadm("-L --timeout"));
    daemon.kill().unwrap();

    let daemon = stage.start();
    let after = (stage.ipvsadm("-L -n"), stage.ipvsadm("-L --timeout"));
    assert_eq!(after, before);
    assert_eq!(stage.hooks(), ["tc on outside", "tc on inside"]);
    // A removed server may have flows, now or when it is added again: what leads to it stays hooked.
    stage.ipvsadm("-C");
    assert_eq!(stage.hooks(), ["tc on outside", "tc on inside"]);
    daemon.kill().unwrap();
    let _daemon = stage.start();
    assert_eq!(stage.hooks(), ["tc on outside", "tc on inside"]);
}

#[test]
fn a_daemon_that_is_interrupted_says_what_stays() {
    let stage = Stage::new("interrupted");
    let interrupted = |daemon: Daemon| {
        daemon.stop().unwrap();
        std::fs::read_to_string(&stage.log).unwrap()
    };
    // Nothing is hooked yet.
    let log = interrupted(stage.start());
    assert!(log.contains("so nothing stays"), "{log}");
    assert!(!log.contains("stay and go on forwarding"), "{log}");
    let daemon = stage.start();
    stage.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
    let log = interrupted(daemon);
    assert!(log.contains("stay and go on forwarding"), "{log}");
    stage.ferrovs(&["down"]);
}

#[test]
fn timeouts_are_remembered_without_services() {
    let stage = Stage::new("timeouts");
    let daemon = stage.start();
    stage.ipvsadm("--set 77 0 0");
    let before = stage.ipvsadm("-L --timeout");
    stage.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
    assert_eq!(stage.hooks(), ["tc on outside"]);
    stage.ipvsadm("-C");
    assert_eq!(stage.hooks(), ["tc on lo"]);
    daemon.kill().unwrap();
    let _daemon = stage.start();
    assert_eq!(stage.ipvsadm("-L --timeout"), before);
}

#[test]
fn down_takes_everything_away_with_and_without_a_daemon() {
    let stage = Stage::new("down");
    let setting = "net.ipv4.neigh.inside.locktime";
    let default = stage.director.sysctl(setting).unwrap();
    for kill in [false, true] {
        let daemon = stage.start();
        stage.ipvsadm(&format!("-A -t {SERVICE} -s rr"));
        stage.ipvsadm(&format!("-a -t {SERVICE} -r {SERVER} -m"));
        assert_ne!(stage.director.sysctl(setting).unwrap(), default);
        if kill {
            daemon.kill().unwrap();
        }
        let output = stage.ferrovs(&["down"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(stage.director.sysctl(setting).unwrap(), default);
        let again = stage.ferrovs(&["down"]);
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert!(said.starts_with("there is nothing of ferrovs"), "{said}");
        // And nothing is remembered.
        let _daemon = stage.start();
        assert_eq!(stage.ipvsadm("-L -n").lines().count(), 3);
        assert!(stage.ferrovs(&["down"]).status.success());
    }
}

#[test]
fn a_daemon_that_a_command_starts_goes_on_as_the_earlier_one() {
    let stage = Stage::new("manner");
    let run = |options: &[&str]| {
        let arguments = [&["--flows", "1024"], options].concat();
        Daemon::start(&stage.director, binary(), Hook::Tc, &arguments, &stage.log).unwrap()
    };
    let list = || {
        let mut command = stage.director.command(binary());
        let command = command.args(["ipvsadm", "-L", "-n"]);
        let output = command.env("FERROVS_AUTOSTART", "1").output().unwrap();
        assert!(output.status.success(), "{}", complaint(&output));
    };
    let daemon = run(&["--interface", "inside"]);
    daemon.kill().unwrap();
    list();
    assert_eq!(stage.hooks(), ["tc on inside"]);
    let started_by_a_command = || {
        let status = stage.ferrovs(&["status"]);
        let status = String::from_utf8(status.stdout).unwrap();
        status.contains("started by a command")
    };
    assert!(!started_by_a_command());
    assert!(stage.ferrovs(&["down"]).status.success());
    // Nothing is left to go on with.
    list();
    assert!(stage.hooks().is_empty() && started_by_a_command());
}

#[test]
fn what_makes_no_sense_is_refused_in_one_sentence() {
    let stage = Stage::new("refused");
    let said = failure(&stage.ferrovs(&["run", "--interface", "nowhere"]));
    assert!(said.contains("no interface \"nowhere\""), "{said}");
    let said = failure(&stage.ferrovs(&["status"]));
    assert!(said.contains("ferrovs run"), "{said}");

    let daemon = stage.start();
    let said = failure(&stage.ferrovs(&["run"]));
    let id = daemon.id().unwrap().to_string();
    assert!(said.contains(&id) && said.contains("already"), "{said}");
    assert!(stage.ferrovs(&["down"]).status.success());
}

#[test]
fn a_stranger_on_the_sockets_name_is_named() {
    let stage = Stage::new("stranger");
    let taken = || {
        let name = SocketAddr::from_abstract_name(b"ferrovs").unwrap();
        UnixListener::bind_addr(&name).unwrap()
    };
    let _listener = stage.director.run(taken).unwrap();
    let said = failure(&stage.ferrovs(&["run"]));
    let id = std::process::id().to_string();
    assert!(said.contains(&id) && said.contains("user root"), "{said}");
}
