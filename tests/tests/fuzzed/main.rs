//! What has been fuzzed goes on to hold: every kept input and every recorded command once more, on
//! stable Rust and without libFuzzer.

use std::panic;

use ferrovs_tests::fuzzed::{Target, corpus};

/// Checks every input, and names those that something did not hold for.
fn replay(target: Target, inputs: &[Vec<u8>]) {
    let fails = |input: &&Vec<u8>| panic::catch_unwind(|| target.check(input)).is_err();
    let failing: Vec<String> = inputs
        .iter()
        .filter(fails)
        .map(|input| input.escape_ascii().to_string())
        .collect();
    assert!(
        failing.is_empty(),
        "{}: of {} inputs these fail:\n{}",
        target.name(),
        inputs.len(),
        failing.join("\n")
    );
}

#[test]
fn kept_inputs_hold() {
    for target in Target::ALL {
        let inputs = corpus::read(target).expect("read the kept inputs");
        assert!(
            inputs.len() >= 100,
            "{}: only {}",
            target.name(),
            inputs.len()
        );
        replay(target, &inputs);
    }
}

#[test]
fn recorded_commands_hold() {
    for target in Target::ALL {
        let seeds = target.seeds();
        assert!(
            seeds.len() >= 100,
            "{}: only {}",
            target.name(),
            seeds.len()
        );
        replay(target, &seeds);
    }
}
