//! Listing many flows: that all are named once, that neither end keeps them, and what it takes.

use std::{
    collections::HashSet,
    fs,
    io::Read,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use ferrovs_tests::ferrovs;

use crate::stage::Stage;

/// What the client may take more for all flows than for a few: a seventh of what it would take to keep
/// the 50,000 more lines of the short form.
const SLACK: u64 = 1 << 20;
/// How long a daemon may take to notice that a reader has gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// The listing names each client once. The probes of [`Stage::await_fast_way`] come on top.
pub(crate) fn check(stage: &Stage, flows: u64) {
    let listing = stage.ipvsadm("-L -n -c");
    let mut clients = HashSet::new();
    for line in listing.lines().skip(2) {
        let mut cells = line.split_whitespace();
        assert_eq!(cells.next(), Some("UDP"), "{line}");
        let source = cells.nth(2).unwrap();
        assert_eq!(cells.next(), Some("169.254.179.1:9000"), "{line}");
        if source.starts_with("100.") {
            assert!(clients.insert(source), "{source} is listed twice");
        }
    }
    assert_eq!(clients.len() as u64, flows);
}

/// The most memory that a process which lists all flows has used, bytes.
pub(crate) fn client_peak(stage: &Stage) -> u64 {
    let mut child = spawn(stage, "ipvsadm -L -n -c", Stdio::piped());
    let mut out = child.stdout.take().unwrap();
    let mut piece = vec![0; 1 << 16];
    // The kernel forgets it with the process; what is measured last is a pipe's length from the end.
    let mut peak = 0;
    while out.read(&mut piece).unwrap() > 0 {
        peak = memory(child.id(), "VmHWM:").unwrap_or(peak);
    }
    assert!(child.wait().unwrap().success());
    assert!(peak > 0);
    peak
}

/// `few` is what [`client_peak`] was with a few flows.
pub(crate) fn check_memory(stage: &Stage, few: u64) {
    let many = client_peak(stage);
    println!("the client takes {few} bytes for a few flows, {many} for all");
    assert!(many < few + SLACK, "{many} bytes, {few} for a few flows");
}

/// A reader that stops reading takes nothing more and holds up nobody; with one that goes, both ends
/// end. Comes before any other listing, of whose memory the daemon's allocator may keep some.
pub(crate) fn check_lazy_readers(stage: &Stage) {
    let daemon = stage.daemon();
    let before = memory(daemon, "RssAnon:").unwrap();
    let mut child = spawn(stage, "ipvsadm -L -n -c", Stdio::piped());
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 200]).unwrap();
    thread::sleep(Duration::from_millis(300));
    let open = files(daemon);
    assert!(child.try_wait().unwrap().is_none(), "it is over already");
    assert!(stage.ipvsadm("-L -n").contains("169.254.179.1:9000"));
    let taken = memory(daemon, "RssAnon:").unwrap();
    assert!(
        taken < before + 2 * SLACK,
        "{taken} bytes in the daemon, {before} before"
    );

    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141), "{output:?}");
    assert_eq!(output.stderr, b"");
    let begin = Instant::now();
    while files(daemon) >= open {
        assert!(begin.elapsed() < PATIENCE, "the daemon goes on listing");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Says what listing them takes.
pub(crate) fn measure(stage: &Stage) {
    for arguments in ["ipvsadm -L -n -c", "ipvsadm -L -c", "proc ip_vs_conn"] {
        for _ in 0..3 {
            let before = cpu(stage.daemon());
            let begin = Instant::now();
            let child = spawn(stage, arguments, Stdio::null());
            let (user, system) = wait(child);
            let elapsed = begin.elapsed();
            let after = cpu(stage.daemon());
            println!(
                "{arguments}: {elapsed:.2?}, client {user:.2?} user {system:.2?} system, daemon \
                 {:.2?} user {:.2?} system",
                after.0 - before.0,
                after.1 - before.1
            );
        }
    }
}

fn spawn(stage: &Stage, arguments: &str, out: Stdio) -> Child {
    let director = &stage.network.director;
    director
        .command(ferrovs())
        .args(arguments.split(' '))
        .env("FERROVS_AUTOSTART", "0")
        .stdout(out)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Awaits the end of a process, which must be a good one; its user and system time.
fn wait(child: Child) -> (Duration, Duration) {
    let mut status = 0;
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let id = child.id().cast_signed();
    // SAFETY: both answers have their room; nobody else waits for this child, which is dropped.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (id, 0));
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    (time(usage.ru_utime), time(usage.ru_stime))
}

/// User and system time of a running process, to a hundredth of a second.
fn cpu(process: u32) -> (Duration, Duration) {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in parentheses, may hold blanks.
    let (_, cells) = stat.rsplit_once(')').unwrap();
    let mut cells = cells.split_whitespace().skip(11);
    let mut next = || Duration::from_millis(10 * cells.next().unwrap().parse::<u64>().unwrap());
    (next(), next())
}

/// A line of a process's account of its memory, bytes; none once the process has ended.
fn memory(process: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

/// How many files and sockets a process has open.
fn files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}
