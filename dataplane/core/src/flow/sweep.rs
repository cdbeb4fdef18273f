//! The sweeper's round: ends flows whose time is over. Runs in the daemon, on mapped memory, beside
//! the programs; may be killed at any point.

use core::ops::Range;

use super::acquire::ABANDONED;
use super::{Flow, is_expired, read, retire};
use crate::abi::bucket::LINES;
use crate::abi::flow::{CONTROL, Control, Phase};
use crate::tables::{Line, Tables};

/// What a round met.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Swept {
    /// Flows that live on.
    pub live: u64,
    /// Flows that were ended.
    pub ended: u64,
    /// Lines taken back from a claimer that died.
    pub recovered: u64,
}

/// Sweeps these lines of the flow table. `each` is shown every flow that lives on.
pub fn sweep<T: Tables>(
    tables: &T,
    lines: Range<u32>,
    now: u32,
    mut each: impl FnMut(&Flow),
) -> Swept {
    let mut swept = Swept::default();
    for number in lines {
        if number % LINES == 0 {
            continue;
        }
        let Some(line) = tables.flow(number) else {
            break;
        };
        let control = Control(line.load(CONTROL));
        if control.is_free() {
            continue;
        }
        if !control.is_live() {
            swept.recovered += u64::from(recover(line, control, now));
            continue;
        }
        let Some(flow) = read(line, number) else {
            continue;
        };
        if is_expired(tables, flow.control, now)
            && retire::retire(tables, number, flow.control, now)
        {
            swept.ended += 1;
        } else {
            swept.live += 1;
            each(&flow);
        }
    }
    swept
}

/// Frees a line whose claimer died half way.
fn recover<L: Line>(line: L, control: Control, now: u32) -> bool {
    let idle = now.wrapping_sub(control.last_seen()) as i32;
    let free = Control::new(Phase::Free, 0, control.generation().wrapping_add(1), now);
    idle > ABANDONED as i32 && line.compare_exchange(CONTROL, control.0, free.0)
}
