//! New texts from old ones, by words and lines.

use ferrovs_sim::Random;
use libfuzzer_sys::fuzzer_mutate;

use super::below;

/// At most so many edits make a new text.
const EDITS: u64 = 4;
/// How much longer a word may get by changes of its bytes.
const GROWTH: usize = 16;

/// Edits texts whose lines have words.
#[derive(Debug)]
pub struct Text {
    separator: u8,
    words: Vec<Vec<u8>>,
    lines: Vec<Vec<u8>>,
}

type Lines = Vec<Vec<Vec<u8>>>;

impl Text {
    /// With this byte between words, and words and lines to put in.
    #[must_use]
    pub fn new(separator: char, (words, lines): (Vec<String>, Vec<String>)) -> Self {
        let bytes = |texts: Vec<String>| texts.into_iter().map(String::into_bytes).collect();
        Self {
            separator: separator as u8,
            words: bytes(words),
            lines: bytes(lines),
        }
    }

    /// Makes a new text of the first `size` bytes of `data`, which has room for `max_size`. Gives the new
    /// size. The seed decides.
    #[must_use]
    pub fn mutate(&self, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
        let random = Random::new(seed.into());
        if below(&random, 8) == 0 {
            return fuzzer_mutate(data, size, max_size);
        }
        let mut lines: Lines = data[..size]
            .split(|&byte| byte == b'\n')
            .map(|line| self.split(line))
            .collect();
        for _ in 0..=random.draw() % EDITS {
            self.edit(&mut lines, &random);
        }
        let lines: Vec<Vec<u8>> = lines
            .iter()
            .map(|line| line.join(&self.separator))
            .collect();
        let text = lines.join(&b'\n');
        let size = text.len().min(max_size);
        data[..size].copy_from_slice(&text[..size]);
        size
    }

    fn split(&self, line: &[u8]) -> Vec<Vec<u8>> {
        line.split(|&byte| byte == self.separator)
            .map(<[u8]>::to_vec)
            .collect()
    }

    fn edit(&self, lines: &mut Lines, random: &Random) {
        if lines.is_empty() {
            lines.push(Vec::new());
        }
        let at = below(random, lines.len());
        match below(random, 16) {
            0 | 1 => {
                let known: &Vec<u8> = any(&self.lines, random);
                lines.insert(at, self.split(known));
            }
            2 => lines.insert(at, any(lines, random).clone()),
            3 => drop(lines.remove(at)),
            4 => {
                let other = below(random, lines.len());
                lines.swap(at, other);
            }
            kind => {
                let donor = any(lines, random).clone();
                self.edit_line(&mut lines[at], &donor, kind, random);
            }
        }
    }

    /// The donor is a line to take a word from.
    fn edit_line(&self, line: &mut Vec<Vec<u8>>, donor: &[Vec<u8>], kind: usize, random: &Random) {
        let Some(end) = line.len().checked_sub(1) else {
            line.push(any(&self.words, random).clone());
            return;
        };
        let at = below(random, end + 1);
        match kind {
            5 | 6 => any(&self.words, random).clone_into(&mut line[at]),
            7 | 8 => line.insert(at, any(&self.words, random).clone()),
            9 => line.push(any(&self.words, random).clone()),
            10 if !donor.is_empty() => any(donor, random).clone_into(&mut line[at]),
            11 => drop(line.remove(at)),
            12 => line.swap(at, end),
            // Two words become one: a value glued to its option, options bundled.
            13 if at < end => {
                let next = line.remove(at + 1);
                line[at].extend(next);
            }
            _ => {
                let word = &mut line[at];
                let size = word.len();
                word.resize(size + GROWTH, 0);
                let size = fuzzer_mutate(word, size, size + GROWTH);
                word.truncate(size);
            }
        }
    }
}

fn any<'a, T>(from: &'a [T], random: &Random) -> &'a T {
    &from[below(random, from.len())]
}
