//! A daemon that nobody started by hand.

use std::{
    env, fs,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    process::{self, Output},
    thread,
    time::{Duration, Instant},
};

use ferrovs_api::{Status, client::Client};
use ferrovs_lab::Namespace;
use ferrovs_tests::{ferrovs, need_root};
use nix::mount::{MntFlags, umount2};

/// How long a daemon may take to end that is needed no more.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is listed where there are no services.
const EMPTY: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
";

/// A network namespace in which nothing runs.
struct Place {
    // In this order they are dropped.
    namespace: Namespace,
    _log: Log,
}

/// The log of a daemon that a command started.
struct Log(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        need_root();
        let name = format!("ferrovs-autostart-{test}-{}", process::id());
        let namespace = Namespace::create(&name).unwrap();
        let number = fs::metadata(namespace.path()).unwrap().ino();
        Self {
            namespace,
            _log: Log(format!("/run/ferrovs/net-{number}.log").into()),
        }
    }

    /// Runs `ipvsadm -L -n`, which may start a daemon that outlives it.
    fn list(&self) -> Output {
        let mut command = self.namespace.lasting_command(ferrovs());
        command
            .args(["ipvsadm", "-L", "-n"])
            .env_remove("FERROVS_AUTOSTART");
        command.output().unwrap()
    }

    fn status(&self) -> Status {
        let asked = self.namespace.run(|| Client::connect()?.status());
        asked.unwrap().unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Where there is a journal there is no file.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_first_questions_start_one_daemon() {
    let place = Place::new("first");
    thread::scope(|scope| {
        let questions: Vec<_> = (0..8).map(|_| scope.spawn(|| place.list())).collect();
        for question in questions {
            let answer = question.join().unwrap();
            assert!(answer.status.success(), "{answer:?}");
            assert_eq!(str::from_utf8(&answer.stdout).unwrap(), EMPTY);
            assert!(answer.stderr.is_empty(), "{answer:?}");
        }
    });
    let status = place.status();
    assert!(status.autostarted);
    // Who was started in vain sees that, and ends, but not necessarily before the questions are answered.
    let begin = Instant::now();
    while place.namespace.processes().unwrap() != [status.pid] {
        assert!(begin.elapsed() < PATIENCE, "more than one daemon stays");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_copy_named_ipvsadm_starts_a_daemon() {
    let place = Place::new("copy");
    let directory = env::temp_dir().join(format!("ferrovs-copy-{}", process::id()));
    fs::create_dir(&directory).unwrap();
    let copy = directory.join("ipvsadm");
    fs::copy(ferrovs(), &copy).unwrap();
    let mut command = place.namespace.lasting_command(&copy);
    let answer = command.arg("-Ln").env_remove("FERROVS_AUTOSTART").output();
    fs::remove_dir_all(&directory).unwrap();
    let answer = answer.unwrap();
    assert_eq!(str::from_utf8(&answer.stdout).unwrap(), EMPTY, "{answer:?}");
    assert!(place.status().autostarted);
}

#[test]
fn no_daemon_is_started_where_that_is_not_wanted() {
    let place = Place::new("none");
    let answer = ferrovs_lab::ipvsadm(&place.namespace, ferrovs(), &["-L", "-n"]).unwrap();
    assert_eq!(answer.status.code(), Some(2), "{answer:?}");
    assert!(answer.stdout.is_empty(), "{answer:?}");
    let complaint = str::from_utf8(&answer.stderr).unwrap();
    assert!(complaint.contains("unset FERROVS_AUTOSTART"), "{complaint}");
    assert!(place.namespace.processes().unwrap().is_empty());
}

#[test]
fn a_daemon_that_a_command_started_ends_when_its_table_stays_empty() {
    let place = Place::new("empty");
    assert!(place.list().status.success());
    let begin = Instant::now();
    await_end(place.status().pid);
    let lived = begin.elapsed();
    assert!(lived > Duration::from_secs(50), "it ended after {lived:?}");
    // The next question starts another one.
    assert!(place.list().status.success());
}

#[test]
fn a_daemon_that_a_command_started_does_not_keep_a_removed_namespace() {
    let place = Place::new("removed");
    assert!(place.list().status.success());
    let process = place.status().pid;
    // As `ip netns delete` does it.
    let path = place.namespace.path();
    umount2(&path, MntFlags::MNT_DETACH).unwrap();
    fs::remove_file(&path).unwrap();
    await_end(process);
}

fn await_end(process: u32) {
    let begin = Instant::now();
    // The namespace's first process may be slow to bury its dead.
    while fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z"))
    {
        assert!(begin.elapsed() < PATIENCE, "the daemon does not end");
        thread::sleep(Duration::from_millis(100));
    }
}
