//! Writing a plan into the tables, in an order that no running program can trip over.

use std::collections::HashMap;

use ferrovs_core::{
    abi::{
        WORDS,
        config::{self, ticks},
        dest::{self, Method, Standing},
        endpoint::{Endpoint, IPV6},
        ipv6::Address,
        service, state,
    },
    flow::load::judge,
    outward,
    tables::{Line, Tables},
};

use super::{
    Plan, Plane,
    endpoint::{self, Endpoints, Place},
    filter,
    ledger::{DestRecord, Ledger, ServiceRecord},
    numbers::Retired,
    rotation,
};
use crate::{
    Encapsulation, Forwarding, Netmask, ServiceKey, Snat, Sysctl, Sysctls, Timeouts, TunnelChecksum,
};

/// Writes everything that differs, so that it also mends what an unfinished commit left.
///
/// A service leads to a server only after the filter knows the server's endpoint, and whether it is
/// shared: a flow made earlier would lack the pointer that its replies need. So the lists of services
/// that packets already lead to are switched after the filter is written, all others before. A removed
/// server is in no list any more when its line says that it is gone.
///
/// `known` is what the map of IPv6 endpoints holds; `None` when that is not known for sure.
pub(super) fn write<P: Plane>(
    plane: &P,
    plan: &Plan,
    retired: &mut Retired,
    known: &mut Option<Endpoints>,
) {
    let early = write_dests(plane, &plan.ledger, true, false);
    write_services(plane, &plan.ledger, true);
    write_lists(plane, plan, false);
    write_way_out(plane, plan.snat.as_ref());
    if filter::write(plane, &plan.filter) {
        retired.filter = true;
    }
    if let Some(wanted) = &plan.endpoints {
        let before = known.take().unwrap_or_else(|| plane.endpoints());
        *known = endpoint::write(plane, &before, wanted).then(|| wanted.clone());
    }
    if early {
        write_dests(plane, &plan.ledger, true, true);
    }
    write_lists(plane, plan, true);
    write_services(plane, &plan.ledger, false);
    write_dests(plane, &plan.ledger, false, true);
    write_timeouts(plane, plan.timeouts);
    write_sysctls(plane, &plan.sysctls);
    retired.services.extend(&plan.freed.services);
    retired.dests.extend(&plan.freed.dests);
    retired.pieces.extend(&plan.freed.pieces);
}

/// The lines of the present destinations, or of the removed ones. Whether it was too early for one: what was not
/// masqueraded, or not from the pool, is so only when the filter is `ready` for its answers.
fn write_dests<P: Plane>(plane: &P, ledger: &Ledger, present: bool, ready: bool) -> bool {
    let services = ledger.services.iter();
    let of_any_port = services.filter(|service| service.key.is_for_other_ports());
    let of_any_port: HashMap<u16, bool> = of_any_port
        .map(|service| (service.number, prefers_own_port(service)))
        .collect();
    let mut early = false;
    for record in ledger.dests.iter().filter(|r| r.present == present) {
        let Some(line) = plane.tables().dest(record.number) else {
            continue;
        };
        let forwards = if present { dest::FORWARDS } else { 0 };
        let rests = if record.weight == 0 { dest::RESTS } else { 0 };
        // The endpoint's word, the address's rest, and what the mode says of it.
        let (endpoint, rest, family) = match Place::of(record.endpoint) {
            Place::V4(endpoint) => (endpoint.pack(0), 0, 0),
            Place::V6(Address([first, rest]), port) => {
                (first, rest, dest::IPV6 | u64::from(port) << 16)
            }
        };
        let any_port = match of_any_port.get(&record.service) {
            Some(false) => dest::ANY_PORT,
            Some(true) if record.endpoint.port() == 0 => dest::ANY_PORT,
            _ => 0,
        };
        let before = line.load(dest::MODE);
        let returns = present && before & dest::FORWARDS == 0;
        let is_other =
            (line.load(dest::ENDPOINT), line.load(dest::ADDRESS_REST)) != (endpoint, rest);
        let mut method = method(record.forwarding);
        let begins = Method::of(method) == Method::Masq && Method::of(before) != Method::Masq
            || method & dest::FULL != 0 && before & dest::FULL == 0;
        if begins && !ready && !returns && !is_other {
            early = true;
            method = Method::of(before).bits();
        }
        let kind = family | any_port | method;
        let mode = u64::from(record.service) | forwards | rests | kind;
        if returns || is_other {
            // The way there is not known yet: the number was somebody else's, or the server's before it
            // was forgotten, and then the next hop's number may be another neighbour's by now.
            line.store(dest::MODE, 0);
            line.store(dest::NEXT_HOP, 0);
            line.store(dest::ENDPOINT, endpoint);
            line.store(dest::ADDRESS_REST, rest);
            forget_latency(plane, record.number);
        }
        store_if_other(line, dest::MODE, mode);
        write_limits(plane, record);
        write_standing(plane, record);
    }
    early
}

/// How the programs reach a server, as its mode says. Remote checksum offload is asked for where a checksum is
/// left to a network card, which no packet that comes from a wire is; so there is nothing to say of it, nor has
/// the header a checksum, as in IPVS (`ip_vs_tunnel_xmit`).
fn method(forwarding: Forwarding) -> u64 {
    let checksum = |checksum| match checksum {
        TunnelChecksum::Full => dest::CHECKSUM,
        TunnelChecksum::None | TunnelChecksum::Remote => 0,
    };
    match forwarding {
        Forwarding::Masq => Method::Masq.bits(),
        Forwarding::FullNat => Method::Masq.bits() | dest::FULL,
        Forwarding::Auto => Method::Masq.bits() | dest::FULL | dest::FULL_IF_NEAR,
        Forwarding::Route => Method::Route.bits(),
        Forwarding::Tunnel(Encapsulation::Ipip) => Method::Ipip.bits(),
        Forwarding::Tunnel(Encapsulation::Gue { port, checksum: of }) => {
            Method::Gue.bits() | dest::tunnel_port_bits(port.to_be()) | checksum(of)
        }
        Forwarding::Tunnel(Encapsulation::Gre { checksum: of }) => {
            Method::Gre.bits() | checksum(of)
        }
    }
}

