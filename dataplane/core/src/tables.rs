//! What tables are to the core: arrays of lines, a few maps, a clock.
//!
//! Contract for implementers: `load` acquires and `store` releases, read-modify-write operations are
//! sequentially consistent; a line stays valid while it is held; indices out of range give `None`.

use crate::abi::WORDS;
use crate::abi::call::Call;
use crate::abi::flow::Control;
use crate::abi::fragment::{FragmentKey, Known};
use crate::abi::ipv6::{Address, EndpointKey, NeighbourKey};
use crate::abi::locality::LocalityKey;
use crate::abi::pointer::{Pointer, PointerKey};
use crate::abi::reason::Reason;
use crate::abi::schedule::Schedule;
use crate::abi::{config, dest, next_hop};
use crate::answer::Question;
use crate::flow::find::tagged;
use crate::flow::handshake::note;
use crate::flow::lease::{self, lease, stand_in};
use crate::flow::machine::{Row, after, begin};
use crate::flow::one_packet::pair;
use crate::flow::open::{Outcome, Wish, complete, open};
use crate::flow::persist::{kept, persist};
use crate::flow::reserve::{point, shared_with};
use crate::flow::retire::take;
use crate::flow::schedule::{Consent, choose, consent, finish};
use crate::flow::tcp::Direction;
use crate::frame::Frame;
use crate::icmp::find::{quoted, quoted_ipv6};
use crate::mark::marked;
use crate::sched::ewma::{self, Race};
use crate::sched::lblcr::{self, Quest, Tour};
use crate::sched::local::{self, Relief};
use crate::sched::mhb::{self, Census, Walk};
use crate::sched::scan::{Search, step};
use crate::sched::search::below;
use crate::wildcard::{heir, successor, wildcard, wildcard_ipv6};

/// Eight words of shared memory, each read and written whole. Word numbers are taken modulo 8.
pub trait Line: Copy {
    /// The word's value; later reads are not moved before this one.
    fn load(self, word: usize) -> u64;
    /// Sets the word; earlier writes are not moved behind this one.
    fn store(self, word: usize, value: u64);
    /// Sets the word to `new` if it is `current`; whether it was.
    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool;
    /// Adds to the word, wrapping; what it was before.
    fn fetch_add(self, word: usize, value: u64) -> u64;
    /// Adds to a word that only this CPU writes.
    fn add_local(self, word: usize, value: u64) {
        self.store(word, self.load(word).wrapping_add(value));
    }
}

/// Half a line: four words, of one of two neighbours that share the line. Word numbers are taken modulo
/// 4.
#[derive(Clone, Copy)]
pub struct Half<L> {
    line: L,
    first: usize,
}

impl<L: Line> Half<L> {
    /// The half that `number` has of the line it shares with the even or odd number beside it.
    #[inline(always)]
    pub fn of(line: L, number: u32) -> Self {
        let first = (number & 1) as usize * 4;
        Self { line, first }
    }
}

impl<L: Line> Line for Half<L> {
    #[inline(always)]
    fn load(self, word: usize) -> u64 {
        self.line.load(self.first + (word & 3))
    }

    #[inline(always)]
    fn store(self, word: usize, value: u64) {
        self.line.store(self.first + (word & 3), value);
    }

    #[inline(always)]
    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool {
        let word = self.first + (word & 3);
        self.line.compare_exchange(word, current, new)
    }

    #[inline(always)]
    fn fetch_add(self, word: usize, value: u64) -> u64 {
        self.line.fetch_add(self.first + (word & 3), value)
    }
}

/// Where a packet to an address leaves, as the kernel's routing table says.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Route {
    /// Index of the interface it leaves by.
    pub interface: u32,
    /// IPv4 address of the neighbour it is handed to: the gateway, or the destination itself.
    /// Wire order.
    pub neighbour: u32,
}

