//! SIP: what belongs to one call goes to one server, wherever in the message the Call-ID is and however the kernel
//! keeps the message.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    thread,
    time::{Duration, Instant},
};

use ferrovs_kernel::DataPlane;
use ferrovs_lab::{CLIENT, Hook, VIP, udp::UdpServer};

use crate::{
    ipv6::{assign, of},
    stage::Stage,
};

const PORT: u16 = 5060;
/// Another client, of the same network.
const OTHER: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 61);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long none is waited for.
const SILENCE: Duration = Duration::from_millis(300);
/// How long it may take that a Call-ID is forgotten.
const FORGETTING: Duration = Duration::from_secs(60);

#[test]
fn a_call_stays_with_its_server_with_tc() {
    stays(Hook::Tc);
}

#[test]
fn a_call_stays_with_its_server_with_xdp() {
    stays(Hook::Xdp);
}

fn message(call_id: &str) -> String {
    format!(
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP pc33\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 INVITE\r\n\r\n"
    )
}

/// A client's socket, connected: an answer from elsewhere than the virtual address would not reach it.
fn socket(stage: &Stage, from: SocketAddr, service: SocketAddr) -> UdpSocket {
    let connect = || -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(from)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(service)?;
        Ok(socket)
    };
    stage.topology.client.run(connect).unwrap().unwrap()
}

/// Sends a message and gives the server that answered.
fn ask(socket: &UdpSocket, text: &str) -> IpAddr {
    socket.send(text.as_bytes()).unwrap();
    let mut answer = [0; 2048];
    let length = socket.recv(&mut answer).unwrap();
    let answer = str::from_utf8(&answer[..length]).unwrap();
    let (server, echo) = answer.split_once(' ').unwrap();
    assert_eq!(echo, text);
    server.parse().unwrap()
}

