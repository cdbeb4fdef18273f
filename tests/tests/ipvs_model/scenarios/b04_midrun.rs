//! Weights, servers, schedulers and services that change while connections are open.

use ferrovs_tests::ipvs::{Forwarding, Key, Refusal, Server, Settings};

use crate::{
    show::{Row, View},
    stage::{Stage, real, tcp},
};

fn at(port: u16) -> impl Fn(&Row) -> bool {
    move |row| row.virtual_.port() == port
}

/// `ipvsadm -e` of a server.
fn weigh(stage: &mut Stage, key: &Key, host: u8, weight: u32) {
    let server = Server::masq(real(host, 80), weight);
    stage.rig.ipvs.edit_server(key, server).unwrap();
}

fn weights(stage: &mut Stage) {
    let key = tcp(1000);
    stage.title("wrr 1/1: 6 short, set 141 to weight 3, 8 short, set back to 1, 6 short");
    stage.service(key, Settings::new("wrr"), 80, &[1, 1]);
    stage.client(1000);
    stage.seq("", 6);
    weigh(stage, &key, 141, 3);
    stage.seq("", 8);
    weigh(stage, &key, 141, 1);
    stage.seq("", 6);

    let key = tcp(1001);
    stage.title("rr 1/1/1: 4 short, 143 to weight 0, 4 short, back, 6 short");
    stage.service(key, Settings::new("rr"), 80, &[1, 1, 1]);
    stage.client(1001);
    stage.seq("", 4);
    weigh(stage, &key, 143, 0);
    stage.seq("", 4);
    weigh(stage, &key, 143, 1);
    stage.seq("", 6);
}

fn a_server_leaves_and_comes_back(stage: &mut Stage) {
    let key = tcp(1002);
    stage.title("rr: 5 short, delete 143, 4 short, add it back, 6 short (where does it rejoin?)");
    stage.service(key, Settings::new("rr"), 80, &[1, 1, 1]);
    stage.client(1002);
    stage.seq("", 5);
    stage.rig.ipvs.delete_server(&key, real(143, 80)).unwrap();
    stage.seq("", 4);
    let server = Server::masq(real(143, 80), 1);
    stage.rig.ipvs.add_server(&key, server).unwrap();
    stage.seq("", 6);
    stage.list(&key, View::Plain);
}

fn another_scheduler(stage: &mut Stage) {
    let key = tcp(1003);
    stage.title("scheduler changed in mid-run (-E): rr -> wlc -> rr");
    stage.service(key, Settings::new("rr"), 80, &[1, 1, 1]);
    stage.client(1003);
    stage.open("", 4);
    stage
        .rig
        .ipvs
        .edit_service(&key, Settings::new("wlc"))
        .unwrap();
    stage.open("", 4);
    stage
        .rig
        .ipvs
        .edit_service(&key, Settings::new("rr"))
        .unwrap();
    stage.open("", 4);
    stage.list(&key, View::Plain);
    stage.reset_all();
}

fn weight_0(stage: &mut Stage) {
    let key = tcp(1004);
    stage.title("weight 0 with held connections: they go on, new ones go elsewhere");
    stage.service(key, Settings::new("wlc"), 80, &[1, 1]);
    stage.client(1004);
    stage.open("", 4);
    weigh(stage, &key, 141, 0);
    stage.ping();
    stage.seq("", 3);
    stage.list(&key, View::Plain);
    stage.reset_all();
}

fn server_deleted(stage: &mut Stage) {
    for (port, expires) in [(1010, false), (1011, true)] {
        let key = tcp(port);
        let expire_nodest_conn = u8::from(expires);
        stage.title(&format!(
            "server deleted with held connections, expire_nodest_conn={expire_nodest_conn}"
        ));
        stage.rig.ipvs.sysctls.expire_nodest_conn = expires;
        stage.service(key, Settings::new("rr"), 80, &[1, 1]);
        stage.client(port);
        stage.rig.patience = 2000;
        stage.open("", 4);
        stage.connections(at(port));
        stage.tape.expect("delete 143");
        stage.rig.ipvs.delete_server(&key, real(143, 80)).unwrap();
        stage.ping();
        stage.connections(at(port));
        stage.ping();
        stage.seq("", 2);
        stage.list(&key, View::Plain);
        stage.tape.expect("add 143 back");
        let server = Server::masq(real(143, 80), 1);
        stage.rig.ipvs.add_server(&key, server).unwrap();
        stage.list(&key, View::Plain);
        stage.ping();
        stage.connections(at(port));
        stage.reset_all();
    }
    stage.rig.ipvs.sysctls.expire_nodest_conn = false;
}

