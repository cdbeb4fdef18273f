//! The core's tables for these tests: what no thread changes as plain memory, the flow table and the
//! destinations' counts in words of the test's choosing (real atomics, or loom's).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use ferrovs_core::abi::endpoint::Endpoint;
use ferrovs_core::abi::filter::{ENTRIES, Entry, Geometry, PROBES, real_key};
use ferrovs_core::abi::ipv6::{Address, EndpointKey, NeighbourKey};
use ferrovs_core::abi::pointer::{Pointer, PointerKey};
use ferrovs_core::abi::schedule::Schedule;
use ferrovs_core::abi::service::Scheduler;
use ferrovs_core::abi::{WORDS, bucket, config, dest, service};
use ferrovs_core::tables::{Line, Route, RouteIpv6, Tables};
use ferrovs_core::wire::TCP;

/// A word of shared memory, with the orderings that [`Line`] promises.
pub(crate) trait Word: Sized + Send + Sync + 'static {
    fn new(value: u64) -> Self;
    fn load(&self) -> u64;
    fn store(&self, value: u64);
    fn compare_exchange(&self, current: u64, new: u64) -> bool;
    fn fetch_add(&self, value: u64) -> u64;
    /// What a thread does that finds a lock taken.
    fn wait();
}

/// A map each of whose operations happens at one instant, as those of a BPF hash map do.
pub(crate) trait Map: Default + Send + Sync + 'static {
    fn with<R>(&self, work: impl FnOnce(&mut Pointers) -> R) -> R;
}

pub(crate) type Pointers = std::collections::HashMap<[u64; 2], Pointer>;

/// What shared memory is made of.
pub(crate) trait Memory: Sized + 'static {
    type Word: Word;
    type Map: Map;
}

type Plain = [AtomicU64; WORDS];

/// A line of the flow table.
enum Slot<W> {
    /// Threads contend for it.
    Hot([W; WORDS]),
    /// Nobody writes it while threads run; loom need not consider it.
    Cold(Plain),
}

/// The tables.
pub(crate) struct World<M: Memory> {
    config: Vec<Plain>,
    filter: Vec<Plain>,
    services: Vec<Plain>,
    schedule: Vec<Plain>,
    settings: Vec<Plain>,
    counts: Vec<[M::Word; WORDS]>,
    flows: Vec<Slot<M::Word>>,
    pointers: M::Map,
    room: usize,
    random: AtomicU32,
}

/// How to make a [`World`].
pub(crate) struct Plan<'a> {
    /// Buckets, a power of two.
    pub(crate) buckets: u32,
    /// Pointers there is room for.
    pub(crate) pointers: usize,
    /// The real servers of each service; service numbers start at 1, destination numbers at 1 too and
    /// go on through all services. A server of several services is shared.
    pub(crate) services: &'a [&'a [Endpoint]],
    /// Timeout of all states, ticks.
    pub(crate) timeout: u32,
}

/// The client of these tests, at a port.
pub(crate) fn client(port: u16) -> u64 {
    Endpoint::new([198, 51, 100, 7], port).pack(u16::from(TCP))
}

/// The virtual endpoint of a service.
pub(crate) fn virtual_of(service: u16) -> u64 {
    Endpoint::new([203, 0, 113, 1], service).pack(service)
}

/// A real server.
pub(crate) const fn server(number: u8) -> Endpoint {
    Endpoint::new([192, 168, 2, number], 80)
}

impl<M: Memory> World<M> {
    /// Tables of this plan, whose flow lines are hot where `hot` says so.
    pub(crate) fn new(plan: &Plan<'_>, hot: impl Fn(u32) -> bool) -> Self {
        let dests: Vec<Endpoint> = plan.services.iter().copied().flatten().copied().collect();
        let lines = plan
            .services
            .iter()
            .map(|dests| (1 + dests.len()).div_ceil(WORDS));
        let world = Self {
            config: plain(config::LINES as usize),
            filter: plain(FILTER_LINES),
            services: plain(plan.services.len() + 1),
            schedule: plain(lines.sum()),
            settings: plain(dests.len() + 1),
            counts: (0..=dests.len()).map(|_| line_of(M::Word::new)).collect(),
            flows: (0..plan.buckets * bucket::LINES)
                .map(|number| match hot(number) {
                    true => Slot::Hot(line_of(M::Word::new)),
                    false => Slot::Cold(line_of(AtomicU64::new)),
                })
                .collect(),
            pointers: M::Map::default(),
            room: plan.pointers,
            random: AtomicU32::new(1),
        };
        let head = &world.config[0];
        head[config::SECRET0].store(0x0123_4567_89ab_cdef, Relaxed);
        head[config::SECRET1].store(0xfedc_ba98_7654_3211, Relaxed);
        head[config::BUCKET_MASK].store(u64::from(plan.buckets - 1), Relaxed);
        head[config::FILTER].store(GEOMETRY.0, Relaxed);
        for line in &world.config[config::TIMEOUTS as usize..][..4] {
            line.iter()
                .for_each(|word| word.store(u64::from(plan.timeout), Relaxed));
        }
        world.publish(plan.services);
        world
    }

