//! The look-alikes of /proc/net against what was recorded from the kernel.

use ferrovs::{
    ipvsadm::{Backend, Program, Session},
    proc,
};

use ferrovs_tests::memory::{Director, Recorder};

/// Services with their servers, in an order that does not depend on the kernel's boot; the title first.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with("  ->") => *block += &format!("\n{line}"),
            _ => blocks.push(line.to_owned()),
        }
    }
    blocks.sort();
    blocks
}

#[test]
fn services_are_told_as_in_proc() {
    let directory = format!("{}/fixtures/proc", env!("CARGO_MANIFEST_DIR"));
    let commands = std::fs::read(format!("{directory}/ip_vs.commands")).unwrap();
    let recorded = std::fs::read_to_string(format!("{directory}/ip_vs.txt")).unwrap();
    let mut director = Director::default();
    let mut input = commands.as_slice();
    let mut err = Vec::new();
    let status = Program::Ipvsadm.main(
        &["-R".to_owned()],
        Session {
            program: "ipvsadm",
            backend: &mut director,
            names: &Recorder,
            input: &mut input,
            out: &mut Vec::new(),
            err: &mut err,
        },
    );
    assert_eq!(
        (status, String::from_utf8(err).unwrap()),
        (0, String::new())
    );
    let mut printed = Vec::new();
    proc::print_services(&director.services().unwrap().services, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert_eq!(blocks(&printed), blocks(&recorded));
}
