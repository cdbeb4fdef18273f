//! The recordings of the real `ipvsadm` against the real program: the commands are run by a shell, under
//! the name `ipvsadm`, in a network namespace with a daemon of its own.
//!
//! What `tests/ipvsadm` replays in memory goes here through processes, the control socket, the daemon
//! and the tables in the kernel: bytes, exit status, and the state afterwards must be the same.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod machine;
#[path = "../ipvsadm/transcript.rs"]
mod transcript;

use machine::Machine;
use transcript::Transcript;

#[test]
fn the_program_does_what_the_real_one_did() {
    let machine = Machine::new();
    let mut wrong = Vec::new();
    let mut all = 0;
    for file in ["transcripts.jsonl", "named.jsonl", "shell.jsonl"] {
        let path = format!("{}/fixtures/ipvsadm/{file}", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(path).unwrap().lines() {
            all += 1;
            wrong.extend(replay(&machine, &serde_json::from_str(line).unwrap()));
        }
    }
    assert!(all >= 1_650, "only {all} transcripts");
    println!("{all} transcripts replayed");
    assert!(
        wrong.is_empty(),
        "of {all} transcripts these differ:\n{}",
        wrong.join("\n")
    );
}

/// What is different from the recording, or none.
fn replay(machine: &Machine, recorded: &Transcript) -> Option<String> {
    machine.reset();
    if !recorded.setup.is_empty() {
        let setup = machine.run(&recorded.setup);
        if setup.status != 0 {
            return Some(format!(
                "{}: its setup failed: {}",
                recorded.name, setup.stderr
            ));
        }
    }
    let done = machine.run(&recorded.cmd);
    let mut pairs = vec![
        (
            "exit status",
            recorded.rc.to_string(),
            done.status.to_string(),
        ),
        ("stdout", recorded.stdout.clone(), done.stdout),
        ("stderr", recorded.stderr.clone(), done.stderr),
    ];
    if let Some(saved) = &recorded.after_sn {
        let done = machine.run("ipvsadm -Sn");
        pairs.push(("services afterwards", saved.clone(), done.stdout));
    }
    if let Some(timeouts) = &recorded.after_misc {
        let done = machine.run("ipvsadm -L --timeout; ipvsadm -L --daemon");
        pairs.push(("timeouts afterwards", timeouts.clone(), done.stdout));
    }
    let (what, expected, found) = pairs.into_iter().find(|(_, a, b)| a != b)?;
    Some(format!(
        "{} ({}): {what}\n  recorded {expected:?}\n  but now  {found:?}",
        recorded.name, recorded.cmd
    ))
}
