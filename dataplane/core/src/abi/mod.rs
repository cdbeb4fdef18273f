//! The layout of every table that programs, daemon and simulator share.
//!
//! All tables are arrays of [lines](crate::tables::Line): 64 bytes, eight 64-bit words, one cache line.
//! A word is read and written whole, so a reader never sees half a word; what must change together
//! lies in one word. Each module here describes one kind of line: which word is what, and how a word
//! is packed. Addresses and ports keep the byte order of the wire ([`endpoint`]); all other numbers
//! are native.
//!
//! [`LAYOUT`] changes whenever any of this changes in a way that an older program or daemon would
//! misread.

pub mod answer;
pub mod bucket;
pub mod call;
pub mod config;
pub mod dest;
pub mod endpoint;
pub mod filter;
pub mod flow;
pub mod fragment;
pub mod interface;
pub mod ipv6;
pub mod latency;
pub mod locality;
pub mod next_hop;
pub mod pointer;
pub mod pool;
pub mod reason;
pub mod schedule;
pub mod service;
pub mod slab;
pub mod state;

/// Version of the table layout, word [`config::LAYOUT`] of the configuration.
/// A daemon refuses tables that carry another one.
pub const LAYOUT: u64 = 8;

/// Words in a line.
pub const WORDS: usize = 8;

/// Bytes in a line.
pub const LINE_BYTES: usize = WORDS * 8;

/// Services a table set can hold. Number 0 means "none".
pub const MAX_SERVICES: u32 = 16_384;

/// Real servers a table set can hold, over all services. Number 0 means "none".
pub const MAX_DESTS: u32 = 131_072;

/// Next hops a table set can hold. Number 0 means "not known yet".
pub const MAX_NEXT_HOPS: u32 = 131_072;

/// Bits `low..low + width` of a word.
const fn bits(word: u64, low: u32, width: u32) -> u64 {
    (word >> low) & ((1 << width) - 1)
}
