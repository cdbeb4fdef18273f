//! Time (`ip_vs_conn_expire` in `ip_vs_conn.c`, `ip_vs_dest_trash_expire` in `ip_vs_ctl.c`).

use super::{Ipvs, SECOND, conn::Conn, dest::Place};

/// How long a template is put off that is to end but still has connections, milliseconds.
const PUT_OFF: u64 = 60 * SECOND;
/// How long a removed server without connections stays in the trash, milliseconds.
const TRASH_PERIOD: u64 = 120 * SECOND;

impl Ipvs {
    /// Lets time go by.
    pub fn advance(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.expire_conns();
            self.look_through_trash();
            self.tick_schedulers();
        }
        self.now = end;
    }

    /// When something is to happen next.
    fn next_event(&self) -> Option<u64> {
        let conns = self.conns.iter().map(|conn| conn.expires);
        let schedulers = self.services.iter();
        let schedulers = schedulers.filter_map(|service| service.schedule.next_tick());
        conns.chain(schedulers).chain(self.next_trash_round).min()
    }

    /// Lets a connection end as soon as time goes on (`ip_vs_conn_expire_now`).
    pub(super) fn expire_now(&mut self, at: usize) {
        self.conns[at].expires = self.conns[at].expires.min(self.now);
    }

    fn expire_conns(&mut self) {
        // The kernel's timers are late, a template's more with each minute that it is put off: of two that are due
        // in the same millisecond, the connection ends before its template is looked at.
        let due = |conns: &[Conn], now, controls| {
            let is_due = |conn: &Conn| conn.expires <= now && (conn.controls > 0) == controls;
            conns.iter().position(is_due)
        };
        while let Some(at) = due(&self.conns, self.now, false).or(due(&self.conns, self.now, true))
        {
            let conn = &mut self.conns[at];
            if conn.controls > 0 {
                conn.put_off += 1;
                conn.timeout = PUT_OFF;
                conn.expires = self.now + PUT_OFF;
            } else {
                let conn = self.conns.remove(at);
                self.end(&conn);
            }
        }
    }

    /// Puts a server that was taken out of its list into the trash (`__ip_vs_del_dest`).
    pub(super) fn throw_away(&mut self, dest: usize) {
        self.dests[dest].place = Place::Trash { idle_since: None };
        let next = self.now + TRASH_PERIOD / 2;
        self.next_trash_round.get_or_insert(next);
    }

    /// Forgets servers that nobody has needed for long enough.
    fn look_through_trash(&mut self) {
        if self.next_trash_round.is_none_or(|next| next > self.now) {
            return;
        }
        let mut left = false;
        for number in 0..self.dests.len() {
            let Place::Trash { idle_since } = self.dests[number].place else {
                continue;
            };
            let is_over = idle_since.is_some_and(|since| self.now >= since + TRASH_PERIOD);
            self.dests[number].place = match idle_since {
                _ if self.is_needed(number) => Place::Trash { idle_since },
                Some(_) if is_over => Place::Gone,
                Some(_) => Place::Trash { idle_since },
                None => Place::Trash {
                    idle_since: Some(self.now),
                },
            };
            left |= self.dests[number].place != Place::Gone;
        }
        self.next_trash_round = left.then_some(self.now + TRASH_PERIOD / 2);
    }

    /// Whether a connection or a scheduler remembers a server (`refcnt`).
    fn is_needed(&self, dest: usize) -> bool {
        let mut services = self.services.iter();
        self.conns.iter().any(|conn| conn.dest == dest)
            || services.any(|service| service.schedule.remembers(dest))
    }

    fn tick_schedulers(&mut self) {
        for service in &mut self.services {
            service.schedule.tick(self.now);
        }
    }
}
