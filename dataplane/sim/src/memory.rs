//! All tables of a data plane as vectors, with virtual time.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use ferrovs_core::{
    abi::{
        LAYOUT, WORDS,
        answer::Request,
        bucket,
        call::Call,
        config,
        filter::Geometry,
        fragment::{FragmentKey, Known},
        interface,
        ipv6::{Address, EndpointKey, NeighbourKey},
        locality::LocalityKey,
        pointer::{Pointer, PointerKey},
        pool,
        reason::{self, Reason},
        slab::Table,
    },
    answer::Question,
    frame::Frame,
    tables::{Line, Route, RouteIpv6, Tables},
};

use crate::{CellLine, Random, Routes, line::Words, slabs::Slabs};

/// How large the tables are whose size is not fixed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Size {
    /// Buckets of the flow table, a power of two.
    pub buckets: u32,
    /// Lines of both halves of the endpoint filter, at most.
    pub filter_lines: u32,
    /// Pointers there is room for.
    pub pointers: usize,
}

/// An answer that a program has asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// What is to be said.
    pub request: Request,
    /// Index of the interface that the packet came in by.
    pub interface: u32,
    /// What is quoted of the packet.
    pub packet: Vec<u8>,
}
/// Lines there may be of what lblc and lblcr remember: fewer than [`ferrovs_core::abi::locality::LINES`].
const LOCALITIES: u32 = 1024;

/// The tables of one data plane; those whose sizes are fixed have the sizes that the eBPF programs'
/// have.
///
/// Time stands still until [`Memory::advance`], random numbers follow from the seed.
#[derive(Debug)]
pub struct Memory {
    size: Size,
    config: Vec<Words>,
    flows: Vec<Words>,
    filter: Slabs,
    services: Slabs,
    schedules: Slabs,
    dests: Slabs,
    dest_traffic: Slabs,
    reasons: Vec<Words>,
    next_hops: Slabs,
    interfaces: Vec<Words>,
    pool: Vec<Words>,
    neighbours: RefCell<BTreeMap<u64, u32>>,
    neighbours_ipv6: RefCell<BTreeMap<NeighbourKey, u32>>,
    endpoints: RefCell<BTreeMap<EndpointKey, u64>>,
    pointers: RefCell<BTreeMap<[u64; 2], Pointer>>,
    answered: RefCell<BTreeMap<Address, u64>>,
    fragments: RefCell<BTreeMap<FragmentKey, Known>>,
    answers: RefCell<Vec<Answer>>,
    /// Which of the next ones are whose.
    locality_keys: RefCell<BTreeMap<LocalityKey, usize>>,
    localities: Vec<Words>,
    calls: RefCell<BTreeMap<Call, Vec<u8>>>,
    routes: RefCell<Routes>,
    /// Nanoseconds.
    now: Cell<u64>,
    random: Random,
}

impl Memory {
    /// Tables without services, as a daemon makes them: layout, the flow hash's secrets (drawn from
    /// `seed`), bucket mask and an empty endpoint filter of `1 << filter_log2` lines are set; timeouts
    /// come with the first services. The clock shows `now` ticks.
    #[must_use]
    pub fn new(size: Size, filter_log2: u32, seed: u64, now: u32) -> Self {
        let memory = Self {
            size,
            config: lines(config::LINES),
            flows: lines(size.buckets * bucket::LINES),
            filter: Slabs::new(Table::Filter),
            services: Slabs::new(Table::Services),
            schedules: Slabs::new(Table::Schedules),
            dests: Slabs::new(Table::Dests),
            dest_traffic: Slabs::new(Table::DestTraffic),
            reasons: lines(reason::LINES),
            next_hops: Slabs::new(Table::NextHops),
            interfaces: lines(interface::LINES),
            pool: lines(pool::LINES),
            neighbours: RefCell::default(),
            neighbours_ipv6: RefCell::default(),
            endpoints: RefCell::default(),
            pointers: RefCell::default(),
            answered: RefCell::default(),
            fragments: RefCell::default(),
            answers: RefCell::default(),
            locality_keys: RefCell::default(),
            localities: lines(LOCALITIES),
            calls: RefCell::default(),
            routes: RefCell::default(),
            now: Cell::new(config::nanoseconds(now)),
            random: Random::new(seed),
        };
        if let Some(head) = memory.head() {
            let random = &memory.random;
            head.store(config::SECRET0, random.draw());
            head.store(config::SECRET1, random.draw() | 1);
            head.store(config::BUCKET_MASK, u64::from(size.buckets) - 1);
            let seed = random.draw() as u32;
            head.store(config::FILTER, Geometry::new(0, filter_log2, seed).0);
            head.store(config::LAYOUT, LAYOUT);
        }
        memory
    }

