//! Datagrams that are larger than any packet: their fragments find their server and back.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use ferrovs_lab::{
    Hook, Namespace, VIP,
    udp::{UdpServer, ask},
};

use crate::{
    ipv6::{assign, of},
    stage::Stage,
};

const ECHO: u16 = 5353;
const DNS: u16 = 53;
/// Texts of an answer, each of 255 bytes: more than 4,000 bytes in all.
const TEXTS: u16 = 16;

#[test]
fn datagrams_in_fragments_arrive_with_tc() {
    datagrams(Hook::Tc);
}

#[test]
fn datagrams_in_fragments_arrive_with_xdp() {
    datagrams(Hook::Xdp);
}

/// A name server that has one long answer to every question. Dropping it ends it.
struct Names {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Names {
    fn start(at: &Namespace, address: SocketAddr) -> Self {
        let socket = at.run(|| UdpSocket::bind(address)).unwrap().unwrap();
        let patience = Some(Duration::from_millis(100));
        socket.set_read_timeout(patience).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok((length, client)) = socket.recv_from(&mut buffer) {
                    let _: io::Result<usize> = socket.send_to(&texts(&buffer[..length]), client);
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The answer to a question (RFC 1035, section 4): as many texts.
fn texts(question: &[u8]) -> Vec<u8> {
    let name = question[12..].iter().position(|&byte| byte == 0).unwrap();
    let mut answer = question[..2].to_vec();
    // A response, authoritative; one question, so many answers, nothing else.
    answer.extend([0x84, 0, 0, 1]);
    answer.extend(TEXTS.to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(&question[12..12 + name + 5]);
    for number in 0..TEXTS {
        // The name of the question, TXT, IN, a minute, one string.
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 1, 0, 255]);
        answer.extend([b'a' + number as u8; 255]);
    }
    answer
}

fn datagrams(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    stage.start_daemon();
    let (mut echo, mut names) = (Vec::new(), Vec::new());
    let both = |address: Ipv4Addr| [IpAddr::V4(address), of(address)];
    for (family, vip) in both(VIP).into_iter().enumerate() {
        for port in [ECHO, DNS] {
            let service = SocketAddr::new(vip, port);
            stage.ipvsadm(&format!("-A -u {service} -s rr"));
            for server in &stage.topology.servers {
                let server = SocketAddr::new(both(server.address)[family], port);
                stage.ipvsadm(&format!("-a -u {service} -r {server} -m"));
            }
        }
        for server in &stage.topology.servers {
            let own = both(server.address)[family];
            let at = &server.namespace;
            echo.push(UdpServer::start(at, SocketAddr::new(own, ECHO)).unwrap());
            names.push(Names::start(at, SocketAddr::new(own, DNS)));
        }
    }
    let client = &stage.topology.client;
    for vip in both(VIP) {
        // Of sizes around one packet, around a fragment's borders, and of many fragments.
        for (turn, size) in [1_400, 1_472, 1_473, 2_952, 2_961, 4_000, 9_000, 20_000]
            .into_iter()
            .enumerate()
        {
            let words: Vec<u8> = (0..size).map(|at| (at * 37 + at / 251) as u8).collect();
            let service = SocketAddr::new(vip, ECHO);
            let port = 41_000 + turn as u16;
            let server: IpAddr = ask(client, service, port, &words).unwrap();
            let known = stage
                .topology
                .servers
                .iter()
                .any(|one| both(one.address).contains(&server));
            assert!(known, "{server} answers {size} bytes");
        }
        for _ in 0..4 {
            let dig = client
                .command("dig")
                .args([
                    &format!("@{vip}"),
                    "+bufsize=8192",
                    "+tries=1",
                    "+time=3",
                    "+ignore",
                    "+short",
                    "long.example",
                    "TXT",
                ])
                .output()
                .unwrap();
            let said = String::from_utf8(dig.stdout).unwrap();
            assert_eq!(said.lines().count(), usize::from(TEXTS), "{vip}: {said}");
            assert!(said.lines().all(|line| line.len() == 257), "{vip}: {said}");
        }
    }
    assert_eq!(stage.counted("fragment"), 0);
    let total = stage.ipvsadm(&format!("-Ln --stats -u {VIP}:{DNS} --exact"));
    let figures: Vec<u64> = total
        .lines()
        .nth(2)
        .unwrap()
        .split_whitespace()
        .skip(2)
        .map(|figure| figure.parse().unwrap())
        .collect();
    // Of the fragments of a datagram one counts, and of all of them the bytes.
    assert_eq!(figures[..3], [4, 4, 4], "{total}");
    let answer = 20 + 8 + texts(&[0; 17]).len() as u64 + "long.example".len() as u64 + 1;
    assert!(
        figures[4].abs_diff(4 * answer) < 4 * 40,
        "{total}: {answer}"
    );
}
