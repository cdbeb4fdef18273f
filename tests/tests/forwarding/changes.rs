//! The daemon is killed in the middle of a change: afterwards the change is made or not, in the listing as
//! well as in what is forwarded, and the other service has noticed nothing.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    process::Stdio,
    thread,
    time::Duration,
};

use ferrovs_lab::{Hook, VIP, http};
use ferrovs_tests::ferrovs;

use crate::{
    load::{Amount, Load},
    stage::{Stage, sized},
};

const SERVICE: SocketAddrV4 = SocketAddrV4::new(VIP, 81);

/// What is changed, one after the other; it ends where it began.
const CHANGES: [&str; 7] = [
    "-A -t 169.254.179.1:81 -s rr",
    "-a -t 169.254.179.1:81 -r 192.168.2.141:80 -m",
    "-a -t 169.254.179.1:81 -r 192.168.2.143:80 -m",
    "-e -t 169.254.179.1:81 -r 192.168.2.141:80 -m -w 7",
    "-d -t 169.254.179.1:81 -r 192.168.2.143:80",
    "-E -t 169.254.179.1:81 -s rr",
    "-D -t 169.254.179.1:81",
];

#[test]
fn a_change_is_made_or_not_when_the_daemon_is_killed_with_tc() {
    interrupted(Hook::Tc);
}

#[test]
fn a_change_is_made_or_not_when_the_daemon_is_killed_with_xdp() {
    interrupted(Hook::Xdp);
}

fn interrupted(hook: Hook) {
    let mut stage = Stage::serving(hook);
    // How the service stands after each change.
    let mut stands = vec![listing(&stage)];
    for change in CHANGES {
        stage.ipvsadm(change);
        stands.push(listing(&stage));
    }
    let amount = Amount { rate: 50, held: 20 };
    let load = Load::start(&stage, amount);
    let delays: &[u64] = sized(&[1, 6], &[0, 1, 2, 3, 4, 5, 6, 8, 10, 15]);
    let (mut made, mut lost) = (0, 0);
    for &delay in delays {
        for (change, around) in CHANGES.iter().zip(stands.windows(2)) {
            let answered = killed_during(&mut stage, change, Duration::from_millis(delay));
            let after = listing(&stage);
            assert!(around.contains(&after), "{change}: {after:?}");
            assert_forwards(&stage, &after);
            let is_made = after == around[1];
            if is_made {
                made += 1;
            } else {
                assert!(!answered, "{change} was answered, and is lost");
                lost += 1;
                stage.ipvsadm(change);
            }
            assert_eq!(listing(&stage), around[1], "{change}");
            assert_forwards(&stage, &around[1]);
        }
    }
    println!("{hook}: {made} changes were made, {lost} were not");
    let outcome = load.finish(&stage);
    outcome.assert_whole(&stage);
    outcome.assert_steady();
}

/// Makes a change, and kills the daemon that makes it after this time; whether it was said to be made. Then
/// there is another daemon.
fn killed_during(stage: &mut Stage, change: &str, delay: Duration) -> bool {
    let asking = stage
        .topology
        .director
        .command(ferrovs())
        .arg("ipvsadm")
        .args(change.split(' '))
        .env("FERROVS_AUTOSTART", "0")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(delay);
    stage.kill_daemon();
    let answer = asking.wait_with_output().unwrap();
    stage.start_daemon();
    answer.status.success()
}

/// The service and its servers with method and weight; nothing if there is no such service.
fn listing(stage: &Stage) -> Vec<String> {
    let output = stage.ferrovs(&format!("ipvsadm -L -n -t {SERVICE}"));
    let listed = String::from_utf8(output.stdout).unwrap();
    // The last two columns are connections.
    let columns = |line: &str| {
        let words = line.split_whitespace().take(4);
        words.collect::<Vec<_>>().join(" ")
    };
    listed.lines().skip(2).map(columns).collect()
}

/// Ends the test unless pages come from the servers that are listed, and from no others.
fn assert_forwards(stage: &Stage, listing: &[String]) {
    let servers: Vec<Ipv4Addr> = stage
        .topology
        .servers
        .iter()
        .map(|server| server.address)
        .filter(|server| {
            listing
                .iter()
                .any(|line| line.contains(&server.to_string()))
        })
        .collect();
    if servers.is_empty() {
        let page = http::Get::new(SERVICE, "/").limit(Duration::from_millis(50));
        assert!(page.send(&stage.topology.client).is_err(), "{listing:?}");
    }
    let pages = servers.iter().map(|_| {
        let page = http::fetch(&stage.topology.client, SERVICE, "/").unwrap();
        http::server_of::<Ipv4Addr>(&page.text()).unwrap()
    });
    let mut pages: Vec<_> = pages.collect();
    pages.sort();
    assert_eq!(pages, servers, "{listing:?}");
}
