//! The rules of deny.toml about licences, banned crates and second versions, without cargo-deny.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use spdx::{Expression, ParseMode};

mod common;
use common::{metadata, packages, root, text};

/// The part of deny.toml that is held here; cargo-deny reads the rest.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Entry>,
    skip: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// Both workspaces: their packages, of all targets that deny.toml names.
fn everything(rules: &Rules) -> Vec<Value> {
    let mut arguments = Vec::new();
    for target in &rules.graph.targets {
        arguments.extend(["--filter-platform", target]);
    }
    ["Cargo.toml", "dataplane/ebpf/Cargo.toml"]
        .map(|manifest| metadata(manifest, &arguments))
        .into_iter()
        .collect()
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("read deny.toml");
    toml::from_str(&text).expect("deny.toml is as expected")
}

fn is_allowed(expression: &str, allow: &BTreeSet<String>) -> bool {
    let expression = Expression::parse_mode(expression, ParseMode::LAX);
    expression
        .is_ok_and(|expression| expression.evaluate(|licence| allow.contains(&licence.to_string())))
}

#[test]
fn licences_are_on_the_list() {
    let rules = rules();
    for metadata in everything(&rules) {
        for package in packages(&metadata) {
            let (name, licence) = (text(package, "name"), text(package, "license"));
            assert!(
                is_allowed(licence, &rules.licenses.allow),
                "{name} is under \"{licence}\", which deny.toml does not allow"
            );
        }
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allow = BTreeSet::from(["MIT".to_owned(), "Apache-2.0".to_owned()]);
    assert!(is_allowed("MIT", &allow));
    assert!(is_allowed("GPL-2.0-only OR (MIT AND Apache-2.0)", &allow));
    assert!(is_allowed("MIT/GPL-2.0", &allow));
    assert!(!is_allowed("MIT AND GPL-2.0-only", &allow));
    assert!(!is_allowed("Apache-2.0 WITH LLVM-exception", &allow));
    assert!(!is_allowed("", &allow));
}

#[test]
fn no_banned_crate_is_used() {
    let rules = rules();
    let banned: BTreeMap<&str, &str> = rules
        .bans
        .deny
        .iter()
        .map(|entry| (entry.name.as_str(), entry.reason.as_str()))
        .collect();
    for metadata in everything(&rules) {
        for package in packages(&metadata) {
            let name = text(package, "name");
            if let Some(reason) = banned.get(name) {
                panic!("{name} is banned by deny.toml: {reason}");
            }
        }
    }
}

#[test]
fn no_crate_has_a_second_version_without_a_reason() {
    let rules = rules();
    for metadata in everything(&rules) {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in resolved(&metadata) {
            let (name, version) = (text(package, "name"), text(package, "version"));
            if !is_skipped(name, version, &rules.bans.skip) {
                versions.entry(name).or_default().insert(version);
            }
        }
        for (name, versions) in versions {
            assert!(
                versions.len() == 1,
                "{name} is used in versions {versions:?}: make them one, or give the older a \
                 line with a reason under `skip` in deny.toml"
            );
        }
    }
}

/// The packages that are in the resolved graph: `packages` may list more.
fn resolved(metadata: &Value) -> impl Iterator<Item = &Value> {
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a list");
    let ids: BTreeSet<&str> = nodes.iter().map(|node| text(node, "id")).collect();
    packages(metadata).filter(move |package| ids.contains(text(package, "id")))
}

/// Whether a `name@version` of the list means this version: `syn@2` means every 2.x.
fn is_skipped(name: &str, version: &str, skip: &[Entry]) -> bool {
    skip.iter()
        .filter_map(|entry| entry.name.split_once('@'))
        .filter(|(skipped, _)| *skipped == name)
        .any(|(_, prefix)| version == prefix || version.starts_with(&format!("{prefix}.")))
}

#[test]
fn every_exception_has_a_reason() {
    let bans = rules().bans;
    for entry in bans.deny.iter().chain(&bans.skip) {
        assert!(!entry.reason.is_empty(), "{} has no reason", entry.name);
    }
}
