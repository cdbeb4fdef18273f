//! Kept inputs: one file a target, one input a line, in the escapes of Rust's byte strings, sorted. So
//! they can be read, compared and merged like other text.

use std::{fs, io, path::PathBuf};

use super::Target;

/// The file that keeps the inputs of a target.
#[must_use]
pub fn file(target: Target) -> PathBuf {
    let name = format!("{}.txt", target.name());
    let crates = [env!("CARGO_MANIFEST_DIR"), "..", "fuzz", "corpus", &name];
    crates.iter().collect()
}

/// The inputs that are kept.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn read(target: Target) -> io::Result<Vec<Vec<u8>>> {
    let text = fs::read_to_string(file(target))?;
    let inputs: Option<_> = text.lines().map(unescape).collect();
    inputs.ok_or_else(|| {
        let file = file(target).display().to_string();
        io::Error::other(format!("{file} has a line that no input was written as"))
    })
}

/// Keeps these inputs instead of those that were kept.
///
/// # Errors
/// When the file cannot be written.
pub fn write(target: Target, inputs: &[Vec<u8>]) -> io::Result<()> {
    let mut lines: Vec<String> = inputs.iter().map(|input| escape(input)).collect();
    lines.sort_unstable();
    lines.dedup();
    let lines: Vec<String> = lines.into_iter().map(|line| line + "\n").collect();
    fs::write(file(target), lines.concat())
}

/// Quotes need no escape.
fn escape(input: &[u8]) -> String {
    let escaped = input.escape_ascii().to_string();
    escaped.replace("\\\"", "\"").replace("\\'", "'")
}

fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut input = Vec::with_capacity(line.len());
    let mut rest = line.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            input.push(byte);
            continue;
        }
        let (&letter, behind) = rest.split_first()?;
        rest = behind;
        input.push(match letter {
            b'\\' => b'\\',
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_kept() {
        let all: Vec<u8> = (0..=u8::MAX).rev().chain(*b"\\x41\\\\'\"\\").collect();
        let line = escape(&all);
        assert!(
            line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{line}"
        );
        assert_eq!(unescape(&line), Some(all));
        assert_eq!(escape(b"a \"\t'\\"), r#"a "\t'\\"#);
    }

    #[test]
    fn what_was_not_written_so_is_refused() {
        for line in ["\\", "\\x4", "\\xzz", "\\q"] {
            assert_eq!(unescape(line), None, "{line}");
        }
    }
}
