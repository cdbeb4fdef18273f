//! What lblc and lblcr share: an address that clients write to is remembered, with its server or its servers, and a
//! server that is remembered is taken unless it has too much to do.
//!
//! IPVS looks through the addresses of a scheduler every half hour of its life and forgets those that nobody has asked for since
//! [`LBLC_EXPIRATION`] or [`LBLCR_EXPIRATION`] (`ip_vs_lblc_check_expire`). Here who finds an address works out whether it would have been forgotten
//! by now ([`is_remembered`]); the daemon frees the memory at its leisure.
//!
//! Two CPUs that pick at once for an address that is not known may pick different servers. One of them is remembered.

use super::scan::Candidate;
use super::{entry, is_usable, lblc, lblcr, load, wlc};
use crate::abi::config::{LBLC_EXPIRATION, LBLCR_EXPIRATION, SYSCTLS, TICK_SHIFT};
use crate::abi::dest::{COUNTS, Counts, STANDING, Standing};
use crate::abi::locality::{Birth, LocalityKey, MEMBERS, SET, Set, USED};
use crate::abi::schedule::{Entry, Schedule};
use crate::abi::service::Scheduler;
use crate::tables::{Line, Tables};

/// How often all old addresses are forgotten, nanoseconds (`COUNT_FOR_FULL_EXPIRATION` times `CHECK_EXPIRE_INTERVAL`).
const ROUND: u64 = 30 * 60 * 1_000_000_000;

/// The number of the server for `address`; 0 if none is usable.
#[inline(always)]
pub fn pick<T: Tables>(tables: &T, schedule: Schedule, service: u32, address: u32) -> u32 {
    const LBLCR: u8 = Scheduler::ReplicatedLocality as u8;
    let replicates = schedule.scheduler() == LBLCR;
    let word = if replicates {
        LBLCR_EXPIRATION
    } else {
        LBLC_EXPIRATION
    };
    let (Some(birth), Some(sysctls)) = (load(tables, schedule.cursor()), tables.config(SYSCTLS))
    else {
        return 0;
    };
    let birth = Birth(birth);
    let expiration = sysctls.load(word);
    let key = LocalityKey::new(birth.life(), address);
    let now = tables.now();
    let line = tables.locality(&key);
    let known = match line {
        Some(line) => is_remembered(line.load(USED) as u32, birth, expiration, now),
        None => false,
    };
    let mut kept = 0;
    if known && let Some(line) = line {
        if line.load(USED) != now as u64 {
            line.store(USED, now as u64);
        }
        kept = if replicates {
            let lightest = lblcr::lightest(tables, key, line, service);
            lblcr::shrink(tables, key, line, expiration, now);
            lightest
        } else {
            lblc::server(tables, line, service)
        };
        if kept != 0 && !is_busy(tables, kept) {
            return kept;
        }
    }
    let relief = tables.relief(Relief::new(schedule));
    let picked = if kept != 0 && relief.somebody_idle == 0 {
        kept
    } else {
        Entry(relief.best).dest()
    };
    if picked != kept && picked != 0 {
        match line {
            Some(line) if known && replicates => lblcr::add(tables, key, line, picked, now),
            Some(line) => renew(line, picked, now),
            None => {
                let first = [now as u64, Set::new(1, now).0, picked as u64, 0, 0, 0, 0, 0];
                // Without room, or if another CPU was faster, the server serves all the same.
                tables.locality_insert(&key, first);
            }
        }
    }
    picked
}

/// A look through all servers for one that takes over (`__ip_vs_lblc_schedule`: as wlc), and whether any has little
/// to do. Plain numbers, because it lies on the stack of an eBPF program.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Relief {
    schedule: u64,
    best: u64,
    load: u64,
    somebody_idle: u64,
}

impl Relief {
    #[inline(always)]
    const fn new(schedule: Schedule) -> Self {
        Self {
            schedule: schedule.0,
            best: 0,
            load: 0,
            somebody_idle: 0,
        }
    }

    /// How many steps it takes.
    #[inline(always)]
    pub const fn steps(&self) -> u32 {
        Schedule(self.schedule).dests()
    }
}

/// Looks at the server in place `at`; whether the search is over.
#[inline(always)]
pub fn step<T: Tables>(tables: &T, relief: &mut Relief, at: u32) -> bool {
    let schedule = Schedule(relief.schedule);
    let Some(entry) = entry(tables, schedule, at) else {
        return true;
    };
    let Some(line) = tables.counts(entry.dest()) else {
        return true;
    };
    let counts = Counts(line.load(COUNTS));
    if is_idle(entry, counts) {
        relief.somebody_idle = 1;
    }
    if is_usable(tables, schedule, entry) {
        let best = Candidate {
            entry: relief.best,
            load: relief.load,
        };
        let better = wlc::better(best, entry.0, counts);
        (relief.best, relief.load) = (better.entry, better.load);
    }
    false
}

/// Makes this the only server of an address.
#[inline(always)]
fn renew<L: Line>(line: L, dest: u32, now: u32) {
    line.store(MEMBERS as usize, dest as u64);
    line.store(SET, Set::new(1, now).0);
    // Last: until now nobody has looked at the rest.
    line.store(USED, now as u64);
}

/// Whether an address that was last asked for at `used` is still known at `now` to a scheduler born so, if addresses are
/// kept for `expiration` ticks.
#[inline(always)]
pub const fn is_remembered(used: u32, birth: Birth, expiration: u64, now: u32) -> bool {
    let life = (now.wrapping_sub(birth.tick()) as u64) << TICK_SHIFT;
    let last_round = (life / ROUND * ROUND) >> TICK_SHIFT;
    let looked_at = birth.tick().wrapping_add(last_round as u32);
    let idle = looked_at.wrapping_sub(used) as i32;
    last_round == 0 || idle < 0 || (idle as u64) < expiration
}

/// Whether a server has more to do than its weight says (the first half of `is_overloaded`).
#[inline(always)]
fn is_busy<T: Tables>(tables: &T, dest: u32) -> bool {
    tables.counts(dest).is_some_and(|line| {
        Counts(line.load(COUNTS)).active() > Standing(line.load(STANDING)).weight()
    })
}

/// Whether it has less than half of that to do (the second half).
#[inline(always)]
const fn is_idle(entry: Entry, counts: Counts) -> bool {
    (counts.active() as u64) * 2 < entry.weight() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::config::ticks;

    #[test]
    fn addresses_are_forgotten_when_the_next_round_has_come() {
        const BORN: u32 = 4_000_000_000;
        let birth = Birth::new(1, BORN);
        let at = |seconds: u32| BORN.wrapping_add(ticks(seconds));
        let minute = u64::from(ticks(60));
        let is_known = |used, now| is_remembered(at(used), birth, minute, at(now));
        assert!(is_known(0, 1799));
        assert!(!is_known(0, 1800));
        // Not yet old enough in that round.
        assert!(is_known(1750, 3599));
        assert!(!is_known(1750, 3600));
        assert!(is_known(3601, 3602));
        let day = u64::from(ticks(86_400));
        let is_known = |now| is_remembered(at(1), birth, day, at(now));
        assert!(is_known(86_401) && !is_known(86_400 + 1801));
    }
}
