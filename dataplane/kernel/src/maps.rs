//! All tables of one data plane, open and mapped.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{Ordering, fence},
    time::Duration,
};

use ferrovs_core::{
    abi::{
        LAYOUT, WORDS,
        call::{Call, TEXT},
        config, dest,
        filter::Geometry,
        ipv6::{Address, EndpointKey, HIDDEN, NeighbourKey},
        locality::LocalityKey,
        pointer::{Pointer, PointerKey},
        reason,
        slab::Table,
    },
    tables::{Half, Line, Route, RouteIpv6, Tables},
};

use crate::{
    Error, Result, Sizes,
    hash::Hash,
    load::MapSet,
    mapped::{Lines, Words},
    slabs::Slabs,
    sys,
};

/// `MEMBARRIER_CMD_GLOBAL`: returns after an RCU grace period.
const MEMBARRIER_GLOBAL: libc::c_int = 1;
/// Far longer than any program runs; for kernels without [`MEMBARRIER_GLOBAL`].
const LONGER_THAN_ANY_RUN: Duration = Duration::from_millis(100);

/// All tables of one data plane.
#[derive(Debug)]
pub struct Maps {
    config: Lines,
    flows: Lines,
    filter: Slabs,
    services: Slabs,
    schedules: Slabs,
    dests: Slabs,
    dest_traffic: Slabs,
    reasons: Lines,
    next_hops: Slabs,
    interfaces: Lines,
    pool: Lines,
    neighbours: Hash<u64>,
    neighbours_ipv6: Hash<[u64; 3]>,
    endpoints: Hash<[u64; 3]>,
    pointers: OwnedFd,
    answered: OwnedFd,
    fragments: OwnedFd,
    answers: OwnedFd,
    localities: OwnedFd,
    calls: OwnedFd,
    pub(crate) wanted: OwnedFd,
}

impl Maps {
    /// Maps the arrays of a set.
    pub(crate) fn open(mut set: MapSet) -> Result<Self> {
        let mut take = |name: &str| {
            set.remove(name)
                .ok_or_else(|| Error::Object(format!("there is no map {name}")))
        };
        let problem = "cannot map the tables into memory";
        let mut slabs =
            |table| Slabs::open(table, take(Slabs::name(table))?).map_err(Error::system(problem));
        let filter = slabs(Table::Filter)?;
        let services = slabs(Table::Services)?;
        let schedules = slabs(Table::Schedules)?;
        let dests = slabs(Table::Dests)?;
        let dest_traffic = slabs(Table::DestTraffic)?;
        let next_hops = slabs(Table::NextHops)?;
        let lines = |map: Result<OwnedFd>| Lines::map(map?.as_fd()).map_err(Error::system(problem));
        Ok(Self {
            config: lines(take("CONFIG"))?,
            flows: lines(take("FLOWS"))?,
            filter,
            services,
            schedules,
            dests,
            dest_traffic,
            reasons: lines(take("REASONS"))?,
            next_hops,
            interfaces: lines(take("INTERFACES"))?,
            pool: lines(take("POOL"))?,
            neighbours: Hash::open(take("NEIGHBOURS")?).map_err(Error::system(problem))?,
            neighbours_ipv6: Hash::open(take("NEIGHBOURS6")?).map_err(Error::system(problem))?,
            endpoints: Hash::open(take("ENDPOINTS6")?).map_err(Error::system(problem))?,
            pointers: take("POINTERS")?,
            answered: take("ANSWERED")?,
            fragments: take("FRAGMENTS")?,
            answers: take("ANSWERS")?,
            localities: take("LOCALITIES")?,
            calls: take("CALLS")?,
            wanted: take("WANTED")?,
        })
    }

    /// Writes what new tables must say before a program may run over them. `filter_log2` is the size
    /// of the endpoint filter's first half in use, lines as a power of two.
    pub(crate) fn initialize(&self, sizes: &Sizes, filter_log2: u32) -> Result<()> {
        let problem = "cannot draw the secrets of the flow table";
        let mut secrets = [0; 24];
        draw(&mut secrets).map_err(Error::system(problem))?;
        let [first, second, seed] = words_of(secrets);
        let config = self.head();
        config.store(config::SECRET0, first);
        config.store(config::SECRET1, second | 1);
        config.store(config::BUCKET_MASK, u64::from(sizes.buckets()) - 1);
        let geometry = Geometry::new(0, filter_log2, seed as u32);
        config.store(config::FILTER, geometry.0);
        config.store(config::LAYOUT, LAYOUT);
        Ok(())
    }

