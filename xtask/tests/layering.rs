//! Dependencies point downward only.
//!
//! A packet's way is `ebpf -> core`, a command's way is `ferrovs -> control -> kernel`, and they
//! meet only in the tables that `core` defines. What a crate may use of this workspace is said
//! here; what it uses in its own tests is its own affair.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

mod common;
use common::{metadata, packages, text};

/// Each crate of the house, and which others it may use.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("ferrovs-core", &[]),
    ("ferrovs-ebpf", &["ferrovs-core"]),
    ("ferrovs-object", &[]),
    ("ferrovs-kernel", &["ferrovs-core", "ferrovs-object"]),
    ("ferrovs-sim", &["ferrovs-core"]),
    ("ferrovs-model", &["ferrovs-core"]),
    ("ferrovs-api", &["ferrovs-model"]),
    ("ferrovs-config", &["ferrovs-model"]),
    ("ferrovs-lab", &[]),
    (
        "ferrovs",
        &[
            "ferrovs-api",
            "ferrovs-config",
            "ferrovs-core",
            "ferrovs-kernel",
            "ferrovs-lab",
            "ferrovs-model",
        ],
    ),
    (
        "ferrovs-tests",
        &[
            "ferrovs",
            "ferrovs-api",
            "ferrovs-config",
            "ferrovs-core",
            "ferrovs-kernel",
            "ferrovs-lab",
            "ferrovs-model",
            "ferrovs-object",
            "ferrovs-sim",
        ],
    ),
    ("ferrovs-fuzz", &["ferrovs", "ferrovs-sim", "ferrovs-tests"]),
    ("xtask", &[]),
];

/// Crates that do I/O or run futures: out of reach for the model, which only decides.
const RUNTIMES: [&str; 8] = [
    "aya",
    "axum",
    "hyper",
    "mio",
    "nix",
    "rtnetlink",
    "socket2",
    "tokio",
];

/// Names of the crates that a package is compiled with, those of its tests left out.
fn used(package: &Value) -> impl Iterator<Item = &str> {
    let dependencies = package["dependencies"].as_array().expect("a list");
    dependencies
        .iter()
        .filter(|dependency| text(dependency, "kind") != "dev")
        .map(|dependency| text(dependency, "name"))
}

fn ours() -> Vec<Value> {
    ["Cargo.toml", "dataplane/ebpf/Cargo.toml", "fuzz/Cargo.toml"]
        .iter()
        .flat_map(|manifest| {
            let metadata = metadata(manifest, &["--no-deps"]);
            packages(&metadata).cloned().collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let may_use = BTreeMap::from(MAY_USE);
    let ours = ours();
    assert!(!ours.is_empty());
    for package in &ours {
        let name = text(package, "name");
        let allowed = may_use.get(name).unwrap_or_else(|| {
            panic!("{name} is new: say in MAY_USE of xtask/tests/layering.rs what it may use")
        });
        for dependency in used(package).filter(|other| may_use.contains_key(other)) {
            assert!(
                allowed.contains(&dependency),
                "{name} must not depend on {dependency}: dependencies point downward only \
                 (MAY_USE in xtask/tests/layering.rs)"
            );
        }
    }
}

#[test]
fn the_order_has_no_circle() {
    let may_use = BTreeMap::from(MAY_USE);
    let mut placed = BTreeSet::new();
    while placed.len() < may_use.len() {
        let next = may_use
            .iter()
            .find(|(name, below)| {
                !placed.contains(*name) && below.iter().all(|other| placed.contains(other))
            })
            .map(|(name, _)| *name);
        placed.insert(next.expect("MAY_USE names a circle, or a crate that is not in it"));
    }
}

#[test]
fn core_depends_on_nothing() {
    let ours = ours();
    let core = ours.iter().find(|it| text(it, "name") == "ferrovs-core");
    let used: Vec<&str> = used(core.expect("the core")).collect();
    assert!(used.is_empty(), "ferrovs-core depends on {used:?}");
}

#[test]
fn model_knows_no_runtime() {
    let metadata = metadata("Cargo.toml", &["--filter-platform", HOST]);
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a list");
    let by_id: BTreeMap<&str, &Value> = nodes.iter().map(|node| (text(node, "id"), node)).collect();
    let names: BTreeMap<&str, &str> = packages(&metadata)
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();

    let model = names.iter().find(|(_, name)| **name == "ferrovs-model");
    let mut open = vec![*model.expect("the model").0];
    let mut reached = BTreeSet::new();
    while let Some(id) = open.pop() {
        if reached.insert(names[id]) {
            open.extend(compiled_with(by_id[id]));
        }
    }
    assert!(
        reached.contains("ferrovs-core"),
        "the walk found {reached:?}"
    );
    let found: Vec<_> = RUNTIMES
        .iter()
        .filter(|name| reached.contains(**name))
        .collect();
    assert!(found.is_empty(), "ferrovs-model reaches {found:?}");
}

/// Where the data plane runs at all; other targets' crates need not be downloaded.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// Ids of the packages that a node of the resolved graph is compiled with.
fn compiled_with(node: &Value) -> impl Iterator<Item = &str> {
    let is_normal = |dependency: &&Value| {
        let kinds = dependency["dep_kinds"].as_array().expect("a list");
        kinds.iter().any(|kind| kind["kind"].is_null())
    };
    let dependencies = node["deps"].as_array().expect("a list");
    dependencies
        .iter()
        .filter(is_normal)
        .map(|dependency| text(dependency, "pkg"))
}
