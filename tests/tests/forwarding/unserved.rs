//! What is told to those whose packets go nowhere: ICMP port unreachable, from whom they asked, and to each as
//! often as to others.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use ferrovs_lab::{CLIENT, Capture, DIP, Hook, Namespace, Record, VIP, capture::Packet, http};

use crate::{
    ipv6::{assign, of},
    stage::{Stage, sized},
};

const TCP_PORT: u16 = 1000;
const UDP_PORT: u16 = 5353;
/// Another address of the client's machine, which floods.
const FLOODER: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 61);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The number of ICMP in the IP header.
const ICMP: u8 = 1;

#[test]
fn who_asks_nobody_is_told_so_with_tc() {
    told(Hook::Tc);
}

#[test]
fn who_asks_nobody_is_told_so_with_xdp() {
    told(Hook::Xdp);
}

#[test]
fn servers_are_told_if_they_are_to_be_with_tc() {
    servers_told(Hook::Tc);
}

#[test]
fn servers_are_told_if_they_are_to_be_with_xdp() {
    servers_told(Hook::Xdp);
}

/// What a connected socket at `source` hears to a datagram of three bytes.
pub(crate) fn hears(at: &Namespace, source: SocketAddr, target: SocketAddr) -> ErrorKind {
    let heard = at.run(|| -> io::Result<usize> {
        let socket = UdpSocket::bind(source)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(target)?;
        socket.send(b"abc")?;
        socket.recv(&mut [0; 64])
    });
    heard.unwrap().unwrap_err().kind()
}

fn connects(at: &Namespace, target: SocketAddr) -> ErrorKind {
    let connected = at.run(|| TcpStream::connect_timeout(&target, PATIENCE));
    connected.unwrap().unwrap_err().kind()
}

/// What a capture has seen, once no more messages come.
fn finish(capture: Capture) -> Record {
    let is_icmp = |packet: &Packet| packet.direction.protocol == ICMP;
    assert!(capture.settle(Duration::from_millis(300), PATIENCE, is_icmp));
    let record = capture.stop().unwrap();
    assert_eq!(record.dropped, 0, "the capture missed packets");
    record
}

/// Services without servers, of both families and protocols.
fn unserved(hook: Hook) -> Stage {
    let mut stage = Stage::new(hook);
    assign(&stage);
    let client = stage.topology.client.link("eth0").unwrap();
    client.add_address(FLOODER, 24).unwrap();
    stage.start_daemon();
    for address in [VIP.into(), of(VIP)] {
        let (tcp, udp) = (
            SocketAddr::new(address, TCP_PORT),
            SocketAddr::new(address, UDP_PORT),
        );
        stage.ipvsadm(&format!("-A -t {tcp} -s rr"));
        stage.ipvsadm(&format!("-A -u {udp} -s rr"));
    }
    stage
}

fn told(hook: Hook) {
    let mut stage = unserved(hook);
    let any = |port| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    let service = SocketAddr::new(VIP.into(), UDP_PORT);
    let capture = stage.capture();
    let client = &stage.topology.client;
    for address in [VIP.into(), of(VIP)] {
        let unreachable = connects(client, SocketAddr::new(address, TCP_PORT));
        assert_eq!(unreachable, ErrorKind::ConnectionRefused, "{address}");
        let own: IpAddr = if address.is_ipv4() {
            CLIENT.into()
        } else {
            of(CLIENT)
        };
        let own = SocketAddr::new(own, 0);
        let heard = hears(client, own, SocketAddr::new(address, UDP_PORT));
        assert_eq!(heard, ErrorKind::ConnectionRefused, "{address}");
    }
    let seen = finish(capture);
    let answers: Vec<_> = seen
        .matching(|packet| packet.direction.protocol == ICMP)
        .collect();
    // Of IPv4, which is all that a capture keeps: to the segment, and to the datagram.
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers.iter().all(|answer| {
        let direction = answer.direction;
        (*direction.source.ip(), *direction.destination.ip()) == (VIP, CLIENT)
    }));
    // Headers of IP and ICMP, and the whole datagram.
    assert_eq!(answers[1].bytes, 20 + 8 + 20 + 8 + 3);

    floods(&stage);

    stage.kill_daemon();
    let client = &stage.topology.client;
    assert_eq!(hears(client, any(0), service), ErrorKind::WouldBlock);
    let capture = stage.capture();
    stage.start_daemon();
    let client = &stage.topology.client;
    assert_eq!(hears(client, any(0), service), ErrorKind::ConnectionRefused);
    let seen = finish(capture);
    let late = seen.tally(|packet| packet.direction.protocol == ICMP);
    assert_eq!(late.packets, 1, "who asked a dead daemon is answered late");

    // A server of weight 0 is none; one that comes serves.
    let server = stage.topology.servers[0].address;
    let of_service = format!("-u {VIP}:{UDP_PORT} -r {server}:{UDP_PORT} -m");
    stage.ipvsadm(&format!("-a {of_service} -w 0"));
    let client = &stage.topology.client;
    assert_eq!(hears(client, any(0), service), ErrorKind::ConnectionRefused);
    let _answering = stage.answer_datagrams(UDP_PORT);
    stage.ipvsadm(&format!("-e {of_service} -w 1"));
    let served: Ipv4Addr =
        ferrovs_lab::udp::ask(client, SocketAddrV4::new(VIP, UDP_PORT), 0, b"served").unwrap();
    assert_eq!(served, server);
}

