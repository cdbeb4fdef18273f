//! Persistence: a client stays with its server for a while after its last connection, and is listed so.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{CLIENT, Hook, VIP, udp::ask};

use crate::stage::Stage;

const PORT: u16 = 5353;
/// Longer than any wait here may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_client_stays_with_its_server_with_tc() {
    stays(Hook::Tc);
}

#[test]
fn a_client_stays_with_its_server_with_xdp() {
    stays(Hook::Xdp);
}

fn stays(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    stage.add_service("-u", PORT);
    stage.ipvsadm(&format!("-E -u {VIP}:{PORT} -s rr -p 3"));
    stage.ipvsadm("--set 0 0 1");
    let _answering = stage.answer_datagrams(PORT);
    let client = &stage.topology.client;
    let service = SocketAddrV4::new(VIP, PORT);
    let first: Ipv4Addr = ask(client, service, 40_001, b"first").unwrap();
    for port in 40_002..40_006 {
        let server: Ipv4Addr = ask(client, service, port, b"again").unwrap();
        assert_eq!(server, first, "port {port}");
    }

    let flows = stage.ipvsadm("-L -n -c");
    let template = format!("{CLIENT}:0 ");
    let line = flows.lines().find(|line| line.contains(&template));
    let line = line.unwrap_or_else(|| panic!("no template in\n{flows}"));
    assert!(line.starts_with("UDP 00:0"), "{line}");
    assert!(line.contains(&format!("{first}:{PORT}")), "{line}");
    let kept = || {
        let listed = stage.ipvsadm("-L -n --persistent-conn");
        let of_servers = listed.lines().filter(|line| line.starts_with("  -> 1"));
        let persistent =
            of_servers.filter_map(|line| line.split_whitespace().nth(3)?.parse::<u32>().ok());
        persistent.sum::<u32>()
    };
    assert_eq!(kept(), 1);

    // Its connections end after a second, and then nothing holds it any longer than it was asked to stay; but
    // a minute more if it was due before they ended.
    let begin = Instant::now();
    while kept() > 0 {
        assert!(begin.elapsed() < PATIENCE + PATIENCE, "the template stays");
        thread::sleep(Duration::from_millis(200));
    }
    let flows = stage.ipvsadm("-L -n -c");
    assert!(!flows.contains(&template), "{flows}");
    let anew: Ipv4Addr = ask(client, service, 40_007, b"anew").unwrap();
    assert_ne!(anew, first);
}
