//! Namespaces come, hold what is made in them, and go, whatever happens meanwhile.

mod support;

use std::{fs, net::Ipv4Addr, panic::catch_unwind, path::Path, process::Stdio, time::Duration};

use ferrovs_lab::{Error, Id, Mac, Namespace, Offload, Options, Topology, veth};
use support::need_root;

fn name(machine: &str) -> String {
    Id::unique().namespace(machine)
}

#[test]
fn a_name_comes_and_goes() {
    need_root();
    let name = name("one");
    let path = Path::new("/run/netns").join(&name);
    let namespace = Namespace::create(&name).unwrap();
    assert!(path.exists());
    assert!(matches!(Namespace::create(&name), Err(Error::NameTaken(_))));
    assert!(
        path.exists(),
        "a refused second one must not remove the first"
    );
    namespace.remove().unwrap();
    assert!(!path.exists());
    assert!(
        !fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .contains(&name)
    );
}

#[test]
#[expect(clippy::zombie_processes, reason = "the stage itself must end it")]
fn a_panic_leaves_nothing() {
    need_root();
    let options = Options::default();
    let names: Vec<_> = ["client", "director", "switch", "rs141", "rs143"]
        .map(|machine| options.id.namespace(machine))
        .into();
    let seen = names.clone();
    let panicked = catch_unwind(move || {
        let topology = Topology::build(options).unwrap();
        for name in &seen {
            assert!(Path::new("/run/netns").join(name).exists());
        }
        let sleeping = topology
            .client
            .command("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        assert_eq!(topology.client.processes().unwrap(), [sleeping.id()]);
        panic!("on purpose");
    });
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
    for name in names {
        assert!(!Path::new("/run/netns").join(name).exists());
    }
}

#[test]
fn half_a_topology_leaves_nothing() {
    need_root();
    let options = Options {
        servers: 5,
        ..Options::default()
    };
    let id = options.id.clone();
    let interrupted = Topology::cable(options, &mut |done| match done {
        3 => std::ops::ControlFlow::Break(()),
        _ => std::ops::ControlFlow::Continue(()),
    });
    assert!(matches!(interrupted, Err(Error::Interrupted)));
    let prefix = id.namespace("");
    let left = ferrovs_lab::namespace::names().unwrap();
    assert!(
        !left.iter().any(|name| name.starts_with(&prefix)),
        "{left:?}"
    );
}

#[test]
fn what_runs_inside_sees_the_inside() {
    need_root();
    let namespace = Namespace::create(&name("inside")).unwrap();
    namespace.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    assert_eq!(namespace.sysctl("net.ipv4.ip_forward").unwrap(), "1");
    namespace.set_sysctl("net.ipv4.ip_forward", "0").unwrap();
    assert_eq!(namespace.sysctl("net.ipv4.ip_forward").unwrap(), "0");
    assert!(namespace.sysctl("net.ipv4.nonsense").is_err());

    namespace.add_bridge("onlyhere").unwrap();
    let listed = namespace
        .command("ls")
        .arg("/sys/class/net")
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(
        listed.split_whitespace().collect::<Vec<_>>(),
        ["lo", "onlyhere"]
    );
    assert!(!Path::new("/sys/class/net/onlyhere").exists());

    assert!(namespace.counter("Ip", "ForwDatagrams").unwrap() == 0);
    assert!(namespace.link("nothere").is_err());
}

#[test]
fn removing_ends_what_runs_inside() {
    need_root();
    let namespace = Namespace::create(&name("busy")).unwrap();
    let mut deaf = namespace
        .command("sh")
        .args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It must be deaf before it is told to end.
    let mut ready = [0; 6];
    std::io::Read::read_exact(&mut deaf.stdout.take().unwrap(), &mut ready).unwrap();
    let reaper = std::thread::spawn(move || deaf.wait().unwrap());
    namespace.remove().unwrap();
    assert!(!reaper.join().unwrap().success());
}

#[test]
fn a_child_goes_with_its_parent_thread() {
    need_root();
    let namespace = Namespace::create(&name("orphan")).unwrap();
    let mut child = std::thread::scope(|scope| {
        scope
            .spawn(|| namespace.command("sleep").arg("1000").spawn().unwrap())
            .join()
            .unwrap()
    });
    assert!(!child.wait().unwrap().success());
}

#[test]
fn links_obey() {
    need_root();
    let (one, other) = (
        Namespace::create(&name("one")).unwrap(),
        Namespace::create(&name("other")).unwrap(),
    );
    let (left, right) = veth((&one, "left"), (&other, "right")).unwrap();
    assert_eq!(
        (left.name().unwrap(), right.name().unwrap()),
        ("left".into(), "right".into())
    );

    let mac = Mac([0x02, 1, 2, 3, 4, 5]);
    left.set_mac(mac).unwrap();
    assert_eq!(left.mac().unwrap(), mac);
    assert_ne!(right.mac().unwrap(), mac);

    for offload in [
        Offload::TxChecksum,
        Offload::TcpSegmentation,
        Offload::Segmentation,
        Offload::Receive,
    ] {
        // Segmentation offload needs the checksums that the first round turned off.
        left.set_offload(Offload::TxChecksum, true).unwrap();
        for on in [false, true, false] {
            left.set_offload(offload, on).unwrap();
            assert_eq!(left.offload(offload).unwrap(), on, "{offload:?}");
        }
    }

    let address = Ipv4Addr::new(10, 1, 2, 3);
    left.add_address(address, 24).unwrap();
    assert!(left.add_address(address, 24).is_err());
    assert_eq!(left.addresses().unwrap(), [(address, 24)]);
    assert_eq!(right.addresses().unwrap(), []);
    left.up().unwrap();
    right.up().unwrap();
    let gateway = Ipv4Addr::new(10, 1, 2, 254);
    assert_eq!(one.default_gateway().unwrap(), None);
    one.add_default_gateway(gateway).unwrap();
    assert_eq!(one.default_gateway().unwrap(), Some(gateway));
    assert!(
        one.add_route(Ipv4Addr::new(10, 9, 0, 0), 16, Ipv4Addr::new(10, 8, 0, 1))
            .is_err()
    );

    left.remove().unwrap();
    assert!(other.link("right").is_err());
}

#[test]
fn interfaces_take_what_they_cannot_have_with_a_sentence() {
    need_root();
    let namespace = Namespace::create(&name("refusing")).unwrap();
    let error = namespace.link("eth9").unwrap_err().to_string();
    assert_eq!(
        error,
        format!("there is no interface eth9 in {}", namespace.name())
    );
    let error = namespace
        .add_bridge("a-name-that-is-too-long")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot make the interface a-name-that-is-too-long"),
        "{error}"
    );
}

#[test]
fn services_report_their_end() {
    need_root();
    let namespace = Namespace::create(&name("service")).unwrap();
    let log = std::env::temp_dir().join(namespace.name());
    let mut command = namespace.command("sh");
    command.args(["-c", "echo words; exec sleep 1000"]);
    let mut service = ferrovs_lab::Service::start("sleeper", command, &log).unwrap();
    assert!(service.ended().unwrap().is_none());
    while service.log().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(service.log(), "words\n");
    let status = service.stop().unwrap().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(15)
    );
    fs::remove_file(log).unwrap();
}