/// Has the kernel keep what is sent in pages of their own, as network cards leave what they receive.
fn keep_in_pages(socket: &UdpSocket) {
    /// `UDP_SEGMENT`: it does so where datagrams might have to be cut, even if none has.
    const SEGMENT: libc::c_int = 103;
    let size: libc::c_int = 1400;
    // SAFETY: the option's value is an integer that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_UDP,
            SEGMENT,
            std::ptr::from_ref(&size).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// A service that keeps calls, and all servers.
fn serve(stage: &Stage, service: SocketAddr, options: &str) -> Vec<UdpServer> {
    stage.ipvsadm(&format!("-A -u {service} -s rr {options} --pe sip"));
    let servers = stage.topology.servers.iter();
    let answer = |server: &ferrovs_lab::RealServer| {
        let address = match service {
            SocketAddr::V4(_) => server.address.into(),
            SocketAddr::V6(_) => of(server.address),
        };
        let address = SocketAddr::new(address, PORT);
        stage.ipvsadm(&format!("-a -u {service} -r {address} -m"));
        UdpServer::start(&server.namespace, address).unwrap()
    };
    servers.map(answer).collect()
}

fn stays(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    let link = stage.topology.client.link("eth0").unwrap();
    link.add_address(OTHER, 24).unwrap();
    link.add_address(of(OTHER), 64).unwrap();
    stage.start_daemon();
    for ipv6 in [false, true] {
        let family = |address: Ipv4Addr| if ipv6 { of(address) } else { address.into() };
        let service = SocketAddr::new(family(VIP), PORT);
        let _answering = serve(&stage, service, "-p 60 -o");
        let turns: Vec<_> = stage.in_turn().into_iter().map(family).collect();
        let client = socket(&stage, SocketAddr::new(family(CLIENT), PORT), service);
        let other = socket(&stage, SocketAddr::new(family(OTHER), PORT), service);

        // One socket, whose datagrams go where their calls do.
        for (call_id, turn) in [("one@a", 0), ("two@a", 1), ("one@a", 0), ("two@a", 1)] {
            assert_eq!(ask(&client, &message(call_id)), turns[turn], "{call_id}");
        }
        assert_eq!(ask(&client, "x\r\ni:two@a\r\n"), turns[1]);
        keep_in_pages(&client);
        assert_eq!(ask(&client, &message("two@a")), turns[1]);
        let far = message(&format!("{}\r\ni: two@a", "=".repeat(1000)));
        assert_eq!(ask(&client, &far), turns[1]);
        // The same Call-ID of another client is another call, which has the next turn.
        assert_eq!(ask(&other, &message("one@a")), turns[0]);
        assert_eq!(ask(&other, &message("two@a")), turns[1]);
        assert_eq!(ask(&other, &message("three@a")), turns[0]);

        let listed = stage.ipvsadm("-L -n -c --persistent-conn");
        for (client, call_id, turn) in [(CLIENT, "two@a", 1), (OTHER, "three@a", 0)] {
            let [client, server] =
                [(family(client), 0), (turns[turn], PORT)].map(SocketAddr::from);
            let line = listed.lines().find(|line| {
                line.contains(&format!(" {client} ")) && line.ends_with(&format!(" {call_id}"))
            });
            let line = line.unwrap_or_else(|| panic!("no {call_id} of {client} in\n{listed}"));
            let words: Vec<_> = line.split_whitespace().collect();
            let service = service.to_string();
            let server = server.to_string();
            assert_eq!(
                (words[0], &words[4..]),
                ("UDP", &[&*service, &*server, "sip", call_id][..])
            );
        }

        // What is of no call is dropped without a word.
        client.set_read_timeout(Some(SILENCE)).unwrap();
        client.send(message("not one").as_bytes()).unwrap();
        let error = client.recv(&mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(stage.counted("no-call-id"), if ipv6 { 2 } else { 1 });
    }
    assert_eq!(stage.forwarded_by_kernel(), 0);
}

#[test]
fn a_server_calls_a_client_with_tc() {
    calls_out(Hook::Tc);
}

#[test]
fn a_server_calls_a_client_with_xdp() {
    calls_out(Hook::Xdp);
}

/// A server's own message comes from the virtual address, and the call stays with it, although it would not have been
/// this one's turn.
fn calls_out(hook: Hook) {
    let mut stage = Stage::new(hook);
    assign(&stage);
    // The director's routing table is asked for the way.
    let director = &stage.topology.director;
    director.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    stage.start_daemon();
    for ipv6 in [false, true] {
        let family = |address: Ipv4Addr| if ipv6 { of(address) } else { address.into() };
        let service = SocketAddr::new(family(VIP), PORT);
        // Their sockets are needed here.
        drop(serve(&stage, service, "-p 60 -o"));
        let servers = &stage.topology.servers;
        let bind = |namespace: &ferrovs_lab::Namespace, address: Ipv4Addr| {
            let bound = namespace.run(|| UdpSocket::bind((family(address), PORT)));
            let socket = bound.unwrap().unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        let sockets =
            [&servers[0], &servers[1]].map(|server| bind(&server.namespace, server.address));
        let client = bind(&stage.topology.client, CLIENT);
        let [caller, _] = sockets;
        let said = message("out@a");
        let mut heard = [0; 2048];
        caller
            .send_to(said.as_bytes(), (family(CLIENT), PORT))
            .unwrap();
        let (length, from) = client.recv_from(&mut heard).unwrap();
        assert_eq!((&heard[..length], from), (said.as_bytes(), service));
        for _ in 0..3 {
            client.send_to(said.as_bytes(), service).unwrap();
            let (length, from) = caller.recv_from(&mut heard).unwrap();
            let peer = SocketAddr::new(family(CLIENT), PORT);
            assert_eq!((&heard[..length], from), (said.as_bytes(), peer));
        }
        let listed = stage.ipvsadm("-L -n -c --persistent-conn");
        let server = SocketAddr::new(family(servers[0].address), PORT);
        let row = format!("{server:<16} sip                out@a");
        assert!(listed.contains(&row), "{listed}");
    }
}

/// Where calls have connections, as without `-o`, and all clients of a network are one.
#[test]
fn a_call_of_a_network_is_forgotten_after_its_connections() {
    let mut stage = Stage::new(Hook::Tc);
    let link = stage.topology.client.link("eth0").unwrap();
    link.add_address(OTHER, 24).unwrap();
    stage.start_daemon();
    stage.ipvsadm("--set 0 0 1");
    let service = SocketAddr::new(VIP.into(), PORT);
    let _answering = serve(&stage, service, "-p 3 -M 255.255.255.0");
    let from = |address: Ipv4Addr, port| socket(&stage, (address, port).into(), service);
    let one = ask(&from(CLIENT, 40_001), &message("one@a"));
    let two = ask(&from(CLIENT, 40_002), &message("two@a"));
    assert_ne!(one, two);
    assert_eq!(ask(&from(OTHER, 40_003), &message("one@a")), one);
    assert_eq!(ask(&from(OTHER, 40_004), &message("two@a")), two);
    let kept = || {
        let plane = stage.topology.director.run(DataPlane::recover).unwrap();
        plane.unwrap().unwrap().maps.calls().unwrap().len()
    };
    assert_eq!(kept(), 2);
    let begin = Instant::now();
    while kept() > 0 {
        assert!(begin.elapsed() < FORGETTING, "Call-IDs stay");
        thread::sleep(Duration::from_millis(500));
    }
    let flows = stage.ipvsadm("-L -n -c");
    assert_eq!(flows.lines().count(), 2, "{flows}");
}
