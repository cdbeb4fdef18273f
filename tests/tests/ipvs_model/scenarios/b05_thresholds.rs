//! Thresholds: how many connections a server may have, and when it gets some again.

use ferrovs_tests::ipvs::{Key, Server, Settings};

use crate::{
    show::{Row, View},
    stage::{Stage, real, tcp},
};

fn server(host: u8, upper: u32, lower: u32) -> Server {
    Server {
        upper,
        lower,
        ..Server::masq(real(host, 80), 1)
    }
}

fn serve(stage: &mut Stage, key: Key, scheduler: &'static str, servers: &[Server]) {
    stage.service(key, Settings::new(scheduler), 80, &[]);
    for server in servers {
        stage.rig.ipvs.add_server(&key, *server).unwrap();
    }
}

fn both_thresholds(stage: &mut Stage) {
    let key = tcp(1000);
    stage.title("-x 2 -y 1 on 141, no limit on 143, rr: 8 held");
    serve(stage, key, "rr", &[server(141, 2, 1), server(143, 0, 0)]);
    stage.client(1000);
    stage.open("", 8);
    stage.list(&key, View::Thresholds);
    stage.seq("", 3);
    stage.tape.expect("close one of 141");
    stage.reset(1);
    stage.list(&key, View::Thresholds);
    let of_141 = |row: &Row| row.virtual_.port() == 1000 && row.server == real(141, 80);
    stage.connections(of_141);
    stage.seq("", 4);
    stage.tape.expect("wait 12 s for CLOSE to time out");
    stage.rig.ipvs.advance(12_000);
    stage.list(&key, View::Thresholds);
    stage.seq("", 4);
    stage.tape.expect("close the other");
    stage.reset(3);
    stage.rig.ipvs.advance(12_000);
    stage.list(&key, View::Thresholds);
    stage.open("", 6);
    stage.reset_all();
}

fn upper_threshold(stage: &mut Stage) {
    let key = tcp(1001);
    stage.title(
        "-x 2 on both (no -y: low mark = 3/4 of the high one): 6 held; \
         what does the 5th client see?",
    );
    serve(stage, key, "rr", &[server(141, 2, 0), server(143, 2, 0)]);
    stage.client(1001);
    stage.rig.patience = 4000;
    stage.open("", 6);
    stage.list(&key, View::Thresholds);
    stage.list(&key, View::Stats);
    stage.reset_all();
    stage.rig.ipvs.advance(11_000);
    stage.seq("", 2);
}

fn one_server(stage: &mut Stage) {
    let key = tcp(1002);
    stage.title("-x 4 -y 2 single server, wlc: short connections count too (InActConn)");
    serve(stage, key, "wlc", &[server(141, 4, 2)]);
    stage.client(1002);
    stage.rig.patience = 2500;
    stage.seq("", 6);
    stage.list(&key, View::Thresholds);
}

fn edited(stage: &mut Stage) {
    let key = tcp(1003);
    stage.title("threshold lowered / removed below the current count");
    serve(stage, key, "rr", &[server(141, 0, 0), server(143, 0, 0)]);
    stage.client(1003);
    stage.open("", 6);
    stage.rig.ipvs.edit_server(&key, server(141, 2, 1)).unwrap();
    stage.open("", 4);
    stage.rig.ipvs.edit_server(&key, server(141, 0, 0)).unwrap();
    stage.open("", 4);
    stage.list(&key, View::Thresholds);
    stage.reset_all();
}

#[test]
fn thresholds() {
    let mut stage = Stage::new("b05-thresholds");
    both_thresholds(&mut stage);
    upper_threshold(&mut stage);
    one_server(&mut stage);
    edited(&mut stage);
    assert_eq!((stage.rig.surprises, stage.rig.rejections), (0, 0));
    stage.tape.finish(&[]);
}