/// As [`Route`], of an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct RouteIpv6 {
    /// Index of the interface it leaves by.
    pub interface: u32,
    /// Address of the neighbour it is handed to, often a link-local one.
    pub neighbour: Address,
}

/// Everything outside the packet that a decision may depend on.
pub trait Tables {
    /// The lines this home provides.
    type Line: Line;

    /// Line of the configuration ([`crate::abi::config`]).
    fn config(&self, line: u32) -> Option<Self::Line>;
    /// Line of the flow table ([`crate::abi::bucket`], [`crate::abi::flow`]).
    fn flow(&self, line: u32) -> Option<Self::Line>;
    /// Line of the endpoint filter ([`crate::abi::filter`]).
    fn filter(&self, line: u32) -> Option<Self::Line>;
    /// Line of a service ([`crate::abi::service`]).
    fn service(&self, number: u32) -> Option<Self::Line>;
    /// Line of the schedules ([`crate::abi::schedule`]).
    fn schedule(&self, line: u32) -> Option<Self::Line>;
    /// Line of the destinations ([`crate::abi::dest`]).
    fn dests(&self, line: u32) -> Option<Self::Line>;
    /// Line of this CPU's traffic of destinations ([`crate::abi::dest`]).
    fn dest_traffic(&self, line: u32) -> Option<Self::Line>;
    /// Line of this CPU's reason counters ([`crate::abi::reason`]).
    fn reasons(&self, line: u32) -> Option<Self::Line>;
    /// Line of the next hops ([`crate::abi::next_hop`]).
    fn next_hops(&self, line: u32) -> Option<Self::Line>;
    /// Line of the interfaces ([`crate::abi::interface`]).
    fn interface(&self, line: u32) -> Option<Self::Line>;
    /// Line of the pool ([`crate::abi::pool`]). By default a home has none.
    fn pool(&self, _line: u32) -> Option<Self::Line> {
        None
    }

    /// The settings of a destination.
    #[inline(always)]
    fn dest(&self, number: u32) -> Option<Half<Self::Line>> {
        Some(Half::of(self.dests(dest::settings(number))?, number))
    }

    /// The live counts of a destination.
    #[inline(always)]
    fn counts(&self, number: u32) -> Option<Self::Line> {
        self.dests(dest::counts(number))
    }

    /// What a tunnel to a destination needs besides its settings.
    #[inline(always)]
    fn tunnel(&self, number: u32) -> Option<Half<Self::Line>> {
        Some(Half::of(self.dests(dest::tunnel(number))?, number))
    }

    /// This CPU's traffic of a destination.
    #[inline(always)]
    fn traffic(&self, number: u32) -> Option<Half<Self::Line>> {
        Some(Half::of(self.dest_traffic(dest::traffic(number))?, number))
    }

    /// A next hop.
    #[inline(always)]
    fn next_hop(&self, number: u32) -> Option<Half<Self::Line>> {
        Some(Half::of(self.next_hops(next_hop::line(number))?, number))
    }

    /// The number of the next hop with this [key](crate::abi::next_hop::neighbour_key).
    fn neighbour(&self, key: u64) -> Option<u32>;

    /// What the filter knows about an IPv6 endpoint: a [`crate::abi::filter::Entry`].
    fn endpoint(&self, key: &EndpointKey) -> Option<u64>;
    /// The number of the next hop with this key, which is not [hidden](crate::abi::ipv6::HIDDEN).
    fn neighbour_ipv6(&self, key: &NeighbourKey) -> Option<u32>;

    /// The pointer stored under a key.
    fn pointer(&self, key: &PointerKey) -> Option<Pointer>;
    /// Stores a pointer under a key that has none; false if it has one or there is no room.
    fn pointer_insert(&self, key: &PointerKey, pointer: Pointer) -> bool;
    /// Changes the pointer under a key from `old` to `new` in one step; false if it is not `old`.
    fn pointer_replace(&self, key: &PointerKey, old: Pointer, new: Pointer) -> bool;
    /// Forgets a key.
    fn pointer_remove(&self, key: &PointerKey);

