//! The list of changes that the API takes.

#![no_main]

use ferrovs_fuzz::json;
use ferrovs_tests::fuzzed::Target;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| Target::Json.check(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate(data, size, max_size, seed)
});
