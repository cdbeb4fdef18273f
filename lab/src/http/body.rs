//! A body that both ends can compute, so that a single wrong byte is noticed: byte `n` depends on
//! `n` alone, and no stretch of it repeats.

use std::io::{self, Read};

/// How much is computed at a time.
const BLOCK: usize = 64 * 1024;

/// The first `length` bytes of the body.
#[derive(Debug)]
pub struct Body {
    next: u64,
    length: u64,
    block: Vec<u8>,
}

impl Body {
    /// A body of `length` bytes.
    pub fn new(length: u64) -> Self {
        Self {
            next: 0,
            length,
            block: Vec::new(),
        }
    }

    fn available(&mut self) -> &[u8] {
        let offset = (self.next % BLOCK as u64) as usize;
        if offset == 0 || self.block.is_empty() {
            let first_word = self.next / 8;
            self.block = (first_word..first_word + BLOCK as u64 / 8)
                .flat_map(|word| mix(word).to_le_bytes())
                .collect();
        }
        let left = usize::try_from(self.length - self.next).unwrap_or(usize::MAX);
        let end = BLOCK.min(offset.saturating_add(left));
        &self.block[offset..end]
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.next == self.length {
            return Ok(0);
        }
        let available = self.available();
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.next += length as u64;
        Ok(length)
    }
}

/// Reads `from` to its end and compares it with the body; how many bytes came.
///
/// # Errors
/// When reading fails, or [`io::ErrorKind::InvalidData`] naming the first stretch that differs or
/// what is missing.
pub fn compare(mut from: impl Read, length: u64) -> io::Result<u64> {
    let mut expected = Body::new(length);
    let (mut got, mut want) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut done = 0;
    loop {
        let read = from.read(&mut got)?;
        if read == 0 {
            break;
        }
        let wrong = |what: &str| {
            let message = format!("the {read} bytes from {done} on {what}");
            Err(io::Error::new(io::ErrorKind::InvalidData, message))
        };
        if done + read as u64 > length {
            return wrong("are more than were asked for");
        }
        expected.read_exact(&mut want[..read])?;
        if got[..read] != want[..read] {
            return wrong("differ");
        }
        done += read as u64;
    }
    if done == length {
        return Ok(done);
    }
    let message = format!("only {done} bytes of {length} came");
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

/// SplitMix64's output function: a bijection, so that different words stay different.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        Body::new(length).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_longer_body_begins_like_a_shorter_one() {
        let long = all(200_001);
        assert_eq!(long.len(), 200_001);
        assert_eq!(all(70_000), long[..70_000]);
        assert_eq!(all(0), []);
    }

    #[test]
    fn reading_in_odd_pieces_gives_the_same() {
        let mut body = Body::new(150_000);
        let mut pieces = Vec::new();
        let mut buffer = [0; 1447];
        loop {
            let read = body.read(&mut buffer).unwrap();
            if read == 0 {
                break;
            }
            pieces.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(pieces, all(150_000));
    }

    #[test]
    fn compare_notices_a_wrong_byte_and_a_wrong_length() {
        let mut bytes = all(100_000);
        assert_eq!(compare(bytes.as_slice(), 100_000).unwrap(), 100_000);
        assert!(compare(bytes.as_slice(), 100_001).is_err());
        assert!(compare(bytes.as_slice(), 99_999).is_err());
        bytes[99_000] ^= 1;
        assert!(compare(bytes.as_slice(), 100_000).is_err());
    }
}
