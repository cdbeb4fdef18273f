//! Working out what a new wanted state means for the tables, before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ferrovs_core::{
    abi::{
        self, config, dest,
        filter::{Entry, Geometry},
        ipv6::EndpointKey,
        slab::Table,
    },
    flow::place::digest,
    outward,
    tables::Tables,
};

use super::{
    Figures, Plane, TRASH_SECONDS,
    endpoint::{Endpoints, Key},
    filter, grow,
    ledger::{DestRecord, Ledger, ServiceRecord},
    lists::{NewList, new_lists},
    numbers::{FreeNumbers, Retired},
    rotation::Rotation,
    spans::Piece,
};
use crate::{Protocol, Refusal, ServiceKey, Snat, Sysctls, Timeouts, Wanted};

/// What [`super::Publisher::commit`] will write.
#[derive(Debug)]
pub struct Plan {
    /// The ledger as it will be. To be stored before the commit.
    pub ledger: Ledger,
    /// What the tables will say.
    pub(super) wanted: Option<Wanted>,
    /// New lists, by service number.
    pub(super) lists: Vec<NewList>,
    pub(super) filter: filter::Change,
    /// What the map of IPv6 endpoints is to hold; `None`: what it does.
    pub(super) endpoints: Option<Endpoints>,
    pub(super) timeouts: Timeouts,
    pub(super) sysctls: Sysctls,
    pub(super) snat: Option<Snat>,
    /// Numbers and pieces that nobody will own any more.
    pub(super) freed: Retired,
}

impl Plan {
    /// The same, of which it is known what it is for.
    pub(super) fn of(self, wanted: Wanted) -> Self {
        Self {
            wanted: Some(wanted),
            ..self
        }
    }
}

/// Lists are made of the services that have `changed`; `None`: of all.
pub(super) fn plan<P: Plane>(
    old: &Ledger,
    retired: &mut Retired,
    plane: &P,
    wanted: &Wanted,
    changed: Option<&BTreeSet<ServiceKey>>,
) -> Result<Plan, Refusal> {
    let patience = config::ticks(TRASH_SECONDS);
    match draft(old, retired, plane, wanted, changed, patience) {
        // Waiting costs milliseconds and forgetting costs figures: only when something is short.
        Err(Refusal::TableFull | Refusal::SchedulesFull) => {
            retired.release(plane);
            // Nobody can pick the removed ones any more: those without flows may go at once, and when
            // whoever has just met the end of such a flow is done, their numbers are free.
            let mut idle = old.clone();
            idle.note_idle(plane).for_each(drop);
            plane.quiesce();
            draft(&idle, retired, plane, wanted, changed, 0)
        }
        other => other,
    }
}

fn draft<P: Plane>(
    old: &Ledger,
    retired: &mut Retired,
    plane: &P,
    wanted: &Wanted,
    changed: Option<&BTreeSet<ServiceKey>>,
    patience: u32,
) -> Result<Plan, Refusal> {
    let mut ledger = old.clone();
    let mut freed = Retired::default();
    remove_unwanted(&mut ledger, wanted);
    forget_idle(&mut ledger, plane, patience, wanted, &mut freed);
    add_services(&mut ledger, plane, retired, &freed, wanted)?;
    // A service's number must not be another's as long as the filter leads packets to it.
    let freed_dests = if patience > 0 {
        freed.dests.iter()
    } else {
        Default::default()
    };
    add_dests(
        &mut ledger,
        plane,
        retired.dests.iter().chain(freed_dests),
        wanted,
    )?;
    let concerned = |key: &ServiceKey| changed.is_none_or(|changed| changed.contains(key));
    ledger.take_settings(wanted, concerned);
    let lists = new_lists(&mut ledger, plane, retired, &mut freed, wanted, concerned)?;
    let mut contents = contents(plane, &mut ledger);
    if wanted.snat().is_some() {
        contents.flags |= Geometry::OUTWARD;
        grow(plane, Table::Services, 0..1)?;
        make_room(plane, outward::DEST)?;
    }
    let filter = filter::plan(plane, &contents.words, contents.flags, retired)?;
    Ok(Plan {
        ledger,
        wanted: None,
        lists,
        filter,
        endpoints: Some(contents.endpoints),
        timeouts: wanted.timeouts(),
        sysctls: wanted.sysctls(),
        snat: wanted.snat().cloned(),
        freed,
    })
}