    /// Line 0 of the configuration.
    pub(crate) fn head(&self) -> Words<'_> {
        match self.config.get(0) {
            Some(line) => line,
            // An array cannot be made without elements.
            None => unreachable!("the configuration has a first line"),
        }
    }

    /// The layout that the tables say they have.
    #[must_use]
    pub fn layout(&self) -> u64 {
        self.head().load(config::LAYOUT)
    }

    /// Lines of the flow table, headers included.
    #[must_use]
    pub const fn flow_lines(&self) -> u32 {
        self.flows.count()
    }

    /// Makes room for these lines of a table that grows.
    ///
    /// # Errors
    /// When the kernel has no memory for them, or the table may never have so many.
    pub fn grow(&self, table: Table, lines: Range<u32>) -> io::Result<()> {
        self.slabs(table).grow(lines)
    }

    /// Bytes of all tables, as they are now.
    ///
    /// # Errors
    /// When the kernel does not tell what its hash maps take.
    pub fn bytes(&self) -> io::Result<u64> {
        let arrays = [
            &self.config,
            &self.flows,
            &self.reasons,
            &self.interfaces,
            &self.pool,
        ];
        let grown = Table::ALL.map(|table| self.slabs(table).bytes());
        let mut sum = arrays.map(Lines::bytes).into_iter().chain(grown).sum();
        sum += self.neighbours.bytes()?;
        sum += self.neighbours_ipv6.bytes()?;
        sum += self.endpoints.bytes()?;
        for map in [
            &self.pointers,
            &self.answered,
            &self.fragments,
            &self.answers,
            &self.localities,
            &self.calls,
            &self.wanted,
        ] {
            sum += sys::map_memory(map.as_fd())?;
        }
        Ok(sum)
    }

    const fn slabs(&self, table: Table) -> &Slabs {
        match table {
            Table::Services => &self.services,
            Table::Schedules => &self.schedules,
            Table::Dests => &self.dests,
            Table::DestTraffic => &self.dest_traffic,
            Table::NextHops => &self.next_hops,
            Table::Filter => &self.filter,
        }
    }

    /// Tells the programs that next hops are looked after.
    pub fn beat(&self) {
        let now = u64::from((&self).now());
        self.head().store(config::HEARTBEAT, now);
    }

    /// The traffic of a destination, on each CPU.
    pub fn traffic_of(&self, number: u32) -> impl Iterator<Item = Half<Words<'_>>> {
        let on = move |cpu| self.dest_traffic.get_on(cpu, dest::traffic(number));
        (0..self.dest_traffic.cpus())
            .filter_map(on)
            .map(move |line| Half::of(line, number))
    }

    /// The ring of answers that programs ask for.
    pub(crate) fn answers(&self) -> BorrowedFd<'_> {
        self.answers.as_fd()
    }

    /// How often each reason occurred, over all CPUs.
    #[must_use]
    pub fn reasons(&self) -> Vec<(reason::Reason, u64)> {
        let cpus = self.reasons.count() / reason::LINES;
        let sum = |reason: reason::Reason| {
            let number = reason as u32;
            let counts = (0..cpus).filter_map(|cpu| {
                let line = self.reasons.get(cpu * reason::LINES + number / 8)?;
                Some(line.load(number as usize % 8))
            });
            (reason, counts.sum())
        };
        reason::Reason::ALL.iter().copied().map(sum).collect()
    }

    /// Returns when every program run that was under way has ended. Takes milliseconds.
    pub fn quiesce(&self) {
        fence(Ordering::SeqCst);
        // SAFETY: a system call without addresses.
        let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_GLOBAL, 0, 0) };
        if result != 0 {
            std::thread::sleep(LONGER_THAN_ANY_RUN);
        }
    }

    /// Leads a neighbour's key ([`ferrovs_core::abi::next_hop::neighbour_key`]) to a next hop.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn set_neighbour(&self, key: u64, number: u32) -> io::Result<()> {
        self.neighbours.set(&key, u64::from(number))
    }

    /// Forgets a neighbour's key.
    ///
    /// # Errors
    /// Those of bpf(2).
    pub fn remove_neighbour(&self, key: u64) -> io::Result<()> {
        self.neighbours.remove(&key)
    }

    /// All neighbours' keys and the next hops they lead to.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn neighbours(&self) -> io::Result<Vec<(u64, u32)>> {
        let all = self.neighbours.entries()?.into_iter();
        Ok(all.map(|(key, value)| (key, value as u32)).collect())
    }

    /// Leads an IPv6 neighbour to a next hop, or hides from the programs that it does.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn set_neighbour_ipv6(
        &self,
        key: NeighbourKey,
        number: u32,
        hidden: bool,
    ) -> io::Result<()> {
        let value = u64::from(number) | if hidden { HIDDEN } else { 0 };
        self.neighbours_ipv6.set(&key.0, value)
    }

    /// Forgets an IPv6 neighbour.
    ///
    /// # Errors
    /// Those of bpf(2).
    pub fn remove_neighbour_ipv6(&self, key: NeighbourKey) -> io::Result<()> {
        self.neighbours_ipv6.remove(&key.0)
    }

    /// All IPv6 neighbours, the next hops they lead to, and whether that is hidden from the programs.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn neighbours_ipv6(&self) -> io::Result<Vec<(NeighbourKey, u32, bool)>> {
        let parts =
            |(key, value): ([u64; 3], u64)| (NeighbourKey(key), value as u32, value & HIDDEN != 0);
        Ok(self
            .neighbours_ipv6
            .entries()?
            .into_iter()
            .map(parts)
            .collect())
    }

    /// The IPv6 endpoints that the filter has, and what it says about them.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn endpoints(&self) -> io::Result<BTreeMap<EndpointKey, u64>> {
        let all = self.endpoints.entries()?.into_iter();
        Ok(all.map(|(key, value)| (EndpointKey(key), value)).collect())
    }

    /// What the schedulers lblc and lblcr remember.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn localities(&self) -> io::Result<BTreeMap<LocalityKey, [u64; WORDS]>> {
        // SAFETY: keys of this map are two words, values a line.
        let all = unsafe { sys::entries(self.localities.as_fd()) }?;
        let all = all.into_iter();
        Ok(all.map(|(key, words)| (LocalityKey(key), words)).collect())
    }

    /// Forgets a line of that.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forget_locality(&self, key: LocalityKey) -> io::Result<()> {
        // SAFETY: keys of this map are two words.
        unsafe { sys::delete(self.localities.as_fd(), &key.0) }.map(drop)
    }

    /// The Call-ID that is kept under a call's number, if there is one.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn call_id(&self, call: Call) -> io::Result<Option<Vec<u8>>> {
        // SAFETY: keys of this map are a word, values so many.
        let text = unsafe { sys::lookup::<_, [u64; TEXT]>(self.calls.as_fd(), &call.0) }?;
        Ok(text.map(|words| {
            let bytes = words.into_iter().flat_map(u64::to_ne_bytes);
            bytes.take_while(|&byte| byte != 0).collect()
        }))
    }

    /// The calls whose Call-IDs are kept.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn calls(&self) -> io::Result<BTreeSet<Call>> {
        let mut calls = BTreeSet::new();
        let mut last = None;
        // SAFETY: keys of this map are a word.
        while let Some(next) = unsafe { sys::next_key(self.calls.as_fd(), last.as_ref()) }? {
            // What is taken away meanwhile has the kernel begin anew.
            if !calls.insert(Call(next)) {
                break;
            }
            last = Some(next);
        }
        Ok(calls)
    }

    /// Forgets the Call-ID of a call.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn forget_call(&self, call: Call) -> io::Result<()> {
        // SAFETY: keys of this map are a word.
        unsafe { sys::delete(self.calls.as_fd(), &call.0) }.map(drop)
    }

    /// Has the filter say this about an IPv6 endpoint, or forget it.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) -> io::Result<()> {
        match value {
            Some(value) => self.endpoints.set(&key.0, value),
            None => self.endpoints.remove(&key.0),
        }
    }
}

