//! Writing a plan into the tables, in an order that no running program can trip over.

use ferrovs_core::{
    abi::{
        WORDS,
        config::{self, ticks},
        dest, service, state,
    },
    flow::load::judge,
    tables::{Line, Tables},
};

use super::{
    Plan, Plane, filter,
    ledger::{DestRecord, Ledger, endpoint},
    numbers::Retired,
    rotation,
};
use crate::{Sysctl, Sysctls, Timeouts};

/// Writes everything that differs, so that it also mends what an unfinished commit left.
///
/// A service leads to a server only after the filter knows the server's endpoint, and whether it is
/// shared: a flow made earlier would lack the pointer that its replies need. So the lists of services
/// that packets already lead to are switched after the filter is written, all others before. A removed
/// server is in no list any more when its line says that it is gone.
pub(super) fn write<P: Plane>(plane: &P, plan: &Plan, retired: &mut Retired) {
    write_dests(plane, &plan.ledger, true);
    write_services(plane, &plan.ledger, true);
    write_lists(plane, plan, false);
    if filter::write(plane, &plan.filter) {
        retired.filter = true;
    }
    write_lists(plane, plan, true);
    write_services(plane, &plan.ledger, false);
    write_dests(plane, &plan.ledger, false);
    write_timeouts(plane, plan.timeouts);
    write_sysctls(plane, &plan.sysctls);
    retired.services.extend(&plan.freed.services);
    retired.dests.extend(&plan.freed.dests);
    retired.pieces.extend(&plan.freed.pieces);
}

/// The lines of the present destinations, or of the removed ones.
fn write_dests<P: Plane>(plane: &P, ledger: &Ledger, present: bool) {
    for record in ledger.dests.iter().filter(|r| r.present == present) {
        let (Some(line), Some(endpoint)) = (
            plane.tables().dest(record.number),
            endpoint(record.endpoint),
        ) else {
            continue;
        };
        let forwards = if present { dest::FORWARDS } else { 0 };
        let rests = if record.rests { dest::RESTS } else { 0 };
        let mode = u64::from(record.service) | forwards | rests;
        let returns = present && line.load(dest::MODE) & dest::FORWARDS == 0;
        if returns || line.load(dest::ENDPOINT) != endpoint.pack(0) {
            // The way there is not known yet: the number was somebody else's, or the server's before it
            // was forgotten, and then the next hop's number may be another neighbour's by now.
            line.store(dest::MODE, 0);
            line.store(dest::NEXT_HOP, 0);
            line.store(dest::ENDPOINT, endpoint.pack(0));
        }
        store_if_other(line, dest::MODE, mode);
        write_limits(plane, record);
    }
}

/// The thresholds of a destination; other ones may make it overloaded, or usable, at once.
fn write_limits<P: Plane>(plane: &P, record: &DestRecord) {
    let Some(line) = plane.tables().counts(record.number) else {
        return;
    };
    if line.load(dest::LIMITS) != record.limits {
        line.store(dest::LIMITS, record.limits);
        judge(line, dest::Limits(record.limits));
    }
}

/// The lists of the services that packets led to when the plan was made, or of the others.
fn write_lists<P: Plane>(plane: &P, plan: &Plan, reachable: bool) {
    for list in plan.lists.iter().filter(|l| l.reachable == reachable) {
        rotation::write_words(plane.tables(), list.schedule.line(), &list.words);
        if let Some(line) = plane.tables().service(u32::from(list.service)) {
            line.store(service::SCHEDULE, list.schedule.0);
        }
    }
}

/// The lines of the present services, or of the removed ones, but for their lists.
fn write_services<P: Plane>(plane: &P, ledger: &Ledger, present: bool) {
    for record in ledger.services.iter().filter(|r| r.present == present) {
        let Some((protocol, address)) = record.key.endpoint() else {
            continue;
        };
        let (Some(line), Some(endpoint)) = (
            plane.tables().service(u32::from(record.number)),
            endpoint(address),
        ) else {
            continue;
        };
        let endpoint = endpoint.pack(u16::from(protocol.number()));
        if line.load(service::ENDPOINT) != endpoint {
            // Nothing leads here yet, but the line may hold a list that is no longer its own.
            line.store(service::MODE, 0);
            line.store(service::SCHEDULE, 0);
            line.store(service::ENDPOINT, endpoint);
        }
        let mode = if present { service::ACCEPTS } else { 0 };
        store_if_other(line, service::MODE, mode);
    }
}

fn write_timeouts<P: Plane>(plane: &P, timeouts: Timeouts) {
    for (state, &default) in (0_u8..).zip(&state::DEFAULT_TIMEOUTS) {
        let seconds = match state {
            state::ESTABLISHED => timeouts.tcp,
            state::FIN_WAIT => timeouts.tcp_fin,
            state::UDP => timeouts.udp,
            _ => default,
        };
        let place = usize::from(state);
        if let Some(line) = plane
            .tables()
            .config(config::TIMEOUTS + (place / WORDS) as u32)
        {
            store_if_other(line, place % WORDS, u64::from(ticks(seconds)));
        }
    }
}

fn write_sysctls<P: Plane>(plane: &P, sysctls: &Sysctls) {
    let Some(line) = plane.tables().config(config::SYSCTLS) else {
        return;
    };
    let is_on = |sysctl| sysctls.get(sysctl) != 0;
    let modes = config::Sysctls(0)
        .with_conn_reuse_mode(sysctls.get(Sysctl::ConnReuseMode) as u8)
        .with_expire_nodest_conn(is_on(Sysctl::ExpireNodestConn))
        .with_expire_quiescent_template(is_on(Sysctl::ExpireQuiescentTemplate))
        .with_nat_icmp_send(is_on(Sysctl::NatIcmpSend))
        .with_sloppy_sctp(is_on(Sysctl::SloppySctp))
        .with_sloppy_tcp(is_on(Sysctl::SloppyTcp));
    let expiration = |sysctl| u64::from(ticks(sysctls.get(sysctl)));
    for (word, value) in [
        (config::MODES, modes.0),
        (config::LBLC_EXPIRATION, expiration(Sysctl::LblcExpiration)),
        (
            config::LBLCR_EXPIRATION,
            expiration(Sysctl::LblcrExpiration),
        ),
    ] {
        store_if_other(line, word, value);
    }
}

/// Programs on other CPUs read these lines all the time: a store that changes nothing would still take
/// the cache line away from them.
fn store_if_other(line: impl Line, word: usize, value: u64) {
    if line.load(word) != value {
        line.store(word, value);
    }
}
