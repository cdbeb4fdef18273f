//! How large the tables are made.

use std::fs;

use ferrovs_core::abi::{bucket, reason, slab::Table};

/// Flows a table is made for by default: one for each 8 KiB of memory, which gives about a 64th of it
/// to the table, but within [`DEFAULT_FLOWS`].
const MEMORY_PER_FLOW: u64 = 8192;
/// Bounds of the default.
const DEFAULT_FLOWS: (u64, u64) = (65_536, 1_048_576);
/// Bounds of what may be asked for. The upper one is a table of 8 GiB.
pub const FLOWS: std::ops::RangeInclusive<u64> = 1024..=1 << 26;

/// Flows asked for, per bucket of [`bucket::WAYS`]: the table is then at most four sevenths full.
const FLOWS_PER_BUCKET: u64 = 4;
/// Room for the wanted state: two generations of 65 MB, half a kilobyte for each server that there may be,
/// with counters that were set to zero.
const WANTED_CHUNKS: u32 = 32_768;

/// Sizes of the tables whose size depends on the machine or the administrator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sizes {
    /// Flows that were asked for.
    pub flows: u64,
    /// CPUs there may ever be.
    pub cpus: u32,
}

impl Sizes {
    /// For this machine and so many flows; by default as many as suit its memory.
    #[must_use]
    pub fn new(flows: Option<u64>) -> Self {
        Self {
            flows: flows.unwrap_or_else(|| default_flows(memory())),
            cpus: possible_cpus(),
        }
    }

    /// Buckets of the flow table, a power of two.
    #[must_use]
    pub const fn buckets(&self) -> u32 {
        let buckets = self.flows.div_ceil(FLOWS_PER_BUCKET).next_power_of_two();
        if buckets < 2 { 2 } else { buckets as u32 }
    }

    /// Elements of the map with this name, or of each that it holds, if they are not as the object says.
    pub(crate) const fn entries(&self, map: &str) -> Option<u32> {
        Some(match map.as_bytes() {
            b"FLOWS" => self.buckets() * bucket::LINES,
            b"DEST_TRAFFIC" => self.cpus * Table::DestTraffic.slab(),
            b"REASONS" => self.cpus * reason::LINES,
            b"POINTERS" => {
                // A flow with a server socket that several services share takes one, and one with an address of the
                // pool: that may be all.
                let pointers = self.buckets() * FLOWS_PER_BUCKET as u32;
                if pointers < 4096 { 4096 } else { pointers }
            }
            b"WANTED" => WANTED_CHUNKS,
            _ => return None,
        })
    }
}

fn default_flows(memory: u64) -> u64 {
    let (least, most) = DEFAULT_FLOWS;
    (memory / MEMORY_PER_FLOW).clamp(least, most)
}

/// Bytes of memory this machine has; 0 if it does not say.
fn memory() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}

/// One more than the highest number a CPU can have.
fn possible_cpus() -> u32 {
    let possible = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
    cpus_of(&possible)
}

/// Of a list such as `0-3,8`.
fn cpus_of(possible: &str) -> u32 {
    let highest = possible
        .trim()
        .split([',', '-'])
        .filter_map(|number| number.parse::<u32>().ok())
        .max();
    highest.unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_a_million_flows_is_at_most_four_sevenths_full() {
        let sizes = Sizes {
            flows: 1_000_000,
            cpus: 2,
        };
        assert_eq!(sizes.buckets(), 262_144);
    }

    #[test]
    fn the_default_follows_the_memory() {
        assert_eq!(default_flows(0), 65_536);
        assert_eq!(default_flows(4 << 30), 524_288);
        assert_eq!(default_flows(24 << 30), 1_048_576);
    }

    #[test]
    fn cpu_lists_are_understood() {
        assert_eq!(cpus_of("0-1\n"), 2);
        assert_eq!(cpus_of("0\n"), 1);
        assert_eq!(cpus_of("0-3,8-11\n"), 12);
        assert_eq!(cpus_of(""), 1);
    }
}