    /// How large the tables are.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Makes room for these lines of a table that grows; whether there may be so many.
    pub fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        let slabs = match table {
            Table::Services => &self.services,
            Table::Schedules => &self.schedules,
            Table::Dests => &self.dests,
            Table::DestTraffic => &self.dest_traffic,
            Table::NextHops => &self.next_hops,
            Table::Filter => &self.filter,
        };
        slabs.grow(lines)
    }

    /// Lets time go by.
    pub fn advance(&self, ticks: u32) {
        self.advance_nanoseconds(config::nanoseconds(ticks));
    }

    /// Lets as little time go by as somebody may want to measure.
    pub fn advance_nanoseconds(&self, nanoseconds: u64) {
        self.now.set(self.now.get() + nanoseconds);
    }

    /// Tells the core that next hops are looked after.
    pub fn beat(&self) {
        if let Some(head) = self.head() {
            head.store(config::HEARTBEAT, u64::from(Tables::now(&self)));
        }
    }

    /// Leads a neighbour's key ([`ferrovs_core::abi::next_hop::neighbour_key`]) to a next hop.
    pub fn set_neighbour(&self, key: u64, number: u32) {
        self.neighbours.borrow_mut().insert(key, number);
    }

    /// Forgets a neighbour's key.
    pub fn remove_neighbour(&self, key: u64) {
        self.neighbours.borrow_mut().remove(&key);
    }

    /// Leads an IPv6 neighbour to a next hop.
    pub fn set_neighbour_ipv6(&self, key: NeighbourKey, number: u32) {
        self.neighbours_ipv6.borrow_mut().insert(key, number);
    }

    /// The IPv6 endpoints and what is known about them.
    #[must_use]
    pub fn endpoints(&self) -> Vec<(EndpointKey, u64)> {
        let endpoints = self.endpoints.borrow();
        endpoints
            .iter()
            .map(|(&key, &value)| (key, value))
            .collect()
    }

    /// Says what an IPv6 endpoint is; `None`: nothing.
    pub fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) {
        let mut endpoints = self.endpoints.borrow_mut();
        match value {
            Some(value) => endpoints.insert(key, value),
            None => endpoints.remove(&key),
        };
    }

    /// What the schedulers lblc and lblcr remember.
    #[must_use]
    pub fn localities(&self) -> BTreeMap<LocalityKey, [u64; WORDS]> {
        let keys = self.locality_keys.borrow();
        let words = |at: usize| self.localities[at].each_ref().map(Cell::get);
        keys.iter().map(|(&key, &at)| (key, words(at))).collect()
    }

    /// Forgets a line of that.
    pub fn forget_locality(&self, key: LocalityKey) {
        self.locality_keys.borrow_mut().remove(&key);
    }

    /// The Call-IDs that are kept.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Call, Vec<u8>> {
        self.calls.borrow().clone()
    }

    /// Sets the routes.
    pub fn set_routes(&self, routes: Routes) {
        self.routes.replace(routes);
    }

    /// How many pointers there are.
    #[must_use]
    pub fn pointers(&self) -> usize {
        self.pointers.borrow().len()
    }

    /// The answers that were asked for since this was last called.
    #[must_use]
    pub fn take_answers(&self) -> Vec<Answer> {
        self.answers.take()
    }

    /// How often each reason occurred.
    #[must_use]
    pub fn reasons(&self) -> Vec<(Reason, u64)> {
        let count = |&reason: &Reason| {
            let number = reason as u32;
            let line = Tables::reasons(&self, number / 8);
            (
                reason,
                line.map_or(0, |line| line.load(number as usize % 8)),
            )
        };
        Reason::ALL.iter().map(count).collect()
    }

    /// Line 0 of the configuration.
    fn head(&self) -> Option<CellLine<'_>> {
        line(&self.config, 0)
    }
}

fn lines(count: u32) -> Vec<Words> {
    vec![Words::default(); count as usize]
}

fn line(table: &[Words], number: u32) -> Option<CellLine<'_>> {
    table.get(number as usize).map(CellLine::new)
}

impl<'a> Tables for &'a Memory {
    type Line = CellLine<'a>;

