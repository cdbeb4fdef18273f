//! A scenario whose player is killed leaves nothing behind.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrovs_tests::need_root;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The processes that have this in their command line.
fn processes(word: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(word))
        .count()
}

fn await_processes(word: &str, reached: impl Fn(usize) -> bool) {
    let begin = Instant::now();
    while !reached(processes(word)) {
        assert!(begin.elapsed() < PATIENCE, "{} processes", processes(word));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_killed_player_leaves_no_process_and_with_them_no_namespace() {
    need_root();
    let word = format!("scenario-of-{}", std::process::id());
    let script = std::env::temp_dir().join(format!("{word}.sh"));
    // Processes that nobody waits for, in a network namespace with a name.
    let lines = format!(
        "ip netns add one\nip netns exec one sh -c 'sleep 1000; : {word}-inside' &\nwait\n"
    );
    fs::write(&script, lines).unwrap();
    let mut player = Command::new(env!("CARGO_BIN_EXE_ipvs-diff"))
        .args(["--only", "tc"])
        .arg(&script)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The text of the script is in the command lines of those who start it, too.
    await_processes(&word, |count| count >= 4);
    player.kill().unwrap();
    player.wait().unwrap();
    fs::remove_file(&script).unwrap();
    await_processes(&word, |count| count == 0);
    assert!(!fs::exists("/run/netns/one").unwrap());
}
