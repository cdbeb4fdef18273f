//! Command lines that make no sense.

use ferrovs_lab::{Daemon, Hook};

use super::{Standing, assert_refused, assert_sentence};
use ferrovs_tests::ferrovs;

use crate::{objects::Objects, stage::Stage};

#[test]
fn mistakes_in_command_lines_change_nothing() {
    let stage = Stage::serving(Hook::Tc);
    let before = Standing::of(&stage);
    // clap's own complaints have a line for what is wrong and some for what to do.
    for (line, name) in [
        ("frobnicate", "'frobnicate'"),
        ("run --frobnicate", "'--frobnicate'"),
        ("run --hook warp", "'warp'"),
        ("run --flows many", "'many'"),
        ("run --flows 0", "'0'"),
        ("down --frobnicate", "'--frobnicate'"),
        ("lab --count 1", "'1'"),
        ("lab --hook warp", "warp"),
    ] {
        assert_refused(&stage.ferrovs(line), 2, &[name]);
    }
    // Those of ipvsadm are ipvsadm's own.
    let address = "illegal virtual server address[:port] specified";
    let server = "illegal real server address[:port] specified";
    for (line, status, name) in [
        ("-A --frobnicate", 255, "--frobnicate: unknown option"),
        ("-A -t 300.1.1.1:80 -s rr", 2, address),
        ("-A -t 10.0.0.1:99999 -s rr", 2, address),
        ("-A -t nowhere.invalid:80 -s rr", 2, address),
        ("-a -t 169.254.179.1:80 -r 300.1.1.1 -m", 2, server),
        ("-a -t 169.254.179.1:80 -r 10.0.0.1:x -m", 2, server),
        (
            "-A -t 169.254.179.1:80 -s rr",
            255,
            "Service already exists",
        ),
        (
            "-A -t 169.254.179.1:81 -s nosuch",
            255,
            "Scheduler or persistence engine not found",
        ),
        ("-D -t 169.254.179.1:81", 255, "No such service"),
        (
            "-d -t 169.254.179.1:80 -r 192.168.2.145",
            255,
            "No such destination",
        ),
        (
            "-a -t 169.254.179.1:80 -r 192.168.2.141 -m",
            255,
            "Destination already exists",
        ),
        (
            "-a -t 169.254.179.1:80 -r 192.168.2.145 -m -w -1",
            2,
            "illegal weight specified",
        ),
    ] {
        let line = format!("ipvsadm {line}");
        assert_refused(&stage.ferrovs(&line), status, &[name]);
    }
    assert_eq!(Standing::of(&stage), before);
    stage.page();
}

#[test]
fn an_interface_that_does_not_exist_is_named() {
    let mut stage = Stage::new(Hook::Tc);
    let line = "run --interface outer --interface nosuch0";
    assert_sentence(&stage.ferrovs(line), 1, &["nosuch0"]);
    // Not even the one that exists is hooked.
    assert!(Objects::of(&stage.topology.director).is_empty());
    stage.start_daemon();
    stage.add_service("-t", 80);
    let before = stage.ipvsadm("-L -n");
    // Neither does a later daemon, which finds programs, take anything away or on.
    stage.kill_daemon();
    let objects = Objects::of(&stage.topology.director);
    assert_sentence(&stage.ferrovs(line), 1, &["nosuch0"]);
    assert_eq!(Objects::of(&stage.topology.director), objects);
    stage.start_daemon();
    assert_eq!(stage.ipvsadm("-L -n"), before);
    stage.page();
}

#[test]
fn an_interface_that_is_named_is_hooked_at_once() {
    let stage = Stage::new(Hook::Tc);
    let director = &stage.topology.director;
    let named = ["--interface", "outer"];
    let _daemon = Daemon::start(director, ferrovs(), Hook::Tc, &named, &stage.log()).unwrap();
    assert!(!Objects::of(director).is_empty());
}