    fn publish(&self, services: &[&[Endpoint]]) {
        let (mut next_line, mut next_dest) = (0, 1);
        for (service, servers) in (1u16..).zip(services) {
            let line = &self.services[usize::from(service)];
            line[service::MODE].store(service::ACCEPTS, Relaxed);
            let dests = servers.len() as u16;
            let schedule = Schedule::new(next_line, Scheduler::RoundRobin, dests, 0, 0);
            line[service::SCHEDULE].store(schedule.0, Relaxed);
            for (place, server) in (0..).zip(*servers) {
                let word = schedule.entry(place) as usize;
                let word = &self.schedule[word / WORDS][word % WORDS];
                word.store(next_dest, Relaxed);
                let settings = self.dest(next_dest as u32).expect("settings");
                settings.store(dest::ENDPOINT, server.pack(0));
                self.publish_server(*server, service);
                next_dest += 1;
            }
            next_line += schedule.lines();
        }
    }

    fn publish_server(&self, server: Endpoint, service: u16) {
        let key = real_key(server, TCP);
        for probe in 0..PROBES {
            let line = &self.filter[GEOMETRY.line(key, probe) as usize];
            for entry in 0..ENTRIES {
                let found = line[entry].load(Relaxed);
                let value = match found == key {
                    true => Entry::new(Entry(line[ENTRIES + entry].load(Relaxed)).service(), true),
                    false => Entry::new(service, false),
                };
                if found == key || found == 0 {
                    line[ENTRIES + entry].store(value.0, Relaxed);
                    line[entry].store(key, Relaxed);
                    return;
                }
            }
        }
        panic!("the filter has no room for a server");
    }

    /// Lines of the flow table.
    pub(crate) fn lines(&self) -> u32 {
        self.flows.len() as u32
    }

    /// Destinations; their numbers start at 1.
    pub(crate) fn servers(&self) -> u32 {
        self.settings.len() as u32 - 1
    }

    /// All pointers.
    pub(crate) fn pointers(&self) -> Pointers {
        self.pointers.with(|pointers| pointers.clone())
    }

    /// Writes a word of a flow line whatever its kind: before threads run.
    pub(crate) fn set(&self, line: u32, word: usize, value: u64) {
        match &self.flows[line as usize] {
            Slot::Hot(words) => words[word].store(value),
            Slot::Cold(words) => words[word].store(value, Relaxed),
        }
    }
}

const FILTER_LOG2: u32 = 6;
const FILTER_LINES: usize = 1 << FILTER_LOG2;
const GEOMETRY: Geometry = Geometry::new(0, FILTER_LOG2, 1);

fn line_of<W>(new: impl Fn(u64) -> W) -> [W; WORDS] {
    std::array::from_fn(|_| new(0))
}

fn plain(lines: usize) -> Vec<Plain> {
    (0..lines).map(|_| line_of(AtomicU64::new)).collect()
}

