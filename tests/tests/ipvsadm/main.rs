//! The `ipvsadm` personality against what the real one did: ipvsadm 1.31 on the IPVS of Linux 6.12.
//!
//! `fixtures/ipvsadm` holds one recorded command a line: what was set up, what was run, what came
//! out, and the table afterwards. Here the commands run in this process against the wanted state in
//! memory, without a kernel and without root.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod memory;
mod script;
mod transcript;

use ferrovs::ipvsadm::{self, Session};
use memory::{Closed, Director, Recorder};
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
    replay_all("transcripts.jsonl", 400);
}

#[test]
fn names_are_printed_and_refused_as_by_the_real_one() {
    replay_all("named.jsonl", 15);
}

#[test]
fn who_may_not_ask_is_told_so_in_the_words_of_the_real_one() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = ipvsadm::main(
        &["-Ln".to_owned()],
        Session {
            program: "ipvsadm",
            backend: &mut Closed,
            names: &Recorder,
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
fn what_is_not_built_is_refused_and_changes_nothing() {
    let setup = "ipvsadm -A -t 10.0.0.1:80 -s rr; ipvsadm -a -t 10.0.0.1:80 -r 192.168.2.141 -m";
    let later = |what| format!("ferrovs does not have {what} yet; nothing was changed\n");
    for (cmd, message) in [
        ("-A -f 7 -s rr", later("services by firewall mark (-f)")),
        ("-A -t 10.0.0.2:80 -s rr -p", later("persistence (-p)")),
        (
            "-E -t 10.0.0.1:80 -s rr -b flag-1",
            later("scheduler flags (-b)"),
        ),
        (
            "-a -t 10.0.0.1:80 -r 1.2.3.4 -m -x 5",
            later("an upper threshold of connections (-x)"),
        ),
        ("-Ln --rate", later("a listing of rates (--rate)")),
        ("-Sn", later("saving (-S)")),
        ("-R", later("restoring (-R)")),
        ("--start-daemon master", later("connection synchronisation")),
        ("--stop-daemon master", "No daemon is running\n".to_owned()),
        (
            "-A --sctp-service 10.0.0.2:80 -s rr",
            "Protocol not available\n".to_owned(),
        ),
        (
            "-A -t 10.0.0.2:80",
            "Scheduler or persistence engine not found\n".to_owned(),
        ),
        (
            "-A -t [2001:db8::1]:80 -s rr",
            "IPv6 is not supported yet: only IPv4 addresses can be balanced\n".to_owned(),
        ),
        (
            "-a -t 10.0.0.1:80 -r 1.2.3.4",
            "this forwarding method is not supported yet: only masquerading (-m) is\n".to_owned(),
        ),
    ] {
        let mut director = Director::default();
        assert_eq!(run(setup, &mut director).status, 0);
        let before = director.saved();
        let done = run(&format!("ipvsadm {cmd}"), &mut director);
        assert_eq!(
            (done.status, done.stdout, done.stderr),
            (255, String::new(), message),
            "{cmd}"
        );
        assert_eq!(director.saved(), before, "{cmd}");
    }
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
        pairs.push(("services afterwards", saved.clone(), director.saved()));
    }
    if let Some(timeouts) = &recorded.after_misc {
        pairs.push(("timeouts afterwards", timeouts.clone(), director.timeouts()));
    }
    let (what, expected, found) = pairs.into_iter().find(|(_, a, b)| a != b)?;
    Some(format!(
        "{} ({}): {what}\n  recorded {expected:?}\n  but now  {found:?}",
        recorded.name, recorded.cmd
    ))
}
