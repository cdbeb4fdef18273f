//! The demonstration with a daemon in it, and what tests do with it.

use std::{
    env,
    fs::File,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    process::Output,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ferrovs_kernel::Maps;
use ferrovs_lab::{
    Capture, Daemon, Hook, RealServer, Record, Topology, WebServers,
    capture::{Packet, Tally},
    http,
    udp::UdpServer,
};

use ferrovs_tests::{ferrovs, need_root, network};

/// Whether the tests run at their full length.
pub(crate) fn full() -> bool {
    env::var_os("FERROVS_FULL").is_some_and(|wish| wish == "1")
}

/// `short`, or `long` when the tests run at their full length.
pub(crate) fn sized<T>(short: T, long: T) -> T {
    if full() { long } else { short }
}

/// The time as captures note it.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Waits for the turn of a test: one runs at a time, whether tests are threads or processes. The turn ends
/// when the file is closed.
pub(crate) fn turn() -> File {
    need_root();
    let file = File::open(env::current_exe().unwrap()).unwrap();
    file.lock().unwrap();
    file
}

/// The demonstration. Dropping it takes everything away, whatever happened.
pub(crate) struct Stage {
    // In the order in which they go.
    daemon: Option<Daemon>,
    pub(crate) topology: Topology,
    pub(crate) hook: Hook,
    _turn: File,
}

impl Stage {
    /// Machines, cables and web servers; no daemon.
    pub(crate) fn new(hook: Hook) -> Self {
        let turn = turn();
        Self {
            daemon: None,
            topology: network(hook, &WebServers::Threads).unwrap(),
            hook,
            _turn: turn,
        }
    }

    /// As [`new`](Self::new), with a daemon and the demonstration's service.
    pub(crate) fn serving(hook: Hook) -> Self {
        let mut stage = Self::new(hook);
        stage.start_daemon();
        stage.add_service("-t", 80);
        stage
    }

    /// Starts a daemon in the director.
    pub(crate) fn start_daemon(&mut self) {
        self.start_daemon_with(&[]);
    }

    /// Starts a daemon in the director, with these arguments too.
    pub(crate) fn start_daemon_with(&mut self, arguments: &[&str]) {
        let daemon = Daemon::start(
            &self.topology.director,
            ferrovs(),
            self.hook,
            arguments,
            &self.log(),
        );
        self.daemon = Some(daemon.unwrap());
    }

    /// `kill -9`.
    pub(crate) fn kill_daemon(&mut self) {
        self.daemon.take().unwrap().kill().unwrap();
    }

    /// Ends the daemon in an orderly way.
    pub(crate) fn stop_daemon(&mut self) {
        let status = self.daemon.take().unwrap().stop().unwrap();
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
    }

    /// The number of the daemon's process.
    pub(crate) fn daemon_id(&self) -> u32 {
        self.daemon.as_ref().unwrap().id().unwrap()
    }

    /// What all daemons of this director have written.
    pub(crate) fn log(&self) -> PathBuf {
        self.topology.directory().join("daemon.log")
    }

    /// Has every server answer datagrams to this port.
    pub(crate) fn answer_datagrams(&self, port: u16) -> Vec<UdpServer> {
        let servers = self.topology.servers.iter();
        let answer = |server: &RealServer| {
            let address = SocketAddrV4::new(server.address, port);
            UdpServer::start(&server.namespace, address).unwrap()
        };
        servers.map(answer).collect()
    }

    /// A service of the virtual address, and all servers; `-t` or `-u`.
    pub(crate) fn add_service(&self, protocol: &str, port: u16) {
        let service = format!("{}:{port}", ferrovs_lab::VIP);
        self.ipvsadm(&format!("-A {protocol} {service} -s rr"));
        for server in &self.topology.servers {
            let server = server.address;
            self.ipvsadm(&format!("-a {protocol} {service} -r {server}:{port} -m"));
        }
    }

    /// Runs `ferrovs ARGUMENTS` in the director.
    pub(crate) fn ferrovs(&self, arguments: &str) -> Output {
        let words: Vec<_> = arguments.split(' ').collect();
        ferrovs_lab::ferrovs(&self.topology.director, ferrovs(), &words).unwrap()
    }

    /// Runs `ferrovs ipvsadm ARGUMENTS` in the director, which must succeed; what it prints.
    pub(crate) fn ipvsadm(&self, arguments: &str) -> String {
        let output = self.ferrovs(&format!("ipvsadm {arguments}"));
        assert!(output.status.success(), "ipvsadm {arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Loads the page of the virtual address; the server that sent it.
    pub(crate) fn page(&self) -> Ipv4Addr {
        let loaded = http::fetch(&self.topology.client, self.topology.service(), "/");
        http::server_of(&loaded.unwrap().text()).unwrap()
    }

    /// Whether the page of the virtual address comes at all.
    pub(crate) fn has_page(&self) -> bool {
        http::Get::new(self.topology.service(), "/")
            .limit(Duration::from_secs(1))
            .send(&self.topology.client)
            .is_ok()
    }

    /// Captures what passes at the client.
    pub(crate) fn capture(&self) -> Capture {
        Capture::start(&self.topology.client, "eth0").unwrap()
    }

    /// How the director counts a packet that a capture saw: at tc the kernel has joined those of a stream.
    pub(crate) fn count(&self, packet: &Packet) -> Tally {
        match self.hook {
            Hook::Xdp => packet.as_segments(),
            Hook::Tc | Hook::Auto => packet.as_joined(),
        }
    }

    /// How many packets took the slow way since the programs were loaded: the kernel was asked for the
    /// neighbour.
    pub(crate) fn resolved(&self) -> u64 {
        self.counted("resolved")
    }

    /// How often the reason of this name occurred since the programs were loaded.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let maps = self.topology.director.run(Maps::recover).unwrap();
        let reasons = maps.unwrap().unwrap().reasons();
        let found = reasons.iter().find(|(reason, _)| reason.name() == name);
        found.unwrap().1
    }

    /// The addresses of the servers that a record of pages must alternate between, the one that is served
    /// first at the front: IPVS begins with the newest.
    pub(crate) fn in_turn(&self) -> Vec<Ipv4Addr> {
        let addresses = self.topology.servers.iter().map(|server| server.address);
        addresses.rev().collect()
    }

    /// The packets that the director's own kernel has forwarded.
    pub(crate) fn forwarded_by_kernel(&self) -> u64 {
        let counter = self.topology.director.counter("Ip", "ForwDatagrams");
        counter.unwrap()
    }
}

/// Ends a capture, which must not have missed a packet.
pub(crate) fn finish(capture: Capture) -> Record {
    let settled = capture.settle(
        Duration::from_millis(300),
        Duration::from_secs(10),
        |packet| packet.direction.protocol == Packet::TCP,
    );
    assert!(settled, "the client's wire does not become quiet");
    let record = capture.stop().unwrap();
    assert_eq!(record.dropped, 0, "the capture missed packets");
    record
}
