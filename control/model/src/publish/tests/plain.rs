//! Tables on plain memory, with what a scheduler does to them.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
    },
};

use ferrovs_core::abi::{
    self, config, dest,
    filter::{ENTRIES, Geometry, PROBES},
    interface,
    ipv6::{Address, EndpointKey, NeighbourKey},
    pointer::{Pointer, PointerKey},
    schedule::Schedule,
    service,
    slab::Table,
};
use ferrovs_core::sched::{Peers, pick};
use ferrovs_core::tables::{Line, Route, RouteIpv6, Tables};

use crate::publish::{Figures, INITIAL_LOG2, Plane};

thread_local! {
    static WATCH: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Has `check` called on this thread after every store into any tables while `run` runs.
pub(super) fn watched(check: impl Fn() + 'static, run: impl FnOnce()) {
    WATCH.set(Some(Box::new(check)));
    run();
    WATCH.set(None);
}

fn watch() {
    WATCH.with_borrow(|watch| {
        if let Some(check) = watch {
            check();
        }
    });
}

type Words = [AtomicU64; abi::WORDS];

#[derive(Clone, Copy)]
pub(super) struct PlainLine(&'static Words);

impl Line for PlainLine {
    fn load(self, word: usize) -> u64 {
        self.0[word % abi::WORDS].load(SeqCst)
    }

    fn store(self, word: usize, value: u64) {
        self.0[word % abi::WORDS].store(value, SeqCst);
        watch();
    }

    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool {
        self.0[word % abi::WORDS]
            .compare_exchange(current, new, SeqCst, SeqCst)
            .is_ok()
    }

    fn fetch_add(self, word: usize, value: u64) -> u64 {
        self.0[word % abi::WORDS].fetch_add(value, SeqCst)
    }
}

/// The tables that a publisher writes.
pub(super) struct Plain {
    config: Vec<Words>,
    /// Lines of the filter, at most.
    filter_lines: u32,
    filter: Slabs,
    endpoints: Mutex<BTreeMap<EndpointKey, u64>>,
    services: Slabs,
    schedules: Slabs,
    dests: Slabs,
    traffic: Slabs,
    now: AtomicU32,
    random: AtomicU32,
}

fn lines(count: u32) -> Vec<Words> {
    (0..count).map(|_| Words::default()).collect()
}

/// A table that grows.
struct Slabs {
    table: Table,
    slabs: Vec<OnceLock<Vec<Words>>>,
}

impl Slabs {
    fn new(table: Table) -> Self {
        let slabs = (0..table.slabs()).map(|_| OnceLock::new()).collect();
        let slabs = Self { table, slabs };
        assert!(slabs.grow(0..1));
        slabs
    }

    fn line(&'static self, number: u32) -> Option<PlainLine> {
        let slab = self.slabs.get(self.table.slab_of(number) as usize)?;
        line(slab.get()?, self.table.place(number))
    }

    fn grow(&self, wanted: Range<u32>) -> bool {
        let last = wanted.end.saturating_sub(1);
        (self.table.slab_of(wanted.start)..=self.table.slab_of(last)).all(|number| {
            let place = self.slabs.get(number as usize);
            let new = || lines(self.table.slab());
            place.map(|place| place.get_or_init(new)).is_some()
        })
    }

    /// All words but those of slabs in which there is nothing.
    fn words(&self) -> impl Iterator<Item = u64> {
        let slabs = self.slabs.iter().filter_map(OnceLock::get);
        let words = slabs.map(|slab| slab.iter().flatten().map(|word| word.load(SeqCst)));
        words
            .filter(|words| words.clone().any(|word| word != 0))
            .flatten()
    }
}

fn line(table: &'static [Words], number: u32) -> Option<PlainLine> {
    table.get(number as usize).map(PlainLine)
}

impl Plain {
    /// Empty tables with a filter of so many lines.
    pub(super) fn leak(filter_lines: u32) -> &'static Self {
        let plain: &'static Self = Box::leak(Box::new(Self {
            config: lines(config::LINES),
            filter_lines,
            filter: Slabs::new(Table::Filter),
            endpoints: Mutex::default(),
            services: Slabs::new(Table::Services),
            schedules: Slabs::new(Table::Schedules),
            dests: Slabs::new(Table::Dests),
            traffic: Slabs::new(Table::DestTraffic),
            now: AtomicU32::new(1000),
            random: AtomicU32::new(1),
        }));
        let geometry = Geometry::new(0, INITIAL_LOG2, 7);
        line(&plain.config, 0)
            .unwrap()
            .store(config::FILTER, geometry.0);
        plain
    }

    pub(super) fn advance(&self, ticks: u32) {
        self.now.fetch_add(ticks, SeqCst);
    }

    /// Counts scheduled flows.
    pub(super) fn count(&'static self, dest: u32, conns: u64) {
        let counts = self.counts(dest).unwrap();
        counts.fetch_add(dest::CONNS, conns);
    }

    /// As the programs look an endpoint up.
    pub(super) fn look_up(&'static self, key: u64) -> Option<u64> {
        let geometry = Geometry(line(&self.config, 0)?.load(config::FILTER));
        (0..PROBES).find_map(|probe| {
            let line = self.filter.line(geometry.line(key, probe))?;
            let cell = (0..ENTRIES).find(|&cell| line.load(cell) == key)?;
            Some(line.load(ENTRIES + cell))
        })
    }

    pub(super) fn schedule_of(&'static self, service: u32) -> Schedule {
        let line = self.services.line(service).unwrap();
        Schedule(line.load(service::SCHEDULE))
    }

    pub(super) fn list_length(&'static self, service: u32) -> u32 {
        self.schedule_of(service).dests()
    }

    /// As the programs pick a server for the flow of a client.
    pub(super) fn schedule_one(
        &'static self,
        service: u32,
        client: [u8; 4],
        port: u16,
    ) -> Option<u32> {
        let peers = Peers {
            client: u32::from_be_bytes(client),
            port,
            virtual_: u32::from_be_bytes([169, 254, 179, 1]),
        };
        let line = self.services.line(service).unwrap();
        Some(pick(&self, service, line, peers)).filter(|&dest| dest != 0)
    }

    fn endpoint_words(&self) -> Vec<u64> {
        let endpoints = self.endpoints.lock().unwrap();
        let words = |(key, &value): (&EndpointKey, &u64)| [key.0[0], key.0[1], key.0[2], value];
        endpoints.iter().flat_map(words).collect()
    }

    /// All that a publisher may write.
    pub(super) fn snapshot(&self) -> Vec<u64> {
        let grown = [&self.filter, &self.services, &self.schedules, &self.dests];
        let config = self.config.iter().flatten();
        let config = config.map(|word| word.load(SeqCst));
        let words = config.chain(grown.into_iter().flat_map(Slabs::words));
        words.chain(self.endpoint_words()).collect()
    }
}

