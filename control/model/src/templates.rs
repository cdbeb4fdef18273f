//! The ends of persistence templates (`ip_vs_conn_expire`): one that was not used for its service's time
//! goes, unless clients that it is for have connections with the service. Then it is kept a minute longer. Of a call, only
//! the connections count that its own template has led.

use std::collections::{BTreeSet, HashMap};

use ferrovs_core::{
    abi::{
        call::Call,
        config::ticks,
        endpoint::{Endpoint, tag},
        flow::{Control, KEPT, Owner},
        ipv6::Address,
        state,
    },
    flow::{
        Flow,
        persist::{keep_on, kept_for},
        retire::retire,
    },
    tables::{Line, Tables},
};

/// How long a template is kept on for its connections, ticks. Rounded down: 447 ticks are 59.997 s, one more
/// would be 60.13 s, and many in a row would put its end off noticeably.
const KEPT_ON: u32 = ticks(60) - 1;

/// A service, the clients that it keeps together and their call (0: all that they send), and their server.
type Group = (u16, Address, u32, u32);

/// A template whose time is over.
#[derive(Debug)]
struct Due {
    line: u32,
    seen: Control,
    /// Ticks that it is kept after its last use.
    kept: u32,
    group: Group,
}

/// What rounds through the table found. A round finds templates whose time is over, the next one whether they
/// have connections.
#[derive(Debug, Default)]
pub struct Templates {
    due: Vec<Due>,
    /// Of those that were due before this round, whether a connection was met.
    used: HashMap<Group, bool>,
    found: Vec<Due>,
    /// The calls that have templates, as far as they were met in this round.
    calls: BTreeSet<Call>,
}

impl Templates {
    /// Looks at a line of the flow table that lives.
    pub fn see<T: Tables>(&mut self, tables: &T, flow: &Flow, now: u32) {
        let is_template = flow.control.state() == state::TEMPLATE;
        let is_kept = flow.owner.has(Owner::KEPT) && !self.used.is_empty();
        if !is_template && !is_kept {
            return;
        }
        let ends = flow.words.ends(flow.owner);
        let number = tag(ends.virtual_);
        let Some(service) = tables.service(u32::from(number)) else {
            return;
        };
        let Some(line) = tables.flow(flow.number) else {
            return;
        };
        let (clients, call) = kept_for(service, line, flow);
        let group = (number, clients, call, flow.owner.dest());
        if !is_template {
            if let Some(used) = self.used.get_mut(&group) {
                *used = true;
            }
            return;
        }
        let call = Call::of(Endpoint::unpack(ends.client));
        if !call.is_none() {
            self.calls.insert(call);
        }
        let kept = line.load(KEPT) as u32;
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

    /// Ends or keeps what was due before this round. The calls for which templates were met.
    pub fn end_of_round<T: Tables>(&mut self, tables: &T, now: u32) -> BTreeSet<Call> {
        for due in self.due.drain(..) {
            // One that was used since is another word by now, and left alone.
            if self.used.get(&due.group) != Some(&true) {
                retire(tables, due.line, due.seen, now);
            } else if let Some(line) = tables.flow(due.line) {
                // As if it had been used when it was due, and from now on it is for a minute at a time.
                let was_due = due.seen.last_seen().wrapping_add(due.kept);
                keep_on(line, due.seen, was_due, [due.kept, KEPT_ON]);
            }
        }
        self.due = std::mem::take(&mut self.found);
        self.used = self.due.iter().map(|due| (due.group, false)).collect();
        std::mem::take(&mut self.calls)
    }
}
