//! The keeper in trouble, with the real kernel: what it leaves alone, tries again, and goes on past.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod stage;

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use ferrovs_core::{
    abi::config,
    tables::{Line, Tables},
};
use ferrovs_kernel::{DataPlane, Error, HookChoice, Keeper, Targets, Tuning};
use stage::{Stage, data_plane, keeper, targets};

fn heartbeat(plane: &DataPlane) -> u64 {
    (&plane.maps).config(0).unwrap().load(config::HEARTBEAT)
}

fn hooks(keeper: &Keeper) -> Vec<(&str, &str)> {
    let hooks = keeper.hooks().iter();
    hooks
        .map(|hook| (hook.hooking.name.as_str(), hook.name()))
        .collect()
}

#[test]
fn before_anything_was_settled_all_is_left_as_it_was() {
    let stage = Stage::new("before");
    stage.run(|| {
        let plane = data_plane();
        keeper(&plane).settle(targets(HookChoice::Tc)).unwrap();
        let mut later = keeper(&plane);
        let outside = stage.director.link("outside").unwrap();
        outside
            .add_address(Ipv4Addr::new(10, 77, 3, 1), 24)
            .unwrap();
        later.work().unwrap();
        assert_eq!(heartbeat(&plane), 0);
        let found = DataPlane::recover().unwrap();
        assert!(found.is_some(), "the programs were taken away");
        later.settle(targets(HookChoice::Tc)).unwrap();
        later.work().unwrap();
        assert_ne!(heartbeat(&plane), 0);
        later.down().unwrap();
    });
}

#[test]
fn what_failed_is_tried_again_and_the_heart_waits_for_it() {
    let stage = Stage::new("again");
    stage.run(|| {
        let plane = data_plane();
        let mut failures = 2;
        let remember = Box::new(move |_: &_| {
            if failures == 0 {
                return Ok(());
            }
            failures -= 1;
            Err(Error::Object("not now".to_owned()))
        });
        let mut keeper = Keeper::new(Arc::clone(&plane), Tuning::new(), remember).unwrap();
        keeper.settle(targets(HookChoice::Tc)).unwrap_err();
        keeper.work().unwrap_err();
        assert_eq!(heartbeat(&plane), 0);
        keeper.work().unwrap();
        assert_ne!(heartbeat(&plane), 0);
        keeper.down().unwrap();
    });
}

#[test]
fn an_interface_that_cannot_be_hooked_holds_nothing_else_up() {
    let stage = Stage::new("past");
    let set_mtu = |mtu| {
        stage.director.link("inside").unwrap().set_mtu(mtu).unwrap();
        stage.peer.link("server").unwrap().set_mtu(mtu).unwrap();
    };
    set_mtu(9000);
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Xdp)).unwrap();
        keeper.work().unwrap();
        assert_eq!(hooks(&keeper), [("outside", "xdp")]);
        assert_ne!(heartbeat(&plane), 0);
        // Nor another change.
        keeper.prepare(&targets(HookChoice::Xdp)).unwrap();
    });
    set_mtu(1500);
    stage.run(|| {
        let plane = Arc::new(DataPlane::recover().unwrap().unwrap());
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        set_mtu(9000);
        keeper.settle(targets(HookChoice::Xdp)).unwrap();
        // What is there stays.
        assert_eq!(hooks(&keeper), [("outside", "xdp"), ("inside", "tc")]);
        set_mtu(1500);
        let begin = Instant::now();
        while hooks(&keeper) != [("outside", "xdp"), ("inside", "xdp")] {
            assert!(begin.elapsed() < Duration::from_secs(6), "not tried again");
            keeper.work().unwrap();
            std::thread::sleep(Duration::from_millis(50));
        }
        keeper.down().unwrap();
    });
}

#[test]
fn a_named_interface_may_go_later() {
    let stage = Stage::new("gone");
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        let named = |name: &str| Targets {
            named: vec![name.to_owned()],
            ..targets(HookChoice::Tc)
        };
        keeper.require(&["outside".to_owned()]).unwrap();
        let error = keeper.require(&["nowhere".to_owned()]).unwrap_err();
        assert!(matches!(error, Error::NoInterface(_)), "{error}");
        keeper.prepare(&named("outside")).unwrap();
        keeper.settle(named("outside")).unwrap();
        keeper.prepare(&named("nowhere")).unwrap();
        keeper.settle(named("nowhere")).unwrap();
        keeper.work().unwrap();
        keeper.down().unwrap();
    });
}