impl Tables for &'static Plain {
    type Line = PlainLine;

    fn config(&self, number: u32) -> Option<PlainLine> {
        line(&self.config, number)
    }

    fn flow(&self, _: u32) -> Option<PlainLine> {
        None
    }

    fn filter(&self, number: u32) -> Option<PlainLine> {
        self.filter.line(number)
    }

    fn service(&self, number: u32) -> Option<PlainLine> {
        self.services.line(number)
    }

    fn schedule(&self, number: u32) -> Option<PlainLine> {
        self.schedules.line(number)
    }

    fn dests(&self, number: u32) -> Option<PlainLine> {
        self.dests.line(number)
    }

    fn dest_traffic(&self, number: u32) -> Option<PlainLine> {
        self.traffic.line(number)
    }

    fn reasons(&self, _: u32) -> Option<PlainLine> {
        None
    }

    fn next_hops(&self, _: u32) -> Option<PlainLine> {
        None
    }

    fn interface(&self, number: u32) -> Option<PlainLine> {
        debug_assert!(number < interface::LINES);
        None
    }

    fn neighbour(&self, _: u64) -> Option<u32> {
        None
    }

    fn endpoint(&self, key: &EndpointKey) -> Option<u64> {
        self.endpoints.lock().unwrap().get(key).copied()
    }

    fn neighbour_ipv6(&self, _: &NeighbourKey) -> Option<u32> {
        None
    }

    fn pointer(&self, _: &PointerKey) -> Option<Pointer> {
        None
    }

    fn pointer_insert(&self, _: &PointerKey, _: Pointer) -> bool {
        false
    }

    fn pointer_replace(&self, _: &PointerKey, _: Pointer, _: Pointer) -> bool {
        false
    }

    fn pointer_remove(&self, _: &PointerKey) {}

    fn route(&self, _: u32, _: u32) -> Option<Route> {
        None
    }

    fn route_ipv6(&self, _: Address, _: u32) -> Option<RouteIpv6> {
        None
    }

    fn now(&self) -> u32 {
        self.now.load(SeqCst)
    }

    fn random(&self) -> u32 {
        let mut hasher = DefaultHasher::new();
        self.random.fetch_add(1, SeqCst).hash(&mut hasher);
        hasher.finish() as u32
    }
}

impl Plane for &'static Plain {
    type Tables = Self;

    fn tables(&self) -> &Self {
        self
    }

    fn figures(&self, dest: u32) -> Figures {
        Figures::of(self.counts(dest), self.traffic(dest).into_iter())
    }

    fn endpoints(&self) -> BTreeMap<EndpointKey, u64> {
        self.endpoints.lock().unwrap().clone()
    }

    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) -> bool {
        let mut endpoints = self.endpoints.lock().unwrap();
        match value {
            Some(value) => endpoints.insert(key, value),
            None => endpoints.remove(&key),
        };
        drop(endpoints);
        watch();
        true
    }

    fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        let slabs = match table {
            Table::Services => &self.services,
            Table::Schedules => &self.schedules,
            Table::Dests => &self.dests,
            Table::DestTraffic => &self.traffic,
            Table::Filter => &self.filter,
            // A publisher writes none.
            Table::NextHops => return false,
        };
        slabs.grow(lines)
    }

    fn filter_lines(&self) -> u32 {
        self.filter_lines
    }

    fn quiesce(&self) {}
}
