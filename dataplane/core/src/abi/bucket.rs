//! A bucket: eight lines of the flow table, the first a header, seven for flows.
//!
//! Flow lines are numbered through the whole table: line `bucket * 8 + way`, way 0 being the header.
//! A bucket lies within one page, so that header and flow share a TLB entry.

/// Lines in a bucket.
pub const LINES: u32 = 8;
/// Flows in a bucket: ways 1..=7.
pub const WAYS: u32 = LINES - 1;

/// Header word: 0, or 1 while a CPU adds a flow whose home is this bucket.
pub const LOCK: usize = 0;
/// Header word: a tag of eight bits for each way, at bit `8 * way`. A hint: it may name a line that
/// no longer holds such a flow, but a live flow always has its tag here.
pub const TAGS: usize = 1;
/// Header word: how many flows have their home here and live elsewhere.
pub const DISPLACED: usize = 2;

/// The tags word with the tag of `way` (1..=7) set.
pub const fn with_tag(tags: u64, way: u32, tag: u8) -> u64 {
    let shift = (way & 7) * 8;
    tags & !(0xff << shift) | (tag as u64) << shift
}

/// The tag of `way` (1..=7).
pub const fn tag_of(tags: u64, way: u32) -> u8 {
    (tags >> ((way & 7) * 8)) as u8
}
