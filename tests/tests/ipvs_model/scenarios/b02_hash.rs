//! Hashing: one connection from each of 24 addresses, then from each of 24 ports; tables after changes; many virtual
//! addresses behind one mark.

use std::net::SocketAddr;

use ferrovs_tests::ipvs::{Flags, Key, Server, Settings};

use crate::{
    rig::VIP,
    show::View,
    stage::{HOSTS, Stage, real, tcp},
};

/// Weights, and whether the recording keeps the lines.
const WEIGHTS: [(&[u32], bool); 5] = [
    (&[1, 1], true),
    (&[3, 1], true),
    (&[5, 2, 1], false),
    (&[1, 0, 1], false),
    (&[1, 1, 1, 1], true),
];

const PORT: Flags = Flags {
    fallback: false,
    port: true,
};
const FALLBACK: Flags = Flags {
    fallback: true,
    port: false,
};

const UNKNOWN_PORTS: &str = "hashes ports that the client chose and nobody recorded";

fn everybody(stage: &mut Stage) {
    let services = [
        ("rr", Settings::new("rr")),
        ("lc", Settings::new("lc")),
        ("wlc", Settings::new("wlc")),
        ("sh", Settings::new("sh")),
        ("sh -b sh-port", flagged("sh", PORT)),
        ("sh -b sh-fallback", flagged("sh", FALLBACK)),
        ("mh", Settings::new("mh")),
        ("mh -b mh-port", flagged("mh", PORT)),
        ("mh -b mh-fallback", flagged("mh", FALLBACK)),
        ("dh", Settings::new("dh")),
        ("lblc", Settings::new("lblc")),
        ("lblcr", Settings::new("lblcr")),
    ];
    let mut port = 1000;
    for (title, settings) in services {
        stage.title(title);
        for (weights, is_kept) in WEIGHTS {
            port += 1;
            if !is_kept {
                stage.rig.seq_ports_somewhere(&HOSTS[..weights.len()]);
                continue;
            }
            stage.service(tcp(port), settings, 80, weights);
            let words: Vec<String> = weights.iter().map(u32::to_string).collect();
            let prefix = |what| format!("w={:<8} {what}", words.join("/"));
            stage.client(port);
            stage.rig.gap = 5;
            let clients = prefix("clients .60-.83:        ");
            if settings.flags == PORT {
                stage.tape.leave(&clients, UNKNOWN_PORTS);
            } else {
                stage.seq_addresses(&clients);
            }
            stage.client(port);
            stage.rig.gap = 5;
            stage.seq_ports(&prefix(".60 sports 40000-40023:  "));
            stage.rig.ipvs.clear();
        }
    }
    // All by rr, lc and wlc: a hash leads to the same server again, which has forgotten by then.
    assert_eq!(stage.rig.rejections, 35);
}

const fn flagged(scheduler: &'static str, flags: Flags) -> Settings {
    Settings {
        flags,
        ..Settings::new(scheduler)
    }
}

/// One server gets the weight 0, is taken away, comes back, and gets more weight.
fn changes(stage: &mut Stage, key: Key, settings: Settings, is_listed: bool) {
    stage.service(key, settings, 80, &[1, 1, 1]);
    let server = |weight| Server::masq(real(143, 80), weight);
    for step in ["-e 143 -w 0", "-d 143", "-a 143 -w 1", "-e 143 -w 3"] {
        visits(stage, &key);
        let ipvs = &mut stage.rig.ipvs;
        match step {
            "-d 143" => ipvs.delete_server(&key, real(143, 80)).unwrap(),
            "-a 143 -w 1" => ipvs.add_server(&key, server(1)).unwrap(),
            "-e 143 -w 0" => ipvs.edit_server(&key, server(0)).unwrap(),
            _ => ipvs.edit_server(&key, server(3)).unwrap(),
        }
        stage.tape.expect(step);
        if is_listed {
            stage.rows(&key, View::Plain);
        }
    }
    visits(stage, &key);
    stage.rig.ipvs.clear();
}

fn visits(stage: &mut Stage, key: &Key) {
    let Key::Address(_, address) = *key else {
        panic!("a service by address");
    };
    stage.client(address.port());
    stage.rig.gap = 5;
    stage.seq_addresses("");
}

/// One connection to each of nine addresses that a mark leads to, twice.
fn marked(stage: &mut Stage, scheduler: &'static str) {
    let key = Key::Mark {
        mark: 7,
        ipv6: false,
    };
    let ipvs = &mut stage.rig.ipvs;
    ipvs.add_service(key, Settings::new(scheduler)).unwrap();
    for host in &HOSTS[..3] {
        ipvs.add_server(&key, Server::masq(real(*host, 0), 1))
            .unwrap();
    }
    stage.client(80);
    stage.rig.marks = vec![(80, 7)];
    let [a, b, c, _] = VIP.octets();
    let address = |place: usize| [a, b, c, 1 + (place % 9) as u8];
    let prefix = format!("{scheduler:<6} VIPs .1-.9 twice: ");
    stage.seq_targets(&prefix, 18, |place| SocketAddr::from((address(place), 80)));
    stage.rig.marks.clear();
    stage.rig.ipvs.clear();
}

#[test]
fn hashing() {
    let mut stage = Stage::new("b02-hash");
    everybody(&mut stage);
    stage.title(
        "sh: the weight of one server set to 0 after the table was built, then deleted, \
         then added back (order matters?)",
    );
    changes(&mut stage, tcp(900), Settings::new("sh"), true);
    stage.title("mh: same");
    changes(&mut stage, tcp(901), Settings::new("mh"), false);
    stage.title("sh/mh all weights 0; sh without servers");
    stage.service(tcp(902), Settings::new("sh"), 80, &[0, 0]);
    stage.service(tcp(903), Settings::new("mh"), 80, &[0, 0]);
    stage.service(tcp(904), Settings::new("sh"), 80, &[]);
    for port in [902, 903, 904] {
        stage.client(port);
        stage.seq("", 2);
    }
    stage.rig.ipvs.clear();
    stage.title("dh with several virtual addresses behind one fwmark");
    for scheduler in ["dh", "lblc", "lblcr"] {
        marked(&mut stage, scheduler);
    }
    assert_eq!(stage.rig.surprises, 0);
    stage.tape.finish(&[(UNKNOWN_PORTS, 6)]);
}
