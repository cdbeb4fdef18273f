//! `ferrovs sysctl`, through the program.

use ferrovs_api::SysctlView;

use crate::{place::Place, run};

fn sysctl(place: &Place, words: &str) -> String {
    let arguments: Vec<&str> = ["sysctl"]
        .into_iter()
        .chain(words.split_whitespace())
        .collect();
    place.succeed(&arguments, "")
}

/// What `ferrovs sysctl --json` has.
fn views(place: &Place) -> Vec<SysctlView> {
    serde_json::from_str(&sysctl(place, "--json")).unwrap()
}

fn values(place: &Place) -> Vec<u32> {
    views(place).iter().map(|view| view.value).collect()
}

#[test]
fn sysctls_are_listed_printed_and_set() {
    let place = Place::new("sysctl");
    let all = sysctl(&place, "");
    for (line, view) in all.lines().zip(views(&place)) {
        let SysctlView { name, default, .. } = view;
        assert!(line.starts_with(&format!("{name} = {default}")), "{line}");
        assert!(!line.contains("(default"), "{line}");
    }
    assert_eq!(sysctl(&place, "conn_reuse_mode"), "1\n");
    assert_eq!(sysctl(&place, "compat"), "ferrovs\n");

    assert_eq!(sysctl(&place, "sloppy_tcp=1 conn_reuse_mode=2"), "");
    assert_eq!(sysctl(&place, "net.ipv4.vs.conn_reuse_mode"), "2\n");
    let listed = sysctl(&place, "");
    let marked: Vec<&str> = listed.lines().filter(|l| l.contains("(default")).collect();
    assert_eq!(marked.len(), 2, "{listed}");
    assert!(marked[0].starts_with("conn_reuse_mode = 2 (default 1"));
    assert!(marked[1].starts_with("sloppy_tcp = 1 (default 0"));
}

#[test]
fn one_mistake_and_nothing_is_set() {
    let place = Place::new("mistaken");
    let before = values(&place);
    for (words, complaint) in [
        (
            ["sloppy_tcp=1", "conntrack=1"],
            "nothing was changed: the sysctl conntrack has no meaning for ferrovs: packets are taken at the \
             interface and pass neither netfilter nor its connection tracking",
        ),
        (
            ["sloppy_tcp=1", "slopy_sctp=1"],
            "nothing was changed: there is no sysctl \"slopy_sctp\": the nearest name is sloppy_sctp",
        ),
        (
            ["sloppy_tcp=1", "conn_reuse_mode=4"],
            "nothing was changed: conn_reuse_mode is a number from 0 to 3, not \"4\"",
        ),
    ] {
        let said = place.fail(&["sysctl", words[0], words[1]], "");
        assert_eq!(said, format!("ferrovs: {complaint}\n"));
    }
    assert_eq!(values(&place), before);
}

#[test]
fn compat_sets_them_all_and_they_outlive_the_daemon() {
    let mut place = Place::new("compat");
    let ours = values(&place);
    sysctl(&place, "compat=ipvs lblc_expiration=60");
    let expected = |view: &SysctlView| match view.name.as_str() {
        "lblc_expiration" => 60,
        _ => view.ipvs,
    };
    let theirs: Vec<u32> = views(&place).iter().map(expected).collect();
    assert_eq!(values(&place), theirs);
    assert_eq!(sysctl(&place, "compat"), "neither\n");

    // Neither -C nor the death of the daemon takes them away.
    run(&place.namespace, "-A -t 10.0.0.1:80 -s rr");
    run(&place.namespace, "-C");
    place.restart();
    assert_eq!(values(&place), theirs);

    let saved = place.succeed(&["save"], "");
    assert!(
        saved.contains("\n[sysctls]\nexpire_nodest_conn = 0\nexpire_quiescent_template = 0\nlblc_expiration = 60\n"),
        "{saved}"
    );
    sysctl(&place, "compat=ferrovs");
    assert_eq!(
        (values(&place), sysctl(&place, "compat")),
        (ours, "ferrovs\n".to_owned())
    );
    assert!(!place.succeed(&["save"], "").contains("sysctl"));
    let difference = place.succeed(&["restore", "--dry-run"], &saved);
    assert!(
        difference.starts_with("- sysctl expire_nodest_conn 1\n+ sysctl expire_nodest_conn 0\n"),
        "{difference}"
    );
    place.succeed(&["restore"], &saved);
    assert_eq!(values(&place), theirs);

    // A file of a version without sysctls is one where each has its default.
    place.succeed(&["restore"], "format = 1\n");
    assert_eq!(sysctl(&place, "compat"), "ferrovs\n");
}
