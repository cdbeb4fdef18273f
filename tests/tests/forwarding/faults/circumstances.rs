//! Where ferrovs cannot work: without permission, without type information, beside the kernel's own IPVS.

use std::{fs, path::PathBuf, process::Output};

use ferrovs_lab::Hook;

use super::{Standing, assert_refused, assert_sentence};
use ferrovs_tests::ferrovs;

use crate::{objects::Objects, stage::Stage};

/// The program where everybody may run it; the directory goes with the stage.
fn public_binary(stage: &Stage) -> PathBuf {
    let binary = stage.topology.directory().join("ferrovs");
    fs::copy(ferrovs(), &binary).unwrap();
    binary
}

/// Runs `ferrovs ARGUMENTS` in the director as nobody.
fn as_nobody(stage: &Stage, binary: &PathBuf, arguments: &str) -> Output {
    stage
        .topology
        .director
        .command("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(binary)
        .args(arguments.split(' '))
        .output()
        .unwrap()
}

#[test]
fn without_permission_nothing_is_touched() {
    let mut stage = Stage::new(Hook::Tc);
    let binary = public_binary(&stage);
    let capabilities = &["CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_BPF", "root"];
    assert_sentence(&as_nobody(&stage, &binary, "run"), 1, capabilities);
    assert_sentence(&as_nobody(&stage, &binary, "down"), 1, capabilities);
    // In ipvsadm's own words, and it starts no daemon.
    let denied = &["Permission denied (you must be root)"];
    assert_refused(&as_nobody(&stage, &binary, "ipvsadm -L -n"), 2, denied);
    assert!(Objects::of(&stage.topology.director).is_empty());
    let silent = stage.ferrovs("status");
    assert_sentence(
        &silent,
        1,
        &["no ferrovs daemon runs in this network namespace"],
    );

    stage.start_daemon();
    stage.add_service("-t", 80);
    let before = Standing::of(&stage);
    for line in [
        "ipvsadm -L -n",
        "ipvsadm -C",
        "ipvsadm -A -t 10.0.0.1:80 -s rr",
    ] {
        assert_refused(&as_nobody(&stage, &binary, line), 2, denied);
    }
    let group = &["65534", "root", "group ferrovs"];
    assert_sentence(&as_nobody(&stage, &binary, "down"), 1, group);
    assert_sentence(&as_nobody(&stage, &binary, "status"), 1, group);
    assert_eq!(Standing::of(&stage), before);
    stage.page();
}

/// Runs `ferrovs ARGUMENTS` in the director after `preparation` has changed its private view of the file
/// systems.
fn prepared(stage: &Stage, preparation: &str, arguments: &str) -> Output {
    let script = format!("set -e; {preparation}; exec \"$0\" {arguments}");
    stage
        .topology
        .director
        .command("sh")
        .arg("-c")
        .arg(script)
        .arg(ferrovs())
        .env("FERROVS_AUTOSTART", "0")
        .output()
        .unwrap()
}

#[test]
fn a_kernel_without_type_information_is_refused() {
    let stage = Stage::new(Hook::Tc);
    let output = prepared(&stage, "mount -t tmpfs tmpfs /sys/kernel/btf", "run");
    assert_sentence(
        &output,
        1,
        &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"],
    );
    assert!(Objects::of(&stage.topology.director).is_empty());
}

/// The kernel here need not have IPVS: what it would show in `/proc/net/ip_vs` is put in its place, as the
/// process sees it.
#[test]
fn services_of_the_kernels_own_ipvs_keep_the_daemon_out() {
    let stage = Stage::new(Hook::Tc);
    let table = |services: &str| {
        let titles = "IP Virtual Server version 1.2.1 (size=4096)\\n\
            Prot LocalAddress:Port Scheduler Flags\\n  \
            -> RemoteAddress:Port Forward Weight ActiveConn InActConn\\n";
        format!(
            "mount -t tmpfs tmpfs /proc/$$/net; printf '{titles}{services}' > /proc/$$/net/ip_vs"
        )
    };
    let one = "TCP  A9FEB301:0050 rr  \\n  -> C0A8028F:0050 Masq 1 0 0\\n";
    let output = prepared(&stage, &table(one), "run");
    assert_sentence(&output, 1, &["kernel's own IPVS", "ipvsadm -C"]);
    assert!(Objects::of(&stage.topology.director).is_empty());
    // Without services it may be loaded: then the next complaint comes.
    let output = prepared(&stage, &table(""), "run --interface nosuch0");
    assert_sentence(&output, 1, &["nosuch0"]);
}
