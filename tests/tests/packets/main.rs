//! One table of packets through the core on slices and through the committed object in the kernel.
//!
//! [`cases`] is the table. [`run`] takes a case to a [`home`] by one of two ways: tc alone, or XDP and
//! behind it tc, as packets go when XDP leaves them. After each step the verdict, every byte of the
//! packet, all flows, all counters and the reasons are compared with what the case says ([`model`]),
//! and the two homes with each other; every checksum of every output is computed from scratch
//! ([`verify`]). [`property`] does the same with random packets,
//! [`cost`] says what they cost.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod case;
mod cases;
mod cost;
mod hexdump;
mod home;
mod many;
mod model;
mod object;
mod observe;
mod packet;
mod property;
mod run;
mod slices;
mod test_run;
mod tunnel;
mod verify;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use case::Case;
use object::Stage;
use run::{Hooks, Seen};
use slices::Slices;

/// The least number of cases: fewer would mean that some got lost.
const CASES: usize = 300;

#[test]
fn the_table_is_whole() {
    let cases = cases::all();
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    assert!(cases.len() >= CASES, "{} cases", cases.len());
    assert!(cases.iter().all(|case| !case.steps.is_empty()));
}

#[test]
fn the_core_on_slices() {
    let mut failures = Vec::new();
    for case in cases::all() {
        for hooks in Hooks::BOTH {
            failures.extend(on_slices(&case, hooks).err());
        }
    }
    report(&failures);
}

#[test]
fn the_object_in_the_kernel() {
    let stage = Stage::new("ferrovs-packets");
    let mut by_size: BTreeMap<u32, Vec<Case>> = BTreeMap::new();
    for case in cases::all() {
        by_size.entry(case.world.buckets).or_default().push(case);
    }
    let mut failures = Vec::new();
    for (buckets, cases) in by_size {
        failures.extend(stage.run(|| in_kernel(&stage, buckets, &cases)));
    }
    report(&failures);
}

/// What went wrong in the kernel, with tables of so many buckets.
fn in_kernel(stage: &Stage, buckets: u32, cases: &[Case]) -> Vec<String> {
    let mut object = stage.load(buckets);
    let mut failures = Vec::new();
    for case in cases {
        for hooks in Hooks::BOTH {
            object.clear();
            match (run::run(case, &object, hooks), on_slices(case, hooks)) {
                (Ok(object), Ok(core)) => failures.extend(difference(case, &object, &core)),
                (Err(problem), _) | (_, Err(problem)) => failures.push(problem),
            }
        }
    }
    failures
}

fn on_slices(case: &Case, hooks: Hooks) -> Result<Vec<Seen>, String> {
    run::run(case, &Slices::new(&case.world), hooks)
}

/// Where two homes disagree, if they do.
fn difference(case: &Case, object: &[Seen], core: &[Seen]) -> Option<String> {
    let mut pairs = object.iter().zip(core);
    let (object, core) = pairs.find(|(object, core)| {
        let refused = object.packet.is_none();
        let packets = refused || object.random || object.packet == core.packet;
        let books = object.random || object.books == core.books;
        !packets || !books
    })?;
    let name = &case.name;
    Some(format!(
        "case {name:?}: the object\n{object:#?}\ndiffers from the core\n{core:#?}"
    ))
}

fn report(failures: &[String]) {
    let text = failures.join("\n\n");
    assert!(
        failures.is_empty(),
        "{} failures:\n\n{text}",
        failures.len()
    );
}
