//! The input of `ipvsadm -R`.

#![no_main]

use std::sync::LazyLock;

use ferrovs_fuzz::{Text, vocabulary};
use ferrovs_tests::fuzzed::Target;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

static TEXT: LazyLock<Text> = LazyLock::new(|| Text::new(' ', vocabulary::ipvsadm(' ')));

fuzz_target!(|data: &[u8]| Target::Restore.check(data));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    TEXT.mutate(data, size, max_size, seed)
});
