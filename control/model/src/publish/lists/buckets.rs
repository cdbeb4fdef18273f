//! The buckets of source and destination hashing.

use ferrovs_core::abi::schedule::HASH_BUCKETS;

/// Whose each bucket is, by place in the list: `turns` says how many in a row each server has. Round and
/// round, until all are given away (`ip_vs_sh_reassign`, `ip_vs_dh_reassign`).
pub(super) fn fill(turns: impl Iterator<Item = u32> + Clone) -> Vec<u16> {
    let in_a_row = (0..).zip(turns);
    let places = in_a_row.flat_map(|(place, turns)| std::iter::repeat_n(place, turns as usize));
    places.cycle().take(HASH_BUCKETS as usize).collect()
}