    /// The line stored under a key of the schedulers' caches. By default a home has none, for it picks no servers.
    fn locality(&self, _: &LocalityKey) -> Option<Self::Line> {
        None
    }
    /// Stores a line under a key that has none; false if it has one or there is no room.
    fn locality_insert(&self, _: &LocalityKey, _: [u64; WORDS]) -> bool {
        false
    }

    /// The route to an IPv4 address (wire order), for a packet that came in by `interface`.
    fn route(&self, destination: u32, interface: u32) -> Option<Route>;

    /// The same to an IPv6 address.
    fn route_ipv6(&self, destination: Address, interface: u32) -> Option<RouteIpv6>;

    /// What is known of the packet that a fragment belongs to. A home that forwards no packets remembers none.
    fn fragment(&self, _: &FragmentKey) -> Option<Known> {
        None
    }
    /// Remembers it.
    fn set_fragment(&self, _: &FragmentKey, _: Known) {}

    // A home that forwards no packets answers none either.

    /// How often a source was answered lately: an [`crate::abi::answer::Allowance`]. An IPv4 address is mapped
    /// into IPv6 (RFC 4291, section 2.5.5.2).
    fn answered(&self, _source: Address) -> u64 {
        0
    }

    /// Remembers it. CPUs that do so at once may forget each other's answers.
    fn set_answered(&self, _source: Address, _allowance: u64) {}

    /// Asks the daemon to answer the packet in `frame`, and to quote as much of it as the request says; false if
    /// it cannot be asked.
    fn ask<F: Frame>(&self, _frame: &F, _question: Question) -> bool {
        false
    }

    /// Keeps a Call-ID, which are `length` bytes (1 to [`crate::abi::call::LONGEST`]) of the packet in `frame` from `start` on,
    /// to be listed under the call's number, unless there is one or no room.
    fn note_call<F: Frame>(&self, _frame: &F, _call: Call, _start: usize, _length: usize) {}

    // The core calls some of its own functions by way of its home, because the eBPF programs must call
    // them differently: as functions that the verifier judges by themselves, or from `bpf_loop`.

    /// The number of the server that the [steps](crate::sched::scan::step) of a search find.
    fn best(&self, mut search: Search) -> Option<u32>
    where
        Self: Sized,
    {
        for at in 0..search.steps() {
            if step(self, &mut search, at) {
                break;
            }
        }
        search.found()
    }

    /// Whose is an IPv4 packet with a mark: [`crate::mark::marked`].
    fn marked(&self, source: u64, destination: u64, mark: u32) -> u64
    where
        Self: Sized,
    {
        marked(self, source, destination, mark)
    }

    /// Looks an IPv4 packet's endpoints up for all ports: [`crate::wildcard::wildcard`].
    fn wildcard(&self, source: u64, destination: u64) -> u64
    where
        Self: Sized,
    {
        wildcard(self, source, destination)
    }

    /// The same of an IPv6 packet: [`crate::wildcard::wildcard_ipv6`].
    fn wildcard_ipv6(&self, source: Address, destination: Address, rest: u64) -> u64
    where
        Self: Sized,
    {
        wildcard_ipv6(self, source, destination, rest)
    }

    /// The service of a packet to the endpoint of a removed one: [`crate::wildcard::heir`].
    fn heir(&self, client: u64, virtual_: u64) -> u16
    where
        Self: Sized,
    {
        heir(self, client, virtual_)
    }

    /// The one that has taken its place: [`crate::wildcard::successor`].
    fn successor(&self, client: u64, virtual_: u64) -> u16
    where
        Self: Sized,
    {
        successor(self, client, virtual_)
    }

