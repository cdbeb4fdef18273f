//! Programs on interfaces, with the real kernel: attached, found again, swapped, taken away.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod stage;

use std::os::fd::AsFd;

use ferrovs_core::{
    abi::{LAYOUT, config, interface},
    tables::{Line, Tables},
};
use ferrovs_kernel::{
    DataPlane, Error, HookChoice, Keeper, Targets, Tuning, sys, take_down, wanted,
};
use stage::{Stage, data_plane, keeper, targets};

/// Names of the hooked interfaces and their hooks.
fn hooked(keeper: &Keeper) -> Vec<(String, &'static str)> {
    let hooks = keeper.hooks().iter();
    hooks
        .map(|hook| (hook.hooking.name.clone(), hook.name()))
        .collect()
}

fn program_id(plane: &DataPlane) -> u32 {
    let info = sys::program_info(plane.programs.tc.as_fd()).unwrap();
    info.id
}

fn pairs(hooks: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    hooks
        .iter()
        .map(|&(name, hook)| (name.to_owned(), hook))
        .collect()
}

#[test]
fn programs_and_tables_outlive_whoever_attached_them() {
    let stage = Stage::new("outlive");
    stage.run(|| {
        assert!(DataPlane::recover().unwrap().is_none());
        let id = {
            let plane = data_plane();
            let mut keeper = keeper(&plane);
            let targets = targets(HookChoice::Tc);
            keeper.prepare(&targets).unwrap();
            keeper.settle(targets).unwrap();
            assert_eq!(
                hooked(&keeper),
                pairs(&[("outside", "tc"), ("inside", "tc")])
            );
            for size in [9000, 10] {
                wanted::store(&plane.maps, &vec![b'x'; size]).unwrap();
            }
            for size in [5000, 20] {
                wanted::append(&plane.maps, &vec![b'y'; size]).unwrap();
            }
            program_id(&plane)
        };
        // All descriptors are closed; only the interfaces hold the programs now.
        let found = DataPlane::recover().unwrap().unwrap();
        assert_eq!(program_id(&found), id);
        let texts = [vec![b'x'; 10], vec![b'y'; 5000], vec![b'y'; 20]];
        assert_eq!(wanted::load(&found.maps).unwrap(), texts);
        let names = take_down(Some(&found.maps), &Tuning::new()).unwrap();
        assert_eq!(names, ["outside", "inside"]);
        assert!(DataPlane::recover().unwrap().is_none());
        assert!(take_down(None, &Tuning::new()).unwrap().is_empty());
    });
}

#[test]
fn tables_of_another_layout_are_left_alone() {
    let stage = Stage::new("layout");
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        let head = (&plane.maps).config(0).unwrap();
        head.store(config::LAYOUT, LAYOUT + 1);
        match DataPlane::recover() {
            Err(Error::OtherLayout {
                interface,
                found,
                ours,
            }) => {
                assert_eq!(interface, "outside");
                assert_eq!((found, ours), (LAYOUT + 1, LAYOUT));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(sys::tcx_query(hooks_index(&keeper)).unwrap().len(), 1);
        take_down(None, &Tuning::new()).unwrap();
        assert!(sys::tcx_query(hooks_index(&keeper)).unwrap().is_empty());
    });
}

fn hooks_index(keeper: &Keeper) -> u32 {
    keeper.hooks()[0].hooking.interface
}

#[test]
fn xdp_and_tc_change_places_and_the_table_of_interfaces_follows() {
    let stage = Stage::new("swap");
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        let watched = || {
            let lines = (0..interface::LINES).filter_map(|n| (&plane.maps).interface(n));
            lines
                .filter(|line| line.load(interface::INDEX) != 0)
                .count()
        };
        keeper.settle(targets(HookChoice::Xdp)).unwrap();
        assert_eq!(
            hooked(&keeper),
            pairs(&[("outside", "xdp"), ("inside", "xdp")])
        );
        assert_eq!(watched(), 2);
        // Settled again, nothing is attached twice.
        keeper.settle(targets(HookChoice::Xdp)).unwrap();
        keeper.settle(targets(HookChoice::Tc)).unwrap();
        assert_eq!(
            hooked(&keeper),
            pairs(&[("outside", "tc"), ("inside", "tc")])
        );
        let anchored = Targets {
            anchored: true,
            ..Targets::default()
        };
        keeper.settle(anchored).unwrap();
        assert_eq!(hooked(&keeper), pairs(&[("lo", "tc")]));
        assert_eq!(watched(), 0);
        keeper.settle(Targets::default()).unwrap();
        assert!(DataPlane::recover().unwrap().is_none());
    });
}

#[test]
fn a_later_daemons_programs_take_the_place_of_an_earlier_ones() {
    let stage = Stage::new("later");
    stage.run(|| {
        let (first, second) = (data_plane(), data_plane());
        keeper(&first).settle(targets(HookChoice::Xdp)).unwrap();
        let mut keeper = keeper(&second);
        keeper.settle(targets(HookChoice::Xdp)).unwrap();
        let there = sys::tcx_query(hooks_index(&keeper)).unwrap();
        assert_eq!(there, [program_id(&second)]);
        keeper.down().unwrap();
    });
}

#[test]
fn what_cannot_be_hooked_leaves_nothing_hooked() {
    let stage = Stage::new("refuse");
    for name in ["inside", "server"] {
        let home = if name == "inside" {
            &stage.director
        } else {
            &stage.peer
        };
        home.link(name).unwrap().set_mtu(9000).unwrap();
    }
    stage.run(|| {
        let plane = data_plane();
        let mut keeper = keeper(&plane);
        let error = keeper.prepare(&targets(HookChoice::Xdp)).unwrap_err();
        // The kernel's own words, and which interface.
        let said = error.to_string();
        assert!(
            said.contains("xdp program to inside") && said.contains("MTU"),
            "{said}"
        );
        assert!(DataPlane::recover().unwrap().is_none());
    });
}