/// Whether all flows of a service go to a server's own port, if it has one (`ip_vs_schedule`): of services for
/// several ports, those by mark without persistence.
const fn prefers_own_port(service: &ServiceRecord) -> bool {
    service.key.endpoint().is_none() && service.persistence.is_none()
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

/// How fast whoever had the number before has answered says nothing of the one that has it now, nor of one that comes back.
fn forget_latency<P: Plane>(plane: &P, number: u32) {
    if let Some(line) = plane.tables().counts(number) {
        line.store(dest::LATENCY, 0);
        line.store(dest::ASKED, 0);
    }
}

/// What schedulers that remember a destination know of it.
fn write_standing<P: Plane>(plane: &P, record: &DestRecord) {
    if let Some(line) = plane.tables().counts(record.number) {
        let standing = Standing::new(record.service, record.weight, record.present);
        store_if_other(line, dest::STANDING, standing.0);
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
        let Some(line) = plane.tables().service(u32::from(record.number)) else {
            continue;
        };
        let (endpoint, address) = virtual_words(&record.key);
        let there = Address([line.load(service::ADDRESS), line.load(service::ADDRESS + 1)]);
        if (line.load(service::ENDPOINT), there) != (endpoint, address) {
            // Nothing leads here yet, but the line may hold a list that is no longer its own.
            line.store(service::MODE, 0);
            line.store(service::SCHEDULE, 0);
            line.store(service::ENDPOINT, endpoint);
            let Address([first, second]) = address;
            line.store(service::ADDRESS, first);
            line.store(service::ADDRESS + 1, second);
        }
        // A removed service's templates go when they would have gone.
        if let Some(persistence) = record.persistence {
            let [first, second] = mask(persistence.netmask);
            let kept = u64::from(ticks(persistence.timeout));
            store_if_other(line, service::KEPT, kept);
            store_if_other(line, service::MASK, first);
            store_if_other(line, service::MASK + 1, second);
        }
        let mode = [
            (true, service::ACCEPTS),
            (record.persistence.is_some(), service::PERSISTS),
            (record.calls, service::CALLS),
            (record.one_packet, service::ONE_PACKET),
        ];
        let mode = mode.iter().filter(|&&(holds, _)| present && holds);
        let mode = mode.fold(0, |mode, &(_, bit)| mode | bit);
        let kind = match record.key {
            ServiceKey::Mark { .. } => service::MARK,
            key if key.is_for_other_ports() => service::OTHER_PORTS,
            _ => 0,
        };
        store_if_other(line, service::MODE, mode | kind);
    }
}

/// What a service's line says that it is for: [`service::ENDPOINT`], and of IPv6 the address.
fn virtual_words(key: &ServiceKey) -> (u64, Address) {
    match *key {
        ServiceKey::Address { protocol, address } => {
            let protocol = u16::from(protocol.number());
            match Place::of(address) {
                Place::V4(endpoint) => (endpoint.pack(protocol), Address::default()),
                Place::V6(whole, port) => {
                    let endpoint = Endpoint { address: 0, port };
                    (endpoint.pack(protocol | IPV6), whole)
                }
            }
        }
        // As IPVS has it in its templates: in network byte order, of IPv6 in the first four bytes.
        ServiceKey::Mark { mark, ipv6 } => {
            let address = mark.to_be();
            if ipv6 {
                let whole = Address([u64::from(address), 0]);
                (Endpoint::default().pack(IPV6), whole)
            } else {
                (Endpoint { address, port: 0 }.pack(0), Address::default())
            }
        }
    }
}

/// The bits of an address that count, as [`service::MASK`] has them.
const fn mask(netmask: Netmask) -> [u64; 2] {
    match netmask {
        Netmask::V4(mask) => [u32::from_ne_bytes(mask.octets()) as u64, 0],
        Netmask::V6(prefix) => {
            let rest = 128 - prefix as u32;
            let bits = if rest < 128 { u128::MAX << rest } else { 0 };
            Address::new(bits.to_be_bytes()).0
        }
    }
}

/// Who has a way out, and the destination that all these connections count for.
fn write_way_out<P: Plane>(plane: &P, snat: Option<&Snat>) {
    let networks = snat.map_or(&[][..], |snat| &snat.from);
    if let Some(line) = plane.tables().config(config::OUTWARD) {
        for word in 0..outward::NETWORKS {
            let network = networks.get(word).map_or(0, |network| {
                let address = u32::from_ne_bytes(network.address.octets());
                u64::from(address) | u64::from(network.mask().to_be()) << 32
            });
            store_if_other(line, word, network);
        }
    }
    if let Some(line) = plane.tables().dest(outward::DEST) {
        let mode = snat.map_or(0, |_| dest::FORWARDS | dest::FULL | Method::Masq.bits());
        store_if_other(line, dest::NEXT_HOP, dest::ROUTED);
        store_if_other(line, dest::MODE, mode);
    }
}

fn write_timeouts<P: Plane>(plane: &P, timeouts: Timeouts) {
    for (state, &default) in (0_u8..).zip(&state::DEFAULT_TIMEOUTS) {
        let seconds = match state {
            state::ESTABLISHED => timeouts.tcp,
            state::FIN_WAIT => timeouts.tcp_fin,
            state::UDP | state::ONE_PACKET => timeouts.udp,
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