    /// Finds the flow of an IPv4 packet that an error quotes: [`crate::icmp::find::quoted`].
    fn quoted(&self, source: u64, destination: u64, mark: u32) -> u64
    where
        Self: Sized,
    {
        quoted(self, source, destination, mark)
    }

    /// The same of an IPv6 packet: [`crate::icmp::find::quoted_ipv6`].
    fn quoted_ipv6(&self, source: Address, destination: Address, rest: u64) -> u64
    where
        Self: Sized,
    {
        quoted_ipv6(self, source, destination, rest)
    }

    /// The number of the server that the [steps](crate::sched::lblcr::step) through a set find.
    fn tour(&self, quest: Quest) -> u32
    where
        Self: Sized,
    {
        let mut tour = Tour::new(quest);
        for at in 0..tour.steps() {
            if lblcr::step(self, &mut tour, at) {
                break;
            }
        }
        tour.found()
    }

    /// Compares two servers of a set: [`crate::sched::lblcr::outweigh`].
    fn outweigh(&self, task: u32, service: u32, best: u32, next: u32) -> u32
    where
        Self: Sized,
    {
        lblcr::outweigh(self, task, service, best, next)
    }

    /// What the [steps](crate::sched::local::step) through all servers find.
    fn relief(&self, mut relief: Relief) -> Relief
    where
        Self: Sized,
    {
        for at in 0..relief.steps() {
            if local::step(self, &mut relief, at) {
                break;
            }
        }
        relief
    }

    /// The server of an address that a scheduler remembers: [`crate::sched::local::pick`].
    fn local(&self, schedule: Schedule, service: u32, address: u32) -> u32
    where
        Self: Sized,
    {
        local::pick(self, schedule, service, address)
    }

    /// The number of the server that wins a [race](crate::sched::ewma::step).
    fn race(&self, schedule: Schedule) -> u32
    where
        Self: Sized,
    {
        let mut race = Race::new(schedule, self.nanoseconds());
        for at in 0..race.steps() {
            if ewma::step(self, &mut race, at) {
                break;
            }
        }
        race.winner()
    }

    /// What the [steps](crate::sched::mhb::count) of a census find.
    fn census(&self, mut census: Census) -> u64
    where
        Self: Sized,
    {
        for at in 0..census.steps() {
            mhb::count(self, &mut census, at);
        }
        census.flows
    }

    /// What the [steps](crate::sched::mhb::step) of a walk from bucket to bucket find.
    fn probe(&self, mut walk: Walk) -> Walk
    where
        Self: Sized,
    {
        for at in 0..walk.steps() {
            if mhb::step(self, &mut walk, at) {
                break;
            }
        }
        walk
    }

    /// The server of a key, unless it has too much to do: [`crate::sched::mhb::pick`].
    fn bounded(&self, schedule: Schedule, key: u32) -> u32
    where
        Self: Sized,
    {
        mhb::pick(self, schedule, key)
    }

    /// Notes a server's SYN+ACK: [`crate::flow::handshake::note`].
    fn note_handshake(&self, number: u32, generation: u32, expected: u32)
    where
        Self: Sized,
    {
        note(self, number, generation, expected);
    }

    /// Halves a row of words: [`crate::sched::search::below`].
    fn below(&self, first: u32, count: u32, value: u64, shift: u32) -> u32
    where
        Self: Sized,
    {
        below(self, first, count, value, shift)
    }

    /// Keeps a client with its server: [`crate::flow::persist::persist`].
    fn persist(&self, wish: Wish) -> Outcome
    where
        Self: Sized,
    {
        persist(self, &wish)
    }

    /// Picks a server: [`crate::flow::schedule::choose`].
    fn choose(&self, address: u32, client: u64, virtual_: u64) -> u32
    where
        Self: Sized,
    {
        choose(self, address, client, virtual_)
    }

    /// Looks for a flow among the tagged lines of a bucket: [`crate::flow::find::tagged`].
    fn tagged(&self, bucket: u32, tag: u32, first: u64, second: u64) -> u32
    where
        Self: Sized,
    {
        tagged(self, bucket, tag, first, second)
    }

