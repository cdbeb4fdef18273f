//! What has been fuzzed goes on to hold: every kept input and every recorded command once more, on
//! stable Rust and without libFuzzer.

use std::{panic, thread};

use ferrovs_tests::fuzzed::{Target, corpus};

/// The stack of the program's main thread, where the inputs are read. A test's own has a quarter of it,
/// which is too small in a debug build for the deepest nesting that the parser of TOML goes into.
const STACK: usize = 8 << 20;

/// Checks every input, and names those that something did not hold for.
fn replay(target: Target, inputs: &[Vec<u8>]) {
    let fails = |input: &&Vec<u8>| panic::catch_unwind(|| target.check(input)).is_err();
    let failing: Vec<String> = thread::scope(|scope| {
        let find = || {
            let failing = inputs.iter().filter(fails);
            failing
                .map(|input| input.escape_ascii().to_string())
                .collect()
        };
        let thread = thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, find).expect("start a thread");
        thread.join().expect("panics are caught")
    });
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
