//! `ferrovs save`, `ferrovs restore` and `ferrovs proc`, through the program.

use crate::{place::Place, run};

/// With everything that `ipvsadm -S` loses.
const COMMANDS: [&str; 7] = [
    "-A -t 10.0.0.1:80 -s rr",
    "-a -t 10.0.0.1:80 -r 192.168.2.9:80 -m -x 100 -y 50",
    "-a -t 10.0.0.1:80 -r 192.168.2.1:80 -i --tun-type gue --tun-port 6080",
    "-A -f 4294967295 -s sh -b flag-3",
    "-A -t [2001:db8::1]:443 -s wlc -p 60 -M 64",
    "-a -t [2001:db8::1]:443 -r [2001:db8::9]:8443 -m -w 0",
    "--set 10 20 30",
];

#[test]
fn what_is_saved_comes_back_with_nothing_lost() {
    let place = Place::new("back");
    for command in COMMANDS {
        run(&place.namespace, command);
    }
    let saved = place.succeed(&["save"], "");
    let listed = |listing: &str| run(&place.namespace, listing);
    let listings = [
        "-L -n --nosort",
        "-L -n --thresholds",
        "-L -n --tun-info",
        "-L --timeout",
    ];
    let before = listings.map(listed);
    run(&place.namespace, "-C");
    run(&place.namespace, "--set 1 1 1");
    let file = place.directory.join("state.toml");
    let file = file.to_str().unwrap();
    std::fs::write(file, &saved).unwrap();
    place.succeed(&["restore", file], "");
    assert_eq!(listings.map(listed), before);
    assert_eq!(
        place.succeed(&["restore", "--dry-run"], &saved),
        "nothing would change\n"
    );

    // A file is replaced whole.
    place.succeed(&["save", file], "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), saved);
}

#[test]
fn a_file_with_a_mistake_changes_nothing() {
    let place = Place::new("mistake");
    run(&place.namespace, COMMANDS[0]);
    run(&place.namespace, COMMANDS[1]);
    let saved = place.succeed(&["save"], "");
    let other = saved.replace("10.0.0.1:80", "10.0.0.2:80");
    assert_eq!(
        place.succeed(&["restore", "--dry-run", "-"], &other),
        "- TCP 10.0.0.1:80\n\
         + TCP 10.0.0.2:80 rr\n\
         + TCP 10.0.0.2:80 -> 192.168.2.9:80 masq weight 1 thresholds 100 50\n"
    );
    // The last line of the file is wrong.
    let wrong = other.replace("lower_threshold = 50", "lower_threshold = 500");
    for arguments in [&["restore"][..], &["restore", "--dry-run"]] {
        let complaint = place.fail(arguments, &wrong);
        assert_eq!(
            complaint,
            "ferrovs: standard input, line 15, column 1: server 192.168.2.9:80 of TCP 10.0.0.2:80: weight and \
             thresholds are at most 2147483647, and the lower threshold at most the upper one; nothing was \
             changed\n"
        );
    }
    assert_eq!(place.succeed(&["save"], ""), saved);
    let complaint = place.fail(&["restore", "/nonexistent"], "");
    assert_eq!(
        complaint,
        "ferrovs: cannot read /nonexistent: No such file or directory (os error 2)\n"
    );
}

#[test]
fn the_files_of_proc_can_be_read() {
    let place = Place::new("proc");
    run(&place.namespace, COMMANDS[0]);
    run(&place.namespace, COMMANDS[1]);
    let services = place.succeed(&["proc", "ip_vs"], "");
    assert!(
        services.ends_with(
            "TCP  0A000001:0050 rr  \n  \
             -> C0A80209:0050      Masq    1      0          0         \n"
        ),
        "{services}"
    );
    let flows = place.succeed(&["proc", "ip_vs_conn"], "");
    assert_eq!(
        flows,
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
    );
    let statistics = place.succeed(&["proc", "ip_vs_stats"], "");
    assert_eq!(statistics.lines().count(), 6, "{statistics}");
}