/// Moves services and destinations that are wanted no longer to the trash.
fn remove_unwanted(ledger: &mut Ledger, wanted: &Wanted) {
    let mut addresses: HashMap<u16, BTreeSet<_>> = HashMap::new();
    for record in ledger.services.iter_mut().filter(|record| record.present) {
        if let Some(service) = wanted.service(&record.key) {
            let of_service = service.destinations.iter().map(|dest| dest.address);
            addresses.insert(record.number, of_service.collect());
        } else {
            record.present = false;
        }
    }
    for dest in ledger.dests.iter_mut().filter(|dest| dest.present) {
        let keeps = addresses
            .get(&dest.service)
            .is_some_and(|of_service| of_service.contains(&dest.address));
        if !keeps {
            dest.present = false;
            // Not idle before it is out of the list: [`super::Publisher::observe`] will see.
            dest.idle_since = None;
        }
    }
}

/// Drops from the trash what has been without flows for `patience` ticks, and services with nothing
/// left that do not come back.
fn forget_idle<P: Plane>(
    ledger: &mut Ledger,
    plane: &P,
    patience: u32,
    wanted: &Wanted,
    freed: &mut Retired,
) {
    let now = plane.tables().now();
    let held = ledger.held(plane);
    let due = |dest: &DestRecord| {
        !dest.present
            && dest
                .idle_since
                .is_some_and(|since| now.wrapping_sub(since) >= patience)
            && !plane.is_used(dest.number)
            && !held.contains(&dest.number)
    };
    let mut departed: HashMap<u16, Figures> = HashMap::new();
    ledger.dests.retain(|dest| {
        let keep = !due(dest);
        if !keep {
            freed.dests.insert(dest.number);
            let sum = departed.entry(dest.service).or_default();
            *sum = *sum + Ledger::lifetime_of_dest(plane, dest);
        }
        keep
    });
    let populated: BTreeSet<u16> = ledger.dests.iter().map(|dest| dest.service).collect();
    let gone = &mut ledger.departed;
    ledger.services.retain_mut(|record| {
        if let Some(&figures) = departed.get(&record.number) {
            record.departed = record.departed + figures;
        }
        let wanted = wanted.service(&record.key).is_some();
        let keep = wanted || populated.contains(&record.number);
        if !keep {
            freed.services.insert(u32::from(record.number));
            freed.pieces.extend(Piece::of(record.rotation.schedule()));
            *gone = *gone + record.departed;
        }
        keep
    });
}

/// Finds or makes a record for every wanted service.
fn add_services<P: Plane>(
    ledger: &mut Ledger,
    plane: &P,
    retired: &Retired,
    freed: &Retired,
    wanted: &Wanted,
) -> Result<(), Refusal> {
    let mut places: HashMap<ServiceKey, usize> = (0..)
        .zip(&ledger.services)
        .map(|(at, record)| (record.key, at))
        .collect();
    let taken = ledger
        .services
        .iter()
        .map(|record| u32::from(record.number));
    let taken = taken
        .chain(retired.services.iter().chain(&freed.services).copied())
        .collect();
    let mut free = FreeNumbers::new(taken, abi::MAX_SERVICES);
    let mut renewed = BTreeSet::new();
    for service in wanted.services() {
        if let Some(&at) = places.get(&service.key) {
            let record = &mut ledger.services[at];
            record.present = true;
            if record.added != service.added {
                // A service added again is a new one in IPVS: its statistics and its scheduler begin
                // anew, only its old servers' flows are still there (`ip_vs_trash_get_dest`).
                record.added = service.added;
                record.order.clear();
                record.rotation.forget();
                renewed.insert(record.number);
            }
            continue;
        }
        let number = free.next().ok_or(Refusal::TableFull)?;
        grow(plane, Table::Services, number..number + 1)?;
        let number = number as u16;
        places.insert(service.key, ledger.services.len());
        ledger.services.push(ServiceRecord {
            number,
            key: service.key,
            added: service.added,
            present: true,
            persistence: None,
            calls: false,
            one_packet: false,
            order: Vec::new(),
            rotation: Rotation::default(),
            departed: Figures::default(),
            zero: Figures::default(),
        });
    }
    if !renewed.is_empty() {
        ledger.zero_services(plane, |record| renewed.contains(&record.number));
    }
    Ok(())
}

