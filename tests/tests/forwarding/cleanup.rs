//! Nothing is left behind: by the lab when it ends well or is interrupted, by a test that fails.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{Hook, Namespace, namespace};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use ferrovs_tests::ferrovs;

use crate::{
    objects::Objects,
    stage::{Stage, turn},
};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_lab_leaves_nothing_when_it_ends() {
    let _turn = turn();
    for hook in ["tc", "xdp"] {
        let mut lab = Lab::start(hook);
        let objects = lab.await_programs();
        assert_eq!(lab.end(), Some(0), "{hook}");
        lab.assert_gone();
        objects.assert_gone();
    }
}

#[test]
fn the_lab_leaves_nothing_when_it_is_interrupted() {
    let _turn = turn();
    for hook in ["tc", "xdp"] {
        // While it cables its machines.
        let mut lab = Lab::start(hook);
        lab.await_true(|lab| !lab.namespaces().is_empty());
        lab.interrupt();
        assert_eq!(lab.end(), Some(130), "{hook}");
        lab.assert_gone();
        // While it loads pages.
        let mut lab = Lab::start(hook);
        let objects = lab.await_programs();
        lab.interrupt();
        assert_eq!(lab.end(), Some(130), "{hook}");
        lab.assert_gone();
        objects.assert_gone();
    }
}

#[test]
fn a_failing_test_leaves_nothing() {
    let mut objects = Objects::default();
    let mut names = Vec::new();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        let stage = Stage::serving(Hook::Xdp);
        let topology = &stage.topology;
        objects = Objects::of(&topology.director);
        names = [&topology.client, &topology.director, &topology.switch]
            .map(Namespace::path)
            .to_vec();
        assert!(names.iter().all(|path| path.exists()));
        stage.page();
        panic!("on purpose");
    }));
    assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert!(!names.is_empty() && !names.iter().any(|path| path.exists()));
    objects.assert_gone();
}

#[test]
fn down_leaves_no_program_and_no_map() {
    for hook in [Hook::Tc, Hook::Xdp] {
        let mut stage = Stage::serving(hook);
        stage.page();
        let objects = Objects::of(&stage.topology.director);
        let programs = if hook == Hook::Xdp { 2 } else { 1 };
        assert_eq!(objects.programs.len(), programs, "{objects:?}");
        assert!(stage.ferrovs("down").status.success());
        objects.assert_gone();
        // Also without a daemon.
        stage.start_daemon();
        stage.add_service("-t", 80);
        stage.page();
        let objects = Objects::of(&stage.topology.director);
        stage.kill_daemon();
        assert!(stage.has_page(), "the programs have gone with the daemon");
        assert!(stage.ferrovs("down").status.success());
        objects.assert_gone();
        assert!(!stage.has_page());
    }
}

/// A `ferrovs lab` in a process of its own. Dropping it ends it.
struct Lab {
    child: Child,
    /// In the environment of all its processes, and of no others.
    mark: String,
}

impl Lab {
    fn start(hook: &str) -> Self {
        let mark = format!("FERROVS_TEST={}-{hook}", std::process::id());
        let (name, value) = mark.split_once('=').unwrap();
        let child = Command::new(ferrovs())
            .args(["lab", "--pages", "1000", "--hook", hook])
            .env(name, value)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, mark }
    }

    fn interrupt(&self) {
        let process = Pid::from_raw(self.child.id().cast_signed());
        kill(process, Signal::SIGINT).unwrap();
    }

    /// The exit status.
    fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    fn await_true(&mut self, done: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !done(self) {
            assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}");
            assert_eq!(self.child.try_wait().unwrap(), None, "the lab has ended");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The programs and maps in its director, as soon as it has both interfaces hooked.
    fn await_programs(&mut self) -> Objects {
        let name = format!("{}director", self.prefix());
        let of = || {
            Namespace::open(&name)
                .map_or_else(|_| Objects::default(), |director| Objects::of(&director))
        };
        self.await_true(|_| !of().is_empty());
        of()
    }

    fn prefix(&self) -> String {
        format!("ferrovs-lab-{}-0-", self.child.id())
    }

    fn namespaces(&self) -> Vec<String> {
        let mut names = namespace::names().unwrap();
        names.retain(|name| name.starts_with(&self.prefix()));
        names
    }

    /// Processes that it started, and those that these started.
    fn processes(&self) -> Vec<String> {
        let is_marked = |process: &Path| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            let mut words = environment.split(|&byte| byte == 0);
            words.any(|word| word == self.mark.as_bytes())
        };
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .map(|entry| entry.path())
            .filter(|process| is_marked(process))
            .map(|process| process.display().to_string())
            .collect()
    }

    fn assert_gone(&self) {
        assert_eq!(self.namespaces(), Vec::<String>::new());
        assert_eq!(self.processes(), Vec::<String>::new());
        let directory = format!("/run/ferrovs-lab-{}-0", self.child.id());
        assert!(!Path::new(&directory).exists(), "{directory} is left");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.interrupt();
            // Whatever it says, it has ended.
            let _ = self.child.wait();
        }
    }
}