    fn config(&self, number: u32) -> Option<CellLine<'a>> {
        line(&self.config, number)
    }

    fn flow(&self, number: u32) -> Option<CellLine<'a>> {
        line(&self.flows, number)
    }

    fn filter(&self, number: u32) -> Option<CellLine<'a>> {
        self.filter.line(number)
    }

    fn service(&self, number: u32) -> Option<CellLine<'a>> {
        self.services.line(number)
    }

    fn schedule(&self, number: u32) -> Option<CellLine<'a>> {
        self.schedules.line(number)
    }

    fn dests(&self, number: u32) -> Option<CellLine<'a>> {
        self.dests.line(number)
    }

    fn dest_traffic(&self, number: u32) -> Option<CellLine<'a>> {
        self.dest_traffic.line(number)
    }

    fn reasons(&self, number: u32) -> Option<CellLine<'a>> {
        line(&self.reasons, number)
    }

    fn next_hops(&self, number: u32) -> Option<CellLine<'a>> {
        self.next_hops.line(number)
    }

    fn interface(&self, number: u32) -> Option<CellLine<'a>> {
        line(&self.interfaces, number)
    }

    fn pool(&self, number: u32) -> Option<CellLine<'a>> {
        line(&self.pool, number)
    }

    fn neighbour(&self, key: u64) -> Option<u32> {
        self.neighbours.borrow().get(&key).copied()
    }

    fn endpoint(&self, key: &EndpointKey) -> Option<u64> {
        self.endpoints.borrow().get(key).copied()
    }

    fn neighbour_ipv6(&self, key: &NeighbourKey) -> Option<u32> {
        self.neighbours_ipv6.borrow().get(key).copied()
    }

    fn pointer(&self, key: &PointerKey) -> Option<Pointer> {
        self.pointers.borrow().get(&key.0).copied()
    }

    fn pointer_insert(&self, key: &PointerKey, pointer: Pointer) -> bool {
        let mut pointers = self.pointers.borrow_mut();
        let fits = pointers.len() < self.size.pointers && !pointers.contains_key(&key.0);
        if fits {
            pointers.insert(key.0, pointer);
        }
        fits
    }

    fn pointer_replace(&self, key: &PointerKey, old: Pointer, new: Pointer) -> bool {
        match self.pointers.borrow_mut().get_mut(&key.0) {
            Some(pointer) if *pointer == old => {
                *pointer = new;
                true
            }
            _ => false,
        }
    }

    fn pointer_remove(&self, key: &PointerKey) {
        self.pointers.borrow_mut().remove(&key.0);
    }

    fn locality(&self, key: &LocalityKey) -> Option<CellLine<'a>> {
        let &at = self.locality_keys.borrow().get(key)?;
        self.localities.get(at).map(CellLine::new)
    }

    fn locality_insert(&self, key: &LocalityKey, words: [u64; WORDS]) -> bool {
        let mut keys = self.locality_keys.borrow_mut();
        let mut places = 0..self.localities.len();
        let free = places.find(|at| !keys.values().any(|taken| taken == at));
        let Some(at) = free.filter(|_| !keys.contains_key(key)) else {
            return false;
        };
        for (cell, word) in self.localities[at].iter().zip(words) {
            cell.set(word);
        }
        keys.insert(*key, at);
        true
    }

    fn route(&self, destination: u32, _: u32) -> Option<Route> {
        let address = Ipv4Addr::from(destination.to_ne_bytes());
        let (interface, neighbour) = self.routes.borrow().to(address.into())?;
        match neighbour {
            IpAddr::V4(neighbour) => Some(Route {
                interface,
                neighbour: u32::from_ne_bytes(neighbour.octets()),
            }),
            IpAddr::V6(_) => None,
        }
    }

    fn route_ipv6(&self, destination: Address, _: u32) -> Option<RouteIpv6> {
        let address = Ipv6Addr::from(destination.octets());
        let (interface, neighbour) = self.routes.borrow().to(address.into())?;
        match neighbour {
            IpAddr::V4(_) => None,
            IpAddr::V6(neighbour) => Some(RouteIpv6 {
                interface,
                neighbour: Address::new(neighbour.octets()),
            }),
        }
    }

    fn fragment(&self, key: &FragmentKey) -> Option<Known> {
        self.fragments.borrow().get(key).copied()
    }

    fn set_fragment(&self, key: &FragmentKey, known: Known) {
        self.fragments.borrow_mut().insert(*key, known);
    }

    fn answered(&self, source: Address) -> u64 {
        let answered = self.answered.borrow();
        answered.get(&source).copied().unwrap_or_default()
    }

    fn set_answered(&self, source: Address, allowance: u64) {
        self.answered.borrow_mut().insert(source, allowance);
    }

    fn ask<F: Frame>(&self, frame: &F, question: Question) -> bool {
        let mut packet = vec![0; question.request.quoted()];
        let copied = frame.copy(question.network, &mut packet).is_some();
        if copied {
            self.answers.borrow_mut().push(Answer {
                request: question.request,
                interface: question.interface,
                packet,
            });
        }
        copied
    }

    fn note_call<F: Frame>(&self, frame: &F, call: Call, start: usize, length: usize) {
        let mut text = vec![0; length];
        if frame.copy(start, &mut text).is_some() {
            self.calls.borrow_mut().entry(call).or_insert(text);
        }
    }

    fn now(&self) -> u32 {
        (self.now.get() >> config::TICK_SHIFT) as u32
    }

    fn nanoseconds(&self) -> u64 {
        self.now.get()
    }

    fn random(&self) -> u32 {
        self.random.draw() as u32
    }
}