/// Finds or makes a record for every wanted destination; `spared` are numbers that nobody may have yet.
fn add_dests<'a, P: Plane>(
    ledger: &mut Ledger,
    plane: &P,
    spared: impl Iterator<Item = &'a u32>,
    wanted: &Wanted,
) -> Result<(), Refusal> {
    let numbers = numbers_by_key(ledger);
    let mut places: HashMap<_, usize> = (0..)
        .zip(&ledger.dests)
        .map(|(at, dest)| ((dest.service, dest.address), at))
        .collect();
    let taken = ledger.dests.iter().map(|dest| dest.number);
    let taken = taken.chain(spared.copied()).collect();
    let mut free = FreeNumbers::new(taken, abi::MAX_DESTS);
    for service in wanted.services() {
        let number = numbers[&service.key];
        let virtual_port = service.key.port();
        for dest in &service.destinations {
            if let Some(&at) = places.get(&(number, dest.address)) {
                let record = &mut ledger.dests[at];
                record.present = true;
                record.idle_since = None;
                continue;
            }
            let dest_number = free.next().ok_or(Refusal::TableFull)?;
            make_room(plane, dest_number)?;
            places.insert((number, dest.address), ledger.dests.len());
            // Whoever had the number before counted on the same line.
            let counted = plane.figures(dest_number);
            ledger.dests.push(DestRecord {
                number: dest_number,
                service: number,
                address: dest.address,
                endpoint: dest.endpoint(virtual_port),
                present: true,
                limits: 0,
                weight: 0,
                forwarding: dest.forwarding,
                answers: false,
                pooled: false,
                idle_since: None,
                born: counted,
                zero: counted,
            });
        }
    }
    Ok(())
}

/// Has the tables ready for a destination of this number.
fn make_room<P: Plane>(plane: &P, number: u32) -> Result<(), Refusal> {
    let lines = dest::settings(number);
    grow(plane, Table::Dests, lines..lines + dest::PAIR)?;
    let line = dest::traffic(number);
    grow(plane, Table::DestTraffic, line..line + 1)
}

/// What the filter has to hold. Removed services and destinations stay in it: their flows' packets
/// must still be recognised.
struct Contents {
    /// The IPv4 endpoints.
    words: BTreeMap<u64, u64>,
    /// The IPv6 endpoints.
    endpoints: Endpoints,
    /// The flags of its geometry.
    flags: u64,
}

fn contents<P: Plane>(plane: &P, ledger: &mut Ledger) -> Contents {
    // Without any service of a family IPVS does not even look at its packets (`ip_vs_unregister_hooks`), and the
    // kernel answers those of connections that are left. Their entries run on.
    let present = ledger.services.iter().filter(|record| record.present);
    let families: BTreeSet<bool> = present.map(|record| record.key.is_ipv6()).collect();
    let mut entries = BTreeMap::new();
    let services = ledger.services.iter();
    for record in services.filter(|record| families.contains(&record.key.is_ipv6())) {
        let key = Key::service(&record.key);
        let flag = if record.present { 0 } else { Entry::REMOVED };
        entries.insert(key, Entry::new(record.number, false).with(flag));
    }
    let keys = || ledger.services.iter().map(|record| record.key);
    let mut flags = 0;
    if keys().any(|key| key.is_for_other_ports()) {
        flags |= Geometry::WILDCARDS;
    }
    if keys().any(|key| key.endpoint().is_none()) {
        flags |= Geometry::MARKS;
    }
    let claims = claims(ledger).into_iter();
    for (key, claim) in claims.filter(|(key, _)| families.contains(&matches!(key, Key::V6(_)))) {
        let flag = if claim.pooled { Entry::POOLED } else { 0 };
        entries.insert(key, Entry::new(claim.service, claim.shared).with(flag));
    }
    let config = plane.tables().config(0);
    let mut contents = Contents {
        words: BTreeMap::new(),
        endpoints: Endpoints::new(),
        flags,
    };
    for (key, entry) in entries {
        match key {
            Key::V4(key) => {
                contents.words.insert(key, entry.0);
            }
            Key::V6(key) => {
                let key = EndpointKey(key);
                let digest = config.map_or(0, |config| digest(config, key.address()));
                let entry = if key.is_real() {
                    entry.with_digest(digest)
                } else {
                    entry
                };
                contents.endpoints.insert(key, entry.0);
            }
        }
    }
    contents.endpoints.extend(callers(ledger));
    contents
}

