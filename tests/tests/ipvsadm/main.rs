//! The `ipvsadm` personality against what the real one did: ipvsadm 1.31 on the IPVS of Linux 6.12.
//!
//! `fixtures/ipvsadm` holds one recorded command a line: what was set up, what was run, what came
//! out, and the table afterwards. Here the commands run in this process against the wanted state in
//! memory, without a kernel and without root.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod proc_files;
mod script;
mod transcript;

use ferrovs::ipvsadm::{Program, Session};
use ferrovs_tests::memory::{Closed, Director, Recorder};
use script::run;
use transcript::Transcript;

/// Replays the recordings in `file`, of which there must be at least `least`.
fn replay_all(file: &str, least: usize) {
    let path = format!("{}/fixtures/ipvsadm/{file}", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).unwrap();
    let transcripts: Vec<Transcript> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all = transcripts.len();
    assert!(all >= least, "only {all} transcripts");
    let wrong: Vec<String> = transcripts.iter().filter_map(replay).collect();
    assert!(
        wrong.is_empty(),
        "of {all} transcripts these differ:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_recorded_command_does_what_the_real_one_did() {
    replay_all("transcripts.jsonl", 780);
}

#[test]
fn names_are_printed_and_refused_as_by_the_real_one() {
    replay_all("named.jsonl", 90);
}

#[test]
fn who_may_not_ask_is_told_so_in_the_words_of_the_real_one() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = Program::Ipvsadm.main(
        &["-Ln".to_owned()],
        Session {
            program: "ipvsadm",
            backend: &mut Closed,
            names: &Recorder,
            input: &mut &b""[..],
            out: &mut out,
            err: &mut err,
        },
    );
    let recorded = "Can't initialize ipvs: Permission denied (you must be root)\n\
                    Are you sure that IP Virtual Server is built in the kernel or as module?\n";
    assert_eq!((status, out.as_slice()), (2, &b""[..]));
    assert_eq!(String::from_utf8(err).unwrap(), recorded);
}

#[test]
fn synchronisation_is_refused_and_changes_nothing() {
    for (cmd, message) in [
        (
            "--start-daemon master",
            "ferrovs does not have connection synchronisation yet; nothing was changed\n",
        ),
        ("--stop-daemon master", "No daemon is running\n"),
    ] {
        let mut director = Director::default();
        let done = run(&format!("ipvsadm {cmd}"), &mut director);
        assert_eq!(
            (done.status, done.stdout.as_str(), done.stderr.as_str()),
            (255, "", message),
            "{cmd}"
        );
    }
}

#[test]
fn methods_of_our_own_are_listed_saved_and_restored() {
    let mut director = Director::default();
    let made = run(
        "ipvsadm -A -t 10.0.0.1:80 -s rr; ipvsadm -a -t 10.0.0.1:80 -r 10.0.1.1 --fullnat; \
         ipvsadm -a -t 10.0.0.1:80 -r 10.0.1.2 --auto -w 2",
        &mut director,
    );
    assert_eq!((made.status, made.stderr.as_str()), (0, ""));
    let listed = run("ipvsadm -Ln", &mut director).stdout;
    let servers: Vec<&str> = listed.lines().skip(4).collect();
    assert_eq!(
        servers,
        [
            "  -> 10.0.1.1:80                  FullNat 1      0          0         ",
            "  -> 10.0.1.2:80                  Auto    2      0          0         ",
        ]
    );
    let saved = run("ipvsadm -Sn", &mut director).stdout;
    assert_eq!(
        saved,
        "-A -t 10.0.0.1:80 -s rr\n\
         -a -t 10.0.0.1:80 -r 10.0.1.1:80 --fullnat -w 1\n\
         -a -t 10.0.0.1:80 -r 10.0.1.2:80 --auto -w 2\n"
    );
    let commands: Vec<String> = saved
        .lines()
        .map(|line| format!("ipvsadm {line}"))
        .collect();
    let mut other = Director::default();
    run(&commands.join("; "), &mut other);
    assert_eq!(run("ipvsadm -Sn", &mut other).stdout, saved);
    let both = run(
        "ipvsadm -a -t 10.0.0.1:80 -r 10.0.1.3 -m --fullnat",
        &mut director,
    );
    assert_eq!(both.status, 2);
}

/// What is different from the recording, or none.
fn replay(recorded: &Transcript) -> Option<String> {
    let mut director = Director::default();
    let setup = run(&recorded.setup, &mut director);
    if setup.status != 0 {
        return Some(format!(
            "{}: its setup failed: {}",
            recorded.name, setup.stderr
        ));
    }
    let done = run(&recorded.cmd, &mut director);
    let mut ask = |question| run(question, &mut director).stdout;
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
        pairs.push(("services afterwards", saved.clone(), ask("ipvsadm -Sn")));
    }
    if let Some(timeouts) = &recorded.after_misc {
        pairs.push((
            "timeouts afterwards",
            timeouts.clone(),
            ask("ipvsadm -L --timeout; ipvsadm -L --daemon"),
        ));
    }
    let (what, expected, found) = pairs.into_iter().find(|(_, a, b)| a != b)?;
    Some(format!(
        "{} ({}): {what}\n  recorded {expected:?}\n  but now  {found:?}",
        recorded.name, recorded.cmd
    ))
}