fn service_deleted(stage: &mut Stage) {
    for (port, expires) in [(1014, false), (1015, true)] {
        let key = tcp(port);
        let expire_nodest_conn = u8::from(expires);
        stage.title(&format!(
            "whole service deleted with held connections, expire_nodest_conn={expire_nodest_conn}"
        ));
        stage.rig.ipvs.sysctls.expire_nodest_conn = expires;
        stage.service(key, Settings::new("rr"), 80, &[1, 1]);
        stage.client(port);
        stage.rig.patience = 2000;
        stage.open("", 4);
        stage.rig.ipvs.delete_service(&key).unwrap();
        stage.ping();
        stage.seq("", 1);
        if expires {
            assert!(
                !stage
                    .rig
                    .ipvs
                    .conns()
                    .iter()
                    .any(|conn| conn.virtual_.port() == port)
            );
            // grep found nothing.
            stage.tape.expect("[sh rc=1]");
        } else {
            stage.connections(at(port));
        }
        stage.reset_all();
    }
    stage.rig.ipvs.sysctls.expire_nodest_conn = false;
}

fn everything_deleted(stage: &mut Stage) {
    let key = tcp(1020);
    stage.title("ipvsadm -C with held connections");
    stage.service(key, Settings::new("rr"), 80, &[1, 1]);
    stage.client(1020);
    stage.rig.patience = 2000;
    stage.open("", 4);
    stage.rig.ipvs.clear();
    stage.ping();
    stage.connections(at(1020));
    stage.seq("", 1);

    let key = tcp(1021);
    stage.title(
        "same service and servers set up again after -C: do the counters come back (dest trash)?",
    );
    stage.service(key, Settings::new("wlc"), 80, &[1, 1]);
    stage.client(1021);
    stage.open("", 4);
    stage.list(&key, View::Plain);
    stage.rig.ipvs.clear();
    stage.service(key, Settings::new("wlc"), 80, &[1, 1]);
    stage.list(&key, View::Plain);
    stage.list(&key, View::Stats);
    stage.ping();
    stage.seq("", 4);
    stage.reset_all();
}

fn another_way(stage: &mut Stage) {
    let key = tcp(1022);
    stage.title("forwarding method changed with held connections (-m -> -g on 141)");
    stage.service(key, Settings::new("rr"), 80, &[1, 1]);
    stage.client(1022);
    stage.rig.patience = 1500;
    stage.open("", 2);
    // ipvsadm gives such a server the service's port.
    let server = Server {
        forwarding: Forwarding::Route,
        ..Server::masq(real(141, 1022), 1)
    };
    let refused = stage.rig.ipvs.edit_server(&key, server);
    assert_eq!(refused, Err(Refusal::NoSuchDestination));
    stage.tape.expect("No such destination");
    stage.tape.expect("[sh rc=255]");
    stage.ping();
    stage.list(&key, View::Plain);
    stage.seq("", 2);
}

#[test]
fn changes_in_mid_run() {
    let mut stage = Stage::new("b04-midrun");
    weights(&mut stage);
    a_server_leaves_and_comes_back(&mut stage);
    another_scheduler(&mut stage);
    weight_0(&mut stage);
    server_deleted(&mut stage);
    service_deleted(&mut stage);
    everything_deleted(&mut stage);
    another_way(&mut stage);
    assert_eq!((stage.rig.surprises, stage.rig.rejections), (0, 0));
    stage.tape.finish(&[]);
}