/// The servers that make calls themselves, each by the endpoint that it makes them from. Of several there, the oldest makes
/// them. A service for all ports or by mark has no port that calls could come from.
fn callers(ledger: &Ledger) -> Endpoints {
    let services = ledger.services.iter();
    let of: HashMap<u16, ServiceKey> = services
        .filter(|record| record.present && record.calls)
        .map(|record| (record.number, record.key))
        .collect();
    let dests = ledger.dests.iter().rev();
    let callers = dests
        .filter(|dest| dest.present && dest.answers)
        .filter_map(|dest| {
            let (protocol, address) = of.get(&dest.service)?.endpoint()?;
            let calls = protocol == Protocol::Udp && address.port() != 0;
            let key = Key::caller(dest.endpoint, protocol.number());
            calls.then_some((key, u64::from(dest.number)))
        });
    callers.collect()
}

/// Whose replies come from a server's endpoint.
#[derive(Clone, Copy)]
struct Claim {
    /// The age of the oldest destination there, the oldest first.
    age: usize,
    /// That one's service.
    service: u16,
    /// Whether other services have destinations there too, or had.
    shared: bool,
    /// Whether flows with it may have an address of the pool.
    pooled: bool,
}

impl Claim {
    /// Both together.
    fn with(self, other: Self) -> Self {
        let older = if self.age <= other.age { self } else { other };
        Self {
            shared: self.shared || other.shared || self.service != other.service,
            pooled: self.pooled || other.pooled,
            ..older
        }
    }
}

/// The claims to the endpoints of real servers, which are by port or for all ports. A server that is asked at any port
/// has a claim to those that others ask it at too.
///
/// Flows made before the sharing began have no pointers and are hashed with the service that had the endpoint alone, so
/// that one is named. It has the endpoint's oldest destination, for as long as it has such flows, whatever the ages of
/// the services. An endpoint that was shared stays, for the flows that have pointers.
fn claims(ledger: &mut Ledger) -> BTreeMap<Key, Claim> {
    let keys: HashMap<u16, ServiceKey> = ledger
        .services
        .iter()
        .map(|record| (record.number, record.key))
        .collect();
    let mut claims: BTreeMap<Key, Claim> = BTreeMap::new();
    let dests = ledger.dests.iter().enumerate();
    for (age, dest) in dests.filter(|(_, dest)| dest.answers) {
        let of = keys[&dest.service];
        let claim = Claim {
            age,
            service: dest.service,
            // Its own clients may be of several virtual addresses and ports.
            shared: of.endpoint().is_none(),
            pooled: dest.pooled,
        };
        let mut add = |key| {
            let both = claims.get(&key).map_or(claim, |other| other.with(claim));
            claims.insert(key, both);
        };
        for protocol in of.protocols() {
            let key = Key::real(dest.endpoint, protocol.number());
            add(key);
            if of.is_for_other_ports() && key != key.for_all_ports() {
                add(key.for_all_ports());
            }
        }
    }
    let shared = std::mem::take(&mut ledger.shared);
    for key in shared {
        let all = claims.get(&key.for_all_ports()).copied();
        if let Some(claim) = claims.get(&key).copied().or(all) {
            claims.insert(
                key,
                Claim {
                    shared: true,
                    ..claim
                },
            );
        }
    }
    let of_all_ports = claims.clone();
    for (&key, claim) in &mut claims {
        if let Some(&all) = of_all_ports.get(&key.for_all_ports()) {
            *claim = claim.with(all);
        }
    }
    let shared = claims.iter().filter(|(_, claim)| claim.shared);
    ledger.shared = shared.map(|(&key, _)| key).collect();
    claims
}

fn numbers_by_key(ledger: &Ledger) -> HashMap<ServiceKey, u16> {
    ledger
        .services
        .iter()
        .map(|record| (record.key, record.number))
        .collect()
}
