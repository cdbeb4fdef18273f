//! What must not be in an object.
//!
//! A panic links without complaint: `core`'s panic functions are code like any other, and the
//! handler they end in is an endless loop. Only the kernel would refuse it, at load, on a user's
//! machine. So the build looks for both: the functions by name, and a jump to itself, which is
//! what is left of the handler where they were inlined.

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

/// Parts of the names of functions that only a panic path calls.
const PANIC_NAMES: [&str; 5] = [
    "panicking",
    "panic_fmt",
    "panic_bounds_check",
    "unwrap_failed",
    "expect_failed",
];

/// Size of an instruction slot in bytes.
const SLOT: usize = 8;
/// Load of a 64-bit constant: the only instruction that takes two slots.
const LOAD_IMM64: u8 = 0x18;
/// `goto` with its distance in the 16-bit offset, counted in slots from the next one.
const JUMP: u8 = 0x05;
/// `goto` with its distance in the 32-bit immediate (BPF ISA version 4).
const JUMP_LONG: u8 = 0x06;

/// Fails with the names of panic functions, or the sections with an endless loop, in an object.
pub(crate) fn refuse_panics(bytes: &[u8]) -> Result<()> {
    let file = object::File::parse(bytes).context("read the compiled object")?;
    let mut found: Vec<String> = file
        .symbols()
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| PANIC_NAMES.iter().any(|part| name.contains(part)))
        .map(str::to_owned)
        .collect();
    for section in file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
    {
        for slot in endless_loops(section.data()?) {
            found.push(format!("endless loop at {}+{slot}", section.name()?));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "the object can panic, which the kernel would refuse to load: {}. \
         Look for indexing, slicing, unwrap, division by a variable, or arithmetic that checks",
        found.join(", ")
    )
}

/// Slot numbers of the jumps that lead to themselves.
fn endless_loops(code: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut slots = code.chunks_exact(SLOT).enumerate();
    while let Some((number, slot)) = slots.next() {
        let offset = i16::from_le_bytes([slot[2], slot[3]]);
        let immediate = i32::from_le_bytes([slot[4], slot[5], slot[6], slot[7]]);
        match slot[0] {
            LOAD_IMM64 => drop(slots.next()),
            JUMP if offset == -1 => found.push(number),
            JUMP_LONG if immediate == -1 => found.push(number),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::endless_loops;

    const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];
    const SELF_JUMP: [u8; 8] = [0x05, 0, 0xff, 0xff, 0, 0, 0, 0];
    const LONG_SELF_JUMP: [u8; 8] = [0x06, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    const FORWARD_JUMP: [u8; 8] = [0x05, 0, 0x01, 0, 0, 0, 0, 0];

    #[test]
    fn finds_jumps_to_themselves() {
        let code = [FORWARD_JUMP, SELF_JUMP, EXIT, LONG_SELF_JUMP].concat();
        assert_eq!(endless_loops(&code), [1, 3]);
        assert_eq!(endless_loops(&[FORWARD_JUMP, EXIT].concat()), [0; 0]);
    }

    #[test]
    fn second_half_of_a_constant_is_no_jump() {
        let load = [0x18, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(endless_loops(&[load, SELF_JUMP, EXIT].concat()), [0; 0]);
    }
}
