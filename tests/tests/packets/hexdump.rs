//! Packets for people.

use std::fmt::Write;

const BYTES: usize = 16;

/// The bytes in rows of 16.
pub(crate) fn of(bytes: &[u8]) -> String {
    let rows = bytes.chunks(BYTES).enumerate();
    rows.fold(String::new(), |mut text, (row, bytes)| {
        let _ = writeln!(text, "  {:04x}  {}", row * BYTES, hex(bytes));
        text
    })
}

/// Three packets row by row; `!` marks rows in which the second is not as the third.
pub(crate) fn compare(input: &[u8], output: &[u8], expected: &[u8]) -> String {
    let longest = input.len().max(output.len()).max(expected.len());
    let mut text = String::new();
    for start in (0..longest).step_by(BYTES) {
        let row = |bytes: &[u8]| {
            let end = bytes.len().min(start + BYTES);
            bytes.get(start..end).unwrap_or(&[]).to_vec()
        };
        let (input, output, expected) = (row(input), row(output), row(expected));
        let mark = if output == expected { ' ' } else { '!' };
        let _ = writeln!(text, "  {start:04x}  in  {}", hex(&input));
        let _ = writeln!(text, "      {mark} out {}", hex(&output));
        if output != expected {
            let _ = writeln!(text, "      {mark} exp {}", hex(&expected));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
