//! The wanted state in a map of its own, so that it lives as long as the programs.
//!
//! It is texts of any kind, the first the state and the others what was changed about it since, each cut
//! into chunks under (generation, chunk number), each beginning with a header. A new generation with a new
//! first text is written whole, then made current by one store, then the old one is taken away; a further
//! text is written behind the others, then made to count by one store. Whoever is killed in between leaves
//! what was good before and perhaps some litter, which the next store takes away.

use std::os::fd::AsFd;

use ferrovs_core::{abi::config as words, tables::Line};

use crate::{Error, Maps, Result, sys};

/// Bytes in a chunk.
const CHUNK: usize = 3968;
/// Bytes of the header: length and checksum of the text, 32 bits each.
const HEADER: usize = 8;

/// Value of the map.
#[repr(C)]
struct Chunk([u8; CHUNK]);

impl Default for Chunk {
    fn default() -> Self {
        Self([0; CHUNK])
    }
}

/// Stores `text` in place of what was stored before.
///
/// # Errors
/// When it does not fit. Then what was stored before still is.
pub fn store(maps: &Maps, text: &[u8]) -> Result<()> {
    let config = maps.head();
    let (old, _) = present(maps);
    let new = old.wrapping_add(1).max(1);
    remove_others(maps, old)?;
    match write(maps, new, 0, text) {
        Ok(end) => {
            config.store(words::WANTED, key(end, new));
            remove_others(maps, new)
        }
        Err(error) => {
            remove_others(maps, old)?;
            Err(error)
        }
    }
}

/// Stores `text` behind what was stored before, of which there must be something.
///
/// # Errors
/// When it does not fit. Then what was stored before still is.
pub fn append(maps: &Maps, text: &[u8]) -> Result<()> {
    let (generation, first) = present(maps);
    let end = write(maps, generation, first, text)?;
    maps.head().store(words::WANTED, key(end, generation));
    Ok(())
}

/// All texts that are stored; empty if nothing ever was.
///
/// # Errors
/// When one is damaged.
pub fn load(maps: &Maps) -> Result<Vec<Vec<u8>>> {
    let (generation, end) = present(maps);
    let mut texts = Vec::new();
    let mut first = 0;
    while first < end {
        let text = join(|number| {
            // SAFETY: keys of this map are a word, values a chunk of which any bytes are good.
            let found =
                unsafe { sys::lookup(maps.wanted.as_fd(), &key(generation, first + number)) };
            found.map_err(Error::system("cannot read the stored wanted state"))
        })?;
        first += (HEADER + text.len()).div_ceil(CHUNK) as u32;
        texts.push(text);
    }
    Ok(texts)
}

/// The generation that counts, and its number of chunks.
fn present(maps: &Maps) -> (u32, u32) {
    let word = maps.head().load(words::WANTED);
    (word as u32, (word >> 32) as u32)
}

/// Writes a text as the chunks from `first` on; the number of the one behind it.
fn write(maps: &Maps, generation: u32, first: u32, text: &[u8]) -> Result<u32> {
    let mut number = first;
    for chunk in chunks(text) {
        let key = key(generation, number);
        // SAFETY: keys of this map are a word, values a chunk.
        let stored = unsafe { sys::update(maps.wanted.as_fd(), &key, &chunk, false) };
        stored.map_err(|_| Error::WantedTooLarge(text.len()))?;
        number += 1;
    }
    Ok(number)
}

const fn key(generation: u32, chunk: u32) -> u64 {
    (generation as u64) << 32 | chunk as u64
}

/// Takes away all chunks but those of one generation.
fn remove_others(maps: &Maps, kept: u32) -> Result<()> {
    let problem = "cannot clear the stored wanted state";
    let map = maps.wanted.as_fd();
    // SAFETY: keys of this map are a word.
    let after = |key: Option<&u64>| unsafe { sys::next_key(map, key) };
    let mut others = Vec::new();
    let mut last: Option<u64> = None;
    while let Some(key) = after(last.as_ref()).map_err(Error::system(problem))? {
        if (key >> 32) as u32 != kept {
            others.push(key);
        }
        last = Some(key);
    }
    for key in others {
        // SAFETY: as above.
        unsafe { sys::delete(map, &key) }.map_err(Error::system(problem))?;
    }
    Ok(())
}

fn chunks(text: &[u8]) -> Vec<Chunk> {
    let mut bytes = Vec::with_capacity(HEADER + text.len());
    bytes.extend_from_slice(&(text.len() as u32).to_ne_bytes());
    bytes.extend_from_slice(&crc32fast::hash(text).to_ne_bytes());
    bytes.extend_from_slice(text);
    let filled = |piece: &[u8]| {
        let mut chunk = Chunk::default();
        chunk.0[..piece.len()].copy_from_slice(piece);
        chunk
    };
    bytes.chunks(CHUNK).map(filled).collect()
}

/// Puts chunks together again.
fn join(mut chunk: impl FnMut(u32) -> Result<Option<Chunk>>) -> Result<Vec<u8>> {
    let damaged = Error::WantedDamaged;
    let mut bytes = chunk(0)?
        .ok_or(damaged("its beginning is missing"))?
        .0
        .to_vec();
    let [l0, l1, l2, l3, c0, c1, c2, c3] = bytes[..HEADER] else {
        return Err(damaged("its beginning is cut short"));
    };
    let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
    let sum = u32::from_ne_bytes([c0, c1, c2, c3]);
    let mut number = 1;
    while bytes.len() < HEADER + length {
        let next = chunk(number)?.ok_or(damaged("a part is missing"))?;
        bytes.extend_from_slice(&next.0);
        number += 1;
    }
    let text = bytes[HEADER..HEADER + length].to_vec();
    if crc32fast::hash(&text) == sum {
        Ok(text)
    } else {
        Err(damaged("its checksum is wrong"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(length: usize) -> Result<Vec<u8>> {
        let text: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let mut pieces: Vec<_> = chunks(&text).into_iter().map(Some).collect();
        let joined = join(|number| Ok(pieces.get_mut(number as usize).and_then(Option::take)));
        assert!(joined.as_ref().is_ok_and(|joined| *joined == text));
        joined
    }

    #[test]
    fn text_of_any_length_comes_back() {
        for length in [0, 1, CHUNK - HEADER, CHUNK - HEADER + 1, CHUNK, 10 * CHUNK] {
            round_trip(length).unwrap();
        }
        assert_eq!(chunks(&[0; CHUNK - HEADER]).len(), 1);
        assert_eq!(chunks(&[0; CHUNK - HEADER + 1]).len(), 2);
    }

    #[test]
    fn damage_is_noticed() {
        let text = vec![7; 2 * CHUNK];
        let missing = join(|number| {
            Ok(chunks(&text)
                .into_iter()
                .nth(number as usize)
                .filter(|_| number < 2))
        });
        assert!(matches!(missing, Err(Error::WantedDamaged(_))));
        let nothing = join(|_| Ok(None));
        assert!(matches!(nothing, Err(Error::WantedDamaged(_))));
        let changed = join(|number| {
            let mut chunk = chunks(&text).into_iter().nth(number as usize);
            if let (2, Some(chunk)) = (number, &mut chunk) {
                chunk.0[0] ^= 1;
            }
            Ok(chunk)
        });
        assert!(matches!(changed, Err(Error::WantedDamaged(_))));
    }
}