/// The daemon's home of the core: for sweeping, listing and publishing. It forwards no packets, so it
/// has no CPU's counters of its own and no routes.
impl<'a> Tables for &'a Maps {
    type Line = Words<'a>;

    fn config(&self, line: u32) -> Option<Words<'a>> {
        self.config.get(line)
    }

    fn flow(&self, line: u32) -> Option<Words<'a>> {
        self.flows.get(line)
    }

    fn filter(&self, line: u32) -> Option<Words<'a>> {
        self.filter.get(line)
    }

    fn service(&self, number: u32) -> Option<Words<'a>> {
        self.services.get(number)
    }

    fn schedule(&self, line: u32) -> Option<Words<'a>> {
        self.schedules.get(line)
    }

    fn dests(&self, line: u32) -> Option<Words<'a>> {
        self.dests.get(line)
    }

    fn dest_traffic(&self, _: u32) -> Option<Words<'a>> {
        None
    }

    fn reasons(&self, _: u32) -> Option<Words<'a>> {
        None
    }

    fn next_hops(&self, number: u32) -> Option<Words<'a>> {
        self.next_hops.get(number)
    }

    fn interface(&self, line: u32) -> Option<Words<'a>> {
        self.interfaces.get(line)
    }

    fn pool(&self, line: u32) -> Option<Words<'a>> {
        self.pool.get(line)
    }

    fn neighbour(&self, key: u64) -> Option<u32> {
        let found = self.neighbours.get(&key).ok().flatten();
        found.map(|number| number as u32)
    }

    fn endpoint(&self, key: &EndpointKey) -> Option<u64> {
        self.endpoints.get(&key.0).ok().flatten()
    }

    fn neighbour_ipv6(&self, key: &NeighbourKey) -> Option<u32> {
        let number = self.neighbours_ipv6.get(&key.0).ok().flatten()?;
        (number & HIDDEN == 0).then_some(number as u32)
    }

    fn pointer(&self, key: &PointerKey) -> Option<Pointer> {
        // SAFETY: keys of this map are two words, values one.
        let found = unsafe { sys::lookup::<_, u64>(self.pointers.as_fd(), &key.0) };
        found.ok().flatten().map(Pointer)
    }

    fn pointer_insert(&self, key: &PointerKey, pointer: Pointer) -> bool {
        // SAFETY: keys of this map are two words, values one.
        unsafe { sys::update(self.pointers.as_fd(), &key.0, &pointer.0, true) }.is_ok()
    }

    fn pointer_replace(&self, _: &PointerKey, _: Pointer, _: Pointer) -> bool {
        // No system call can do it in one step, and only who opens flows needs it.
        false
    }

    fn pointer_remove(&self, key: &PointerKey) {
        // SAFETY: keys of this map are two words. An absent key is as good as a removed one.
        let _ = unsafe { sys::delete(self.pointers.as_fd(), &key.0) };
    }

    fn route(&self, _: u32, _: u32) -> Option<Route> {
        None
    }

    fn route_ipv6(&self, _: Address, _: u32) -> Option<RouteIpv6> {
        None
    }

    fn now(&self) -> u32 {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // The clock that the programs read (bpf_ktime_get_coarse_ns).
        // SAFETY: `time` is where the answer goes.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut time) };
        let nanoseconds = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
        (nanoseconds >> config::TICK_SHIFT) as u32
    }

    fn random(&self) -> u32 {
        let mut bytes = [0; 4];
        match draw(&mut bytes) {
            Ok(()) => u32::from_ne_bytes(bytes),
            Err(_) => self.now().wrapping_mul(0x9e37_79b9),
        }
    }
}

fn draw(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: the buffer is as long as it says. So few bytes come all at once.
    let drawn = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(drawn) == Ok(bytes.len()) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn words_of<const N: usize>(bytes: [u8; N]) -> [u64; 3] {
    let mut words = [0; 3];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = bytes
            .iter()
            .fold(0, |word, &byte| word << 8 | u64::from(byte));
    }
    words
}
