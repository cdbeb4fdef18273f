//! The ends of persistence templates (`ip_vs_conn_expire`): one that was not used for its service's time
//! goes, unless connections that it led to its server are still there. Then it is kept a minute longer.

use std::collections::HashMap;

use ferrovs_core::{
    abi::{
        config::ticks,
        endpoint::tag,
        flow::{CONTROL, Control},
        ipv6::Address,
        service, state,
    },
    flow::{Flow, persist::group, retire::retire},
    tables::{Line, Tables},
};

/// How long a template is kept on for its connections, ticks.
const KEPT_ON: u32 = ticks(60);

/// A service and the clients that it keeps together.
type Group = (u16, Address);

/// A template whose time is over.
struct Due {
    line: u32,
    seen: Control,
    /// Ticks that its service keeps templates.
    kept: u32,
    group: Group,
}

/// What rounds through the table found. A round finds templates whose time is over, the next one whether they
/// have connections.
#[derive(Default)]
pub(super) struct Templates {
    due: Vec<Due>,
    /// Of those that were due before this round, whether a connection was met.
    used: HashMap<Group, bool>,
    found: Vec<Due>,
}

impl Templates {
    /// Looks at a line of the flow table that lives.
    pub(super) fn see<T: Tables>(&mut self, tables: &T, flow: &Flow, now: u32) {
        let is_template = flow.control.state() == state::TEMPLATE;
        if !is_template && self.used.is_empty() {
            return;
        }
        let ends = flow.words.ends(flow.owner);
        let number = tag(ends.virtual_);
        let Some(service) = tables.service(u32::from(number)) else {
            return;
        };
        let group = (number, group(service, ends.client, flow.words.address()));
        if !is_template {
            if let Some(used) = self.used.get_mut(&group) {
                *used = true;
            }
            return;
        }
        let kept = service.load(service::KEPT) as u32;
        let idle = now.wrapping_sub(flow.control.last_seen()) as i32;
        if idle > 0 && idle as u32 > kept {
            self.found.push(Due {
                line: flow.number,
                seen: flow.control,
                kept,
                group,
            });
        }
    }

    /// Ends or keeps what was due before this round.
    pub(super) fn end_of_round<T: Tables>(&mut self, tables: &T, now: u32) {
        for due in self.due.drain(..) {
            // One that was used since is another word by now, and left alone.
            if self.used.get(&due.group) != Some(&true) {
                retire(tables, due.line, due.seen, now);
            } else if let Some(line) = tables.flow(due.line) {
                let last_seen = now.wrapping_sub(due.kept).wrapping_add(KEPT_ON);
                let kept = due.seen.with_last_seen(last_seen);
                line.compare_exchange(CONTROL, due.seen.0, kept.0);
            }
        }
        self.due = std::mem::take(&mut self.found);
        self.used = self.due.iter().map(|due| (due.group, false)).collect();
    }
}
