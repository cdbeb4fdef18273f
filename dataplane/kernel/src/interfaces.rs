//! The table of interfaces whose packets are looked at.

use std::collections::BTreeMap;

use ferrovs_core::{
    abi::interface::{INDEX, LINES, MAC, PROBES, line as line_of},
    tables::{Line, Tables},
};
use tracing::warn;

use crate::Maps;

/// Makes the table of interfaces hold exactly these: index, first and second word.
pub(crate) fn write_interfaces(maps: &Maps, mut wanted: BTreeMap<u32, (u64, u64)>) {
    for number in 0..LINES {
        let Some(line) = maps.interface(number) else {
            break;
        };
        let index = line.load(INDEX) as u32;
        match wanted.remove(&index) {
            Some((first, mac)) => {
                if line.load(MAC) != mac {
                    line.store(MAC, mac);
                }
                if line.load(INDEX) != first {
                    line.store(INDEX, first);
                }
            }
            None if index != 0 => line.store(INDEX, 0),
            None => {}
        }
    }
    for (index, (first, mac)) in wanted {
        let free = (0..PROBES)
            .filter_map(|probe| maps.interface(line_of(index, probe)))
            .find(|line| line.load(INDEX) == 0);
        match free {
            Some(line) => {
                line.store(MAC, mac);
                line.store(INDEX, first);
            }
            None => warn!(interface = index, "no place in the table of interfaces"),
        }
    }
}
