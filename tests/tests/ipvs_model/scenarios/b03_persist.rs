//! Persistence: templates by client, by network, for all ports and for a mark; what ends them.

use ferrovs_tests::ipvs::{Key, Persistence, Server, Settings};

use crate::{
    show::{Row, View},
    stage::{Stage, real, tcp, vip},
};

const fn persistent(scheduler: &'static str, timeout: u64) -> Settings {
    masked(scheduler, timeout, u32::MAX)
}

const fn masked(scheduler: &'static str, timeout: u64, netmask: u32) -> Settings {
    Settings {
        persistence: Some(Persistence { timeout, netmask }),
        ..Settings::new(scheduler)
    }
}

/// Connections of the service at a port.
fn at(port: u16) -> impl Fn(&Row) -> bool {
    move |row| row.virtual_.port() == port
}

fn one_client(stage: &mut Stage) {
    let key = tcp(1000);
    stage.title("persistence -p 60, rr, one client: 6 short");
    stage.service(key, persistent("rr", 60), 80, &[1, 1, 1]);
    stage.client(1000);
    stage.seq("", 6);
    stage.titles_of_connections();
    stage.connections(|_| true);
    stage.list_all(&key, View::Persistent);
    stage.list_all(&key, View::Plain);
}

fn several_clients(stage: &mut Stage) {
    stage.title("two clients (.60 .61 .60 .61), then 24 clients");
    stage.service(tcp(1001), persistent("rr", 60), 80, &[1, 1, 1]);
    stage.client(1001);
    for host in [60, 61, 60, 61] {
        stage.rig.bind = [169, 254, 179, host].into();
        stage.seq("", 2);
    }
    stage.seq_addresses("");
    stage.seq_addresses("");
}

fn networks(stage: &mut Stage) {
    let key = tcp(1002);
    stage.title("netmask /24: .179.60 .179.61 .178.60");
    stage.service(key, masked("rr", 60, 0xffff_ff00), 80, &[1, 1, 1]);
    stage.client(1002);
    for [network, host] in [[179, 60], [179, 61], [178, 60], [179, 70]] {
        stage.rig.bind = [169, 254, network, host].into();
        stage.seq("", 2);
    }
    stage.connections(|row| at(1002)(row) && row.client.port() == 0);
    stage.list(&key, View::Persistent);
}

fn held_connections(stage: &mut Stage) {
    let key = tcp(1003);
    stage.title("wlc -p 60, held connections from 8 clients");
    stage.service(key, persistent("wlc", 60), 80, &[1, 1]);
    stage.client(1003);
    stage.open_addresses(8);
    stage.open_addresses(8);
    stage.list(&key, View::Plain);
    stage.list(&key, View::Persistent);
    stage.reset_all();
}

fn put_off(stage: &mut Stage) {
    stage.title(
        "-p 3: the template expires? connect, close, wait 1 s, 8 s \
         (template lives on while a controlled connection is in the table)",
    );
    stage.service(tcp(1004), persistent("rr", 3), 80, &[1, 1, 1]);
    stage.client(1004);
    stage.seq("", 1);
    stage.connections(at(1004));
    stage.rig.ipvs.advance(1000);
    stage.seq("", 1);
    stage.connections(at(1004));
    stage.rig.ipvs.advance(8000);
    stage.connections(at(1004));
    stage.seq("", 2);
    stage.connections(at(1004));
    stage.title("-p 3 with a RST close (CLOSE state lasts 10 s), wait 16 s");
    stage.service(tcp(1005), persistent("rr", 3), 80, &[1, 1, 1]);
    stage.client(1005);
    stage.open("", 1);
    stage.reset(0);
    stage.connections(at(1005));
    stage.rig.ipvs.advance(16_000);
    stage.connections(at(1005));
    stage.seq("", 2);
}

fn quiescent_server(stage: &mut Stage) {
    stage.title("persistence and weight 0 (quiescent): expire_quiescent_template=0 then 1");
    for (port, expires) in [(1006, false), (1007, true)] {
        let setting = format!("expire_quiescent_template={}", u8::from(expires));
        stage.rig.ipvs.sysctls.expire_quiescent_template = expires;
        stage.service(tcp(port), persistent("rr", 60), 80, &[1, 1]);
        stage.tape.expect(&setting);
        stage.client(port);
        stage.seq("", 2);
        let quiescent = Server::masq(real(143, 80), 0);
        stage.rig.ipvs.edit_server(&tcp(port), quiescent).unwrap();
        stage.client(port);
        stage.seq("", 3);
    }
    stage.rig.ipvs.sysctls.expire_quiescent_template = false;
}

fn deleted_server(stage: &mut Stage) {
    let key = tcp(1008);
    stage.title("persistence and a deleted server");
    stage.service(key, persistent("rr", 60), 80, &[1, 1]);
    stage.client(1008);
    stage.seq("", 2);
    stage.rig.ipvs.delete_server(&key, real(143, 80)).unwrap();
    stage.client(1008);
    stage.seq("", 3);
    let server = Server::masq(real(143, 80), 1);
    stage.rig.ipvs.add_server(&key, server).unwrap();
    stage.tape.expect("added back");
    stage.client(1008);
    stage.seq("", 3);
    stage.connections(at(1008));
}

fn all_ports(stage: &mut Stage) {
    let key = tcp(0);
    stage.title("port 0 persistent service (all ports)");
    stage.service(key, persistent("rr", 60), 0, &[1, 1]);
    stage.list(&key, View::Plain);
    stage.client(80);
    stage.seq("", 2);
    stage.titles_of_connections();
    stage.connections(is_no_service_by_port);
}

/// What `grep -v ':1[0-9][0-9][0-9]'` lets through: no service at a port of four digits.
fn is_no_service_by_port(row: &Row) -> bool {
    !(1000..2000).contains(&row.virtual_.port())
}

fn marked_ports(stage: &mut Stage) {
    let key = Key::Mark {
        mark: 9,
        ipv6: false,
    };
    stage.title("fwmark persistence groups two ports");
    stage.rig.marks = vec![(80, 9), (81, 9)];
    stage.rig.ipvs.delete_service(&tcp(0)).unwrap();
    stage.service(key, persistent("rr", 60), 0, &[1, 1]);
    for host in [60, 61] {
        stage.client(80);
        stage.rig.bind = [169, 254, 179, host].into();
        stage.seq("", 2);
        stage.rig.target = vip(81);
        stage.seq("", 2);
    }
    stage.list(&key, View::Plain);
    stage.titles_of_connections();
    stage.connections(is_no_service_by_port);
}

#[test]
fn persistence() {
    let mut stage = Stage::new("b03-persist");
    one_client(&mut stage);
    several_clients(&mut stage);
    networks(&mut stage);
    held_connections(&mut stage);
    put_off(&mut stage);
    quiescent_server(&mut stage);
    deleted_server(&mut stage);
    all_ports(&mut stage);
    marked_ports(&mut stage);
    assert_eq!((stage.rig.surprises, stage.rig.rejections), (0, 0));
    stage.tape.finish(&[]);
}
