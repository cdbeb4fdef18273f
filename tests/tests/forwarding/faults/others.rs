//! Somebody or something else is there already.

use std::{
    io,
    os::fd::AsFd,
    os::linux::net::SocketAddrExt,
    os::unix::net::{SocketAddr, UnixListener},
};

use ferrovs_core::abi::{LAYOUT, config};
use ferrovs_kernel::sys;
use ferrovs_lab::Hook;

use super::{Standing, assert_refused, assert_sentence};
use crate::{objects::Objects, stage::Stage};

#[test]
fn a_second_daemon_is_told_of_the_first() {
    let stage = Stage::serving(Hook::Tc);
    let before = Standing::of(&stage);
    let first = stage.daemon_id().to_string();
    for line in ["run", "run --hook xdp", "run --interface nosuch0"] {
        assert_sentence(
            &stage.ferrovs(line),
            1,
            &[&first, "already", "ferrovs down"],
        );
    }
    assert_eq!(Standing::of(&stage), before);
    stage.page();
}

/// Takes the name of the control socket as this user; who listens is what the others see of it.
fn take_name(stage: &Stage, user: libc::uid_t) -> UnixListener {
    let listen = || -> io::Result<UnixListener> {
        // The system call itself changes the calling thread alone, which ends with this closure.
        // SAFETY: no memory is passed.
        let changed = unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) };
        if changed != 0 {
            return Err(io::Error::last_os_error());
        }
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(b"ferrovs")?)
    };
    stage.topology.director.run(listen).unwrap().unwrap()
}

#[test]
fn a_stranger_on_the_sockets_name_is_named() {
    let mut stage = Stage::serving(Hook::Tc);
    let table = stage.ipvsadm("-L -n");
    stage.kill_daemon();
    let objects = Objects::of(&stage.topology.director);
    let process = std::process::id().to_string();
    let listener = take_name(&stage, 65534);
    let stranger = &[process.as_str(), "nobody"];
    assert_sentence(&stage.ferrovs("run"), 1, stranger);
    assert_sentence(&stage.ferrovs("status"), 1, stranger);
    assert_sentence(&stage.ferrovs("down"), 1, stranger);
    assert_sentence(&stage.ferrovs("ipvsadm -L -n"), 2, stranger);
    assert_sentence(&stage.ferrovs("ipvsadm -C"), 2, stranger);
    drop(listener);
    // As root it might be a daemon, for all that can be known before it answers; a second one is not started.
    let listener = take_name(&stage, 0);
    assert_sentence(&stage.ferrovs("run"), 1, &[&process, "root"]);
    drop(listener);
    assert_eq!(Objects::of(&stage.topology.director), objects);
    stage.page();
    stage.start_daemon();
    assert_eq!(
        stage.ipvsadm("-L -n").lines().count(),
        table.lines().count()
    );
}

#[test]
fn programs_of_another_version_are_left_alone() {
    for hook in [Hook::Tc, Hook::Xdp] {
        let mut stage = Stage::serving(hook);
        stage.kill_daemon();
        let objects = Objects::of(&stage.topology.director);
        write_layout(&objects, LAYOUT + 1);
        let other = (LAYOUT + 1).to_string();
        let words = &["another version", other.as_str(), "ferrovs down"];
        assert_sentence(&stage.ferrovs("run"), 1, words);
        // No daemon can be started, so ipvsadm has nobody to ask.
        assert_refused(&stage.ferrovs("ipvsadm -L -n"), 2, &["ferrovs run"]);
        assert_eq!(Objects::of(&stage.topology.director), objects);
        stage.page();
        // The other version would find everything as it was.
        write_layout(&objects, LAYOUT);
        stage.start_daemon();
        stage.page();
        stage.kill_daemon();
        // And `down` takes away what it does not understand.
        write_layout(&objects, LAYOUT + 1);
        assert!(stage.ferrovs("down").status.success());
        objects.assert_gone();
        assert!(!stage.has_page());
        stage.start_daemon();
        stage.add_service("-t", 80);
        stage.page();
    }
}

/// Makes the tables say that they are of this layout.
fn write_layout(objects: &Objects, layout: u64) {
    let open = |id: &u32| sys::map_by_id(*id).unwrap();
    let maps = objects.maps.iter().map(open);
    let mut named = maps.filter(|map| sys::map_info(map.as_fd()).unwrap().name == "CONFIG");
    let map = named.next().unwrap();
    assert_eq!(sys::map_info(map.as_fd()).unwrap().value_size, 64);
    // SAFETY: the elements of this array are lines of eight words, its keys their numbers.
    let line: Option<[u64; 8]> = unsafe { sys::lookup(map.as_fd(), &0_u32) }.unwrap();
    let mut line = line.unwrap();
    line[config::LAYOUT] = layout;
    // SAFETY: as above.
    unsafe { sys::update(map.as_fd(), &0_u32, &line, false) }.unwrap();
}

#[test]
fn down_may_be_said_twice_and_without_a_daemon() {
    let mut stage = Stage::serving(Hook::Xdp);
    let said = |stage: &Stage| {
        let output = stage.ferrovs("down");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    stage.kill_daemon();
    let taken = said(&stage);
    assert!(
        taken.contains("outer") && taken.contains("inner"),
        "{taken}"
    );
    for _ in 0..2 {
        let nothing = said(&stage);
        assert!(nothing.contains("there is nothing of ferrovs"), "{nothing}");
    }
    stage.start_daemon();
    assert!(said(&stage).contains("the daemon"));
    let nothing = said(&stage);
    assert!(nothing.contains("there is nothing of ferrovs"), "{nothing}");
}