/// A line of any of the tables.
pub(crate) enum AnyLine<'a, W> {
    /// Shared, and contended for. `lock`: word 0 is a bucket's lock.
    Hot { words: &'a [W; WORDS], lock: bool },
    /// Written only by the CPU that has it, or by none.
    Own(&'a Plain),
    /// A line of the flow table that nobody may write.
    Cold(&'a Plain),
}

impl<W> Clone for AnyLine<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for AnyLine<'_, W> {}

impl<W: Word> Line for AnyLine<'_, W> {
    fn load(self, word: usize) -> u64 {
        match self {
            Self::Hot { words, lock } => {
                let value = words[word].load();
                if lock && word == bucket::LOCK && value != 0 {
                    W::wait();
                }
                value
            }
            Self::Own(words) | Self::Cold(words) => words[word].load(Relaxed),
        }
    }

    fn store(self, word: usize, value: u64) {
        match self {
            Self::Hot { words, .. } => words[word].store(value),
            Self::Own(words) => words[word].store(value, Relaxed),
            Self::Cold(_) => panic!("nobody should write this line"),
        }
    }

    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool {
        match self {
            Self::Hot { words, lock } => {
                let won = words[word].compare_exchange(current, new);
                if lock && word == bucket::LOCK && !won {
                    W::wait();
                }
                won
            }
            _ => panic!("nobody should contend for this line"),
        }
    }

    fn fetch_add(self, word: usize, value: u64) -> u64 {
        match self {
            Self::Hot { words, .. } => words[word].fetch_add(value),
            Self::Own(words) => words[word].fetch_add(value, Relaxed),
            Self::Cold(_) => panic!("nobody should add to this line"),
        }
    }
}

fn own<W>(table: &[Plain], number: u32) -> Option<AnyLine<'_, W>> {
    table.get(number as usize).map(AnyLine::Own)
}

impl<'a, M: Memory> Tables for &'a World<M> {
    type Line = AnyLine<'a, M::Word>;

    fn config(&self, line: u32) -> Option<Self::Line> {
        own(&self.config, line)
    }

    fn flow(&self, line: u32) -> Option<Self::Line> {
        Some(match self.flows.get(line as usize)? {
            Slot::Hot(words) => AnyLine::Hot {
                words,
                lock: line.is_multiple_of(bucket::LINES),
            },
            Slot::Cold(words) => AnyLine::Cold(words),
        })
    }

    fn filter(&self, line: u32) -> Option<Self::Line> {
        own(&self.filter, line)
    }

    fn service(&self, number: u32) -> Option<Self::Line> {
        own(&self.services, number)
    }

    fn schedule(&self, line: u32) -> Option<Self::Line> {
        own(&self.schedule, line)
    }

    fn dests(&self, line: u32) -> Option<Self::Line> {
        let (pair, part) = (line / dest::PAIR, line % dest::PAIR);
        if part == 0 {
            return own(&self.settings, pair);
        }
        let words = self.counts.get((2 * pair + part - 1) as usize)?;
        Some(AnyLine::Hot { words, lock: false })
    }

    fn dest_traffic(&self, _: u32) -> Option<Self::Line> {
        None
    }

    fn reasons(&self, _: u32) -> Option<Self::Line> {
        None
    }

    fn next_hops(&self, _: u32) -> Option<Self::Line> {
        None
    }

    fn interface(&self, _: u32) -> Option<Self::Line> {
        None
    }

    fn neighbour(&self, _: u64) -> Option<u32> {
        Some(NEXT_HOP)
    }

    fn endpoint(&self, _: &EndpointKey) -> Option<u64> {
        None
    }

    fn neighbour_ipv6(&self, _: &NeighbourKey) -> Option<u32> {
        Some(NEXT_HOP)
    }

    fn pointer(&self, key: &PointerKey) -> Option<Pointer> {
        self.pointers.with(|pointers| pointers.get(&key.0).copied())
    }

    fn pointer_insert(&self, key: &PointerKey, pointer: Pointer) -> bool {
        self.pointers.with(|pointers| {
            let fits = pointers.len() < self.room && !pointers.contains_key(&key.0);
            if fits {
                pointers.insert(key.0, pointer);
            }
            fits
        })
    }

    fn pointer_replace(&self, key: &PointerKey, old: Pointer, new: Pointer) -> bool {
        self.pointers
            .with(|pointers| match pointers.get_mut(&key.0) {
                Some(pointer) if *pointer == old => {
                    *pointer = new;
                    true
                }
                _ => false,
            })
    }

    fn pointer_remove(&self, key: &PointerKey) {
        self.pointers.with(|pointers| pointers.remove(&key.0));
    }

    fn route(&self, destination: u32, interface: u32) -> Option<Route> {
        Some(Route {
            interface,
            neighbour: destination,
        })
    }

    fn route_ipv6(&self, destination: Address, interface: u32) -> Option<RouteIpv6> {
        Some(RouteIpv6 {
            interface,
            neighbour: destination,
        })
    }

    fn now(&self) -> u32 {
        0
    }

    fn random(&self) -> u32 {
        self.random.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9) >> 7
    }
}

/// The next hop that every neighbour has.
pub(crate) const NEXT_HOP: u32 = 77;