/// One source asks as fast as it can.
fn floods(stage: &Stage) {
    let client = &stage.topology.client;
    let director = &stage.topology.director;
    // The kernel's own limit, which would allow one a second, is not for us.
    assert_eq!(director.sysctl("net.ipv4.icmp_ratelimit").unwrap(), "1000");
    let service = SocketAddr::new(VIP.into(), UDP_PORT);
    let counted =
        || ["no-destination", "answer-limited", "answer-lost"].map(|reason| stage.counted(reason));
    let before = counted();
    let capture = stage.capture();
    let length = sized(Duration::from_secs(3), Duration::from_secs(20));
    let (sent, lasted) = thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let socket = client.run(|| UdpSocket::bind((FLOODER, 0))).unwrap();
            let socket = socket.unwrap();
            let begin = Instant::now();
            let mut sent = 0_u64;
            while begin.elapsed() < length {
                for _ in 0..20 {
                    socket.send_to(b"flood", service).unwrap();
                    sent += 1;
                }
                thread::sleep(Duration::from_millis(5));
            }
            (sent, begin.elapsed())
        });
        // Another one is heard meanwhile.
        for _ in 0..10 {
            let own = SocketAddr::new(CLIENT.into(), 0);
            let heard = hears(client, own, service);
            assert_eq!(heard, ErrorKind::ConnectionRefused);
            thread::sleep(Duration::from_millis(100));
        }
        flood.join().unwrap()
    });
    let seen = finish(capture);
    let is_answer = |packet: &Packet| {
        packet.direction.protocol == ICMP && *packet.direction.destination.ip() == FLOODER
    };
    let answers = seen.tally(is_answer).packets;
    let [dropped, limited, lost] = {
        let now = counted();
        [0, 1, 2].map(|at| now[at] - before[at])
    };
    let least = (lasted.as_secs_f64() * 100.0) as u64;
    assert!(answers >= least, "{answers} answers in {lasted:?}");
    assert_eq!((dropped, lost), (sent + 10, 0));
    assert_eq!(answers + limited, sent, "each is answered or counted");
}

fn servers_told(hook: Hook) {
    let mut stage = Stage::new(hook);
    stage.start_daemon();
    stage.add_service("-u", UDP_PORT);
    stage.add_service("-t", 80);
    // Where the kernel does not forward, nobody can tell whom the director itself waits for.
    let director = &stage.topology.director;
    director.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    let server = &stage.topology.servers[0];
    let own = SocketAddr::new(server.address.into(), UDP_PORT);
    let client = SocketAddr::new(CLIENT.into(), 40_001);
    // Somebody waits at the client, so that it is not the client's kernel that answers.
    let waiting = stage.topology.client.run(|| UdpSocket::bind(client));
    let _waiting = waiting.unwrap().unwrap();
    assert_eq!(hears(&server.namespace, own, client), ErrorKind::WouldBlock);

    let output = stage.ferrovs("sysctl nat_icmp_send=1");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    let server = &stage.topology.servers[0];
    let capture = Capture::start(&server.namespace, "eth0").unwrap();
    assert_eq!(
        hears(&server.namespace, own, client),
        ErrorKind::ConnectionRefused
    );
    let seen = finish(capture);
    let answer = seen
        .matching(|packet| packet.direction.protocol == ICMP)
        .next();
    assert_eq!(*answer.unwrap().direction.source.ip(), DIP);

    // The director's own health checks are left alone, and so are flows.
    let checked = http::fetch(
        &stage.topology.director,
        SocketAddrV4::new(server.address, 80),
        "/",
    );
    assert!(checked.is_ok(), "{checked:?}");
    let pages = [stage.page(), stage.page()];
    assert_eq!(pages.to_vec(), stage.in_turn());
}