    /// Looks for where a server's replies to one-packet datagrams go: [`crate::flow::one_packet::pair`].
    fn pair(&self, client: u64, virtual_: u64, dest: u32) -> u32
    where
        Self: Sized,
    {
        pair(self, client, virtual_, dest)
    }

    /// Which service had a draft's server first: [`crate::flow::reserve::shared_with`].
    fn shared_with(&self, number: u32) -> u16
    where
        Self: Sized,
    {
        shared_with(self, number)
    }

    /// Takes an endpoint of the pool: [`crate::flow::lease::lease`].
    fn lease(&self, number: u32) -> u64
    where
        Self: Sized,
    {
        lease(self, number)
    }

    /// Makes a flow of a draft: [`crate::flow::open::complete`].
    fn complete(&self, number: u32, state: u8, leased: u64) -> Outcome
    where
        Self: Sized,
    {
        complete(self, number, state, leased)
    }

    /// What the [steps](crate::flow::lease::step) of a search for one find.
    fn search(&self, mut search: lease::Search) -> lease::Search
    where
        Self: Sized,
    {
        for at in 0..search.steps() {
            if lease::step(self, &mut search, at) {
                break;
            }
        }
        search
    }

    /// What stands for a server's peer: [`crate::flow::lease::stand_in`].
    fn stand_in(&self, address: Address) -> u32
    where
        Self: Sized,
    {
        stand_in(self, address)
    }

    /// Reserves a reply: [`crate::flow::reserve::point`].
    fn point(&self, older: u16, key: PointerKey, pointer: Pointer) -> bool
    where
        Self: Sized,
    {
        point(self, older, key, pointer)
    }

    /// Who a client is kept with: [`crate::flow::persist::kept`].
    fn kept(&self, wish: Wish) -> u32
    where
        Self: Sized,
    {
        kept(self, &wish)
    }

    /// What a service says to a new flow: [`crate::flow::schedule::consent`].
    fn consent(&self, mut wish: Wish) -> Consent
    where
        Self: Sized,
    {
        consent(self, &mut wish)
    }

    /// Ends a flow and claims its line: [`crate::flow::retire::take`].
    fn take(&self, number: u32, seen: Control, now: u32) -> bool
    where
        Self: Sized,
    {
        take(self, number, seen, now)
    }

    /// Opens a flow: [`crate::flow::open::open`].
    fn open(&self, wish: Wish) -> Outcome
    where
        Self: Sized,
    {
        open(self, &wish)
    }

    /// Opens the flow whose server was found: [`crate::flow::schedule::finish`].
    fn finish(&self, wish: &mut Wish, found: u64) -> Outcome
    where
        Self: Sized,
    {
        finish(self, wish, found)
    }

    /// The state in which a flow begins: [`crate::flow::machine::begin`].
    fn begin(&self, protocol: u8, flags: u16) -> u8
    where
        Self: Sized,
    {
        begin(self, protocol, flags)
    }

    /// What follows a state: [`crate::flow::machine::after`].
    fn after(&self, direction: Direction, protocol: u8, flags: u16) -> Row
    where
        Self: Sized,
    {
        after(direction, protocol, flags)
    }

    /// Monotonic time in nanoseconds, as fine as this home has it.
    fn nanoseconds(&self) -> u64 {
        config::nanoseconds(self.now())
    }
    /// Monotonic time in ticks of [`crate::abi::config::TICK_SHIFT`].
    fn now(&self) -> u32;
    /// A random number.
    fn random(&self) -> u32;
}

/// Counts a reason on this CPU.
#[inline(always)]
pub fn count<T: Tables>(tables: &T, reason: Reason) {
    let number = reason as u32;
    if let Some(line) = tables.reasons(number / 8) {
        line.add_local((number & 7) as usize, 1);
    }
}
