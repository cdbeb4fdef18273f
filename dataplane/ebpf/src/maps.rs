//! The maps, and the core's view of them.
//!
//! Sizes marked "set at load" are stand-ins that the daemon replaces. All arrays of lines can be
//! mapped by the daemon.

mod calls;

use core::ffi::c_void;
use core::mem::zeroed;
use core::slice;

use aya_ebpf::bindings::{BPF_ANY, BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_NOEXIST, bpf_fib_lookup};
use aya_ebpf::btf_maps::{Array, ArrayOfMaps, HashMap, LruHashMap, PerCpuArray, RingBuf};
use aya_ebpf::helpers::{
    bpf_fib_lookup as fib_lookup, bpf_get_prandom_u32, bpf_get_smp_processor_id,
    bpf_ktime_get_coarse_ns, bpf_ktime_get_ns, bpf_loop,
};
use aya_ebpf::macros::btf_map;
use ferrovs_core::abi::call::{self, Call};
use ferrovs_core::abi::flow::Control;
use ferrovs_core::abi::fragment::{self, FragmentKey, Known};
use ferrovs_core::abi::ipv6::{Address, EndpointKey, HIDDEN, NeighbourKey};
use ferrovs_core::abi::locality::LocalityKey;
use ferrovs_core::abi::pointer::{Pointer, PointerKey};
use ferrovs_core::abi::schedule::Schedule;
use ferrovs_core::abi::slab::Table;
use ferrovs_core::abi::{WORDS, answer, config, interface, locality, pool, reason};
use ferrovs_core::answer::Question;
use ferrovs_core::flow::lease;
use ferrovs_core::flow::machine::Row;
use ferrovs_core::flow::open::{Outcome, Wish};
use ferrovs_core::flow::schedule::Consent;
use ferrovs_core::flow::tcp::Direction;
use ferrovs_core::frame::Frame;
use ferrovs_core::sched::lblcr::Quest;
use ferrovs_core::sched::local::Relief;
use ferrovs_core::sched::mhb::{Census, Walk};
use ferrovs_core::sched::scan::Search;
use ferrovs_core::tables::{Route, RouteIpv6, Tables};

use calls::*;

use crate::line::{MapLine, compare_exchange};

type Lines<const N: usize> = Array<[u64; WORDS], N, { BPF_F_MMAPABLE as usize }>;
type Slabs<const LINES: usize, const N: usize> = ArrayOfMaps<Lines<LINES>, N>;
/// A map to words, for so many keys that the daemon puts a larger one in its place when it is full.
type Exchanged<K> = ArrayOfMaps<Sparse<K, u64, 1024>, 1>;
type Sparse<K, V, const N: usize> = HashMap<K, V, N, { BPF_F_NO_PREALLOC as usize }>;

/// What the daemon tells the programs.
#[btf_map]
static CONFIG: Lines<{ config::LINES as usize }> = Lines::new();
/// The flow table. Set at load.
#[btf_map]
static FLOWS: Lines<8> = Lines::new();
/// The endpoint filter.
#[btf_map]
static FILTER: Slabs<{ slab(Table::Filter) }, { slabs(Table::Filter) }> = Slabs::new();
/// Virtual services.
#[btf_map]
static SERVICES: Slabs<{ slab(Table::Services) }, { slabs(Table::Services) }> = Slabs::new();
/// What the schedulers pick from.
#[btf_map]
static SCHEDULES: Slabs<{ slab(Table::Schedules) }, { slabs(Table::Schedules) }> = Slabs::new();
/// Real servers.
#[btf_map]
static DESTS: Slabs<{ slab(Table::Dests) }, { slabs(Table::Dests) }> = Slabs::new();
/// Their traffic. The slabs' size is set at load.
#[btf_map]
static DEST_TRAFFIC: Slabs<{ slab(Table::DestTraffic) }, { slabs(Table::DestTraffic) }> =
    Slabs::new();
/// Reason counters, one block of lines for each CPU. Set at load.
#[btf_map]
static REASONS: Lines<{ reason::LINES as usize }> = Lines::new();
/// Next hops.
#[btf_map]
static NEXT_HOPS: Slabs<{ slab(Table::NextHops) }, { slabs(Table::NextHops) }> = Slabs::new();
/// Interfaces whose packets we see.
#[btf_map]
static INTERFACES: Lines<{ interface::LINES as usize }> = Lines::new();
/// Addresses of the director that servers know clients by.
#[btf_map]
static POOL: Lines<{ pool::LINES as usize }> = Lines::new();
/// From a neighbour to the number of its next hop.
#[btf_map]
static NEIGHBOURS: Exchanged<u64> = Exchanged::new();
/// The same for IPv6.
#[btf_map]
static NEIGHBOURS6: Exchanged<[u64; 3]> = Exchanged::new();
/// The endpoint filter for IPv6.
#[btf_map]
static ENDPOINTS6: Exchanged<[u64; 3]> = Exchanged::new();
/// Where flows live that their hash does not lead to. Set at load.
#[btf_map]
static POINTERS: Sparse<[u64; 2], u64, 1024> = Sparse::new();
/// How often sources were answered lately.
#[btf_map]
static ANSWERED: LruHashMap<[u64; 2], u64, { answer::SOURCES as usize }> = LruHashMap::new();
/// Where packets go of which the first fragment was seen.
#[btf_map]
static FRAGMENTS: LruHashMap<[u64; 5], [u64; 2], { fragment::PACKETS as usize }> =
    LruHashMap::new();

/// What the daemon is asked to answer.
#[btf_map]
static ANSWERS: RingBuf<[u64; answer::WORDS], { answer::RING }> = RingBuf::new();
/// What the schedulers lblc and lblcr remember. Only the daemon takes lines away, long after anybody read them; should
/// one be given to another key just then, a server may be remembered for the wrong address of its own service.
#[btf_map]
static LOCALITIES: Sparse<[u64; 2], [u64; WORDS], { locality::LINES as usize }> = Sparse::new();
/// The Call-IDs of templates, as they are listed.
#[btf_map]
static CALLS: Sparse<u64, [u64; call::TEXT], { call::CALLS as usize }> = Sparse::new();
/// Where one is put together: larger than the stack has room for.
#[btf_map]
static CALL_ID: PerCpuArray<[u64; call::TEXT], 1> = PerCpuArray::new();
/// The daemon's own: what the administrator wants, in chunks. No program reads it, but a map lives as
/// long as a program names it.
#[btf_map]
static WANTED: Sparse<u64, [u8; WANTED_CHUNK], 16_384> = Sparse::new();

const fn slab(table: Table) -> usize {
    table.slab() as usize
}

const fn slabs(table: Table) -> usize {
    table.slabs() as usize
}

/// Bytes in a chunk of [`WANTED`]: with key and bucket links just below 4 KiB.
const WANTED_CHUNK: usize = 3968;

/// Address family IPv4, as the kernel numbers it.
pub const AF_INET: u32 = 2;
/// Address family IPv6.
pub const AF_INET6: u32 = 10;
/// `BPF_FIB_LKUP_RET_SUCCESS`.
const FOUND: i64 = 0;
/// `BPF_FIB_LKUP_RET_NO_NEIGH`: route found, neighbour unknown.
const FOUND_WITHOUT_NEIGHBOUR: i64 = 7;

/// All tables, and the context of the packet for helpers that want it.
pub struct Maps(*mut c_void);

impl Maps {
    /// For one packet.
    #[inline(always)]
    pub fn new(ctx: *mut c_void) -> Self {
        Self(ctx)
    }
}

#[inline(always)]
fn line<const N: usize>(map: &Lines<N>, index: u32) -> Option<MapLine> {
    map.get_ptr_mut(index).map(MapLine::new)
}

/// A line of a table that grows.
#[inline(always)]
fn grown<const LINES: usize, const N: usize>(
    map: &Slabs<LINES, N>,
    table: Table,
    index: u32,
) -> Option<MapLine> {
    map.get_value_ptr_mut(table.slab_of(index), &table.place(index))
        .map(MapLine::new)
}

#[inline(always)]
fn cpu() -> u32 {
    // SAFETY: plain helper call.
    unsafe { bpf_get_smp_processor_id() }
}

impl Tables for Maps {
    type Line = MapLine;

    #[inline(always)]
    fn config(&self, index: u32) -> Option<MapLine> {
        line(&CONFIG, index)
    }

    #[inline(always)]
    fn flow(&self, index: u32) -> Option<MapLine> {
        line(&FLOWS, index)
    }

    #[inline(always)]
    fn filter(&self, index: u32) -> Option<MapLine> {
        grown(&FILTER, Table::Filter, index)
    }

    #[inline(always)]
    fn service(&self, number: u32) -> Option<MapLine> {
        grown(&SERVICES, Table::Services, number)
    }

    #[inline(always)]
    fn schedule(&self, index: u32) -> Option<MapLine> {
        grown(&SCHEDULES, Table::Schedules, index)
    }

    #[inline(always)]
    fn dests(&self, index: u32) -> Option<MapLine> {
        grown(&DESTS, Table::Dests, index)
    }

    #[inline(always)]
    fn dest_traffic(&self, index: u32) -> Option<MapLine> {
        let table = Table::DestTraffic;
        let place = cpu() * table.slab() + table.place(index);
        DEST_TRAFFIC
            .get_value_ptr_mut(table.slab_of(index), &place)
            .map(MapLine::new)
    }

    #[inline(always)]
    fn reasons(&self, index: u32) -> Option<MapLine> {
        line(&REASONS, cpu() * reason::LINES + index)
    }

    #[inline(always)]
    fn next_hops(&self, index: u32) -> Option<MapLine> {
        grown(&NEXT_HOPS, Table::NextHops, index)
    }

    #[inline(always)]
    fn interface(&self, index: u32) -> Option<MapLine> {
        line(&INTERFACES, index)
    }

    #[inline(always)]
    fn pool(&self, index: u32) -> Option<MapLine> {
        line(&POOL, index)
    }

    #[inline(always)]
    fn neighbour(&self, key: u64) -> Option<u32> {
        // SAFETY: copied out at once; the daemon writes the value once, before it is found.
        unsafe { NEIGHBOURS.get(0)?.get(key) }.map(|number| *number as u32)
    }

    #[inline(always)]
    fn endpoint(&self, key: &EndpointKey) -> Option<u64> {
        // SAFETY: copied out at once; whatever it was, it was so a moment ago.
        unsafe { ENDPOINTS6.get(0)?.get(key.0) }.copied()
    }

    #[inline(always)]
    fn neighbour_ipv6(&self, key: &NeighbourKey) -> Option<u32> {
        // SAFETY: copied out at once.
        match unsafe { NEIGHBOURS6.get(0)?.get(key.0) } {
            Some(&number) if number & HIDDEN == 0 => Some(number as u32),
            _ => None,
        }
    }

    #[inline(always)]
    fn pointer(&self, key: &PointerKey) -> Option<Pointer> {
        // SAFETY: copied out at once; the flow it leads to is checked against the key.
        unsafe { POINTERS.get(key.0) }.map(|pointer| Pointer(*pointer))
    }

    #[inline(always)]
    fn pointer_insert(&self, key: &PointerKey, pointer: Pointer) -> bool {
        POINTERS
            .insert(key.0, pointer.0, u64::from(BPF_NOEXIST))
            .is_ok()
    }

    #[inline(always)]
    fn pointer_replace(&self, key: &PointerKey, old: Pointer, new: Pointer) -> bool {
        match POINTERS.get_ptr_mut(key.0) {
            Some(value) => compare_exchange(value, old.0, new.0),
            None => false,
        }
    }

    #[inline(always)]
    fn pointer_remove(&self, key: &PointerKey) {
        // An absent key is as good as a removed one.
        let _ = POINTERS.remove(key.0);
    }

    #[inline(always)]
    fn locality(&self, key: &LocalityKey) -> Option<MapLine> {
        LOCALITIES.get_ptr_mut(key.0).map(MapLine::new)
    }

    #[inline(always)]
    fn locality_insert(&self, key: &LocalityKey, words: [u64; WORDS]) -> bool {
        LOCALITIES
            .insert(key.0, words, u64::from(BPF_NOEXIST))
            .is_ok()
    }

    #[inline(always)]
    fn route(&self, destination: u32, interface: u32) -> Option<Route> {
        // SAFETY: a plain C struct of integers, for which zero is a value.
        let mut params: bpf_fib_lookup = unsafe { zeroed() };
        params.family = AF_INET as u8;
        params.ifindex = interface;
        params.__bindgen_anon_4.ipv4_dst = destination;
        let size = size_of::<bpf_fib_lookup>() as i32;
        // SAFETY: context and parameters are valid and of the size that is named.
        let answer = unsafe { fib_lookup(self.0, &mut params, size, 0) };
        match answer {
            FOUND | FOUND_WITHOUT_NEIGHBOUR => Some(Route {
                interface: params.ifindex,
                // SAFETY: the kernel has written the IPv4 member: the gateway, if there is one.
                neighbour: unsafe { params.__bindgen_anon_4.ipv4_dst },
            }),
            _ => None,
        }
    }

    #[inline(always)]
    fn route_ipv6(&self, destination: Address, interface: u32) -> Option<RouteIpv6> {
        // SAFETY: a plain C struct of integers, for which zero is a value.
        let mut params: bpf_fib_lookup = unsafe { zeroed() };
        params.family = AF_INET6 as u8;
        params.ifindex = interface;
        params.__bindgen_anon_4.ipv6_dst = destination.words();
        let size = size_of::<bpf_fib_lookup>() as i32;
        // SAFETY: context and parameters are valid and of the size that is named.
        let answer = unsafe { fib_lookup(self.0, &mut params, size, 0) };
        match answer {
            FOUND | FOUND_WITHOUT_NEIGHBOUR => {
                // SAFETY: the kernel has written the IPv6 member: the gateway, if there is one.
                let [a, b, c, d] = unsafe { params.__bindgen_anon_4.ipv6_dst };
                let word = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
                Some(RouteIpv6 {
                    interface: params.ifindex,
                    neighbour: Address([word(a, b), word(c, d)]),
                })
            }
            _ => None,
        }
    }

    #[inline(always)]
    fn answered(&self, source: Address) -> u64 {
        // SAFETY: copied out at once; whatever it was, it was so a moment ago.
        unsafe { ANSWERED.get(source.0) }.copied().unwrap_or(0)
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<Known> {
        // SAFETY: as above.
        unsafe { FRAGMENTS.get(key.0) }.map(|known| Known(*known))
    }

    #[inline(always)]
    fn set_fragment(&self, key: &FragmentKey, known: Known) {
        // Without room the others of its packet are left to the stack.
        let _ = FRAGMENTS.insert(key.0, known.0, u64::from(BPF_ANY));
    }

    #[inline(always)]
    fn set_answered(&self, source: Address, allowance: u64) {
        // Without room for one more source, this one may be answered once more.
        let _ = ANSWERED.insert(source.0, allowance, u64::from(BPF_ANY));
    }

    #[inline(always)]
    fn ask<F: Frame>(&self, frame: &F, question: Question) -> bool {
        let quoted = question.request.quoted();
        if quoted == 0 || quoted > answer::QUOTE {
            return false;
        }
        let Some(mut entry) = ANSWERS.reserve(0) else {
            return false;
        };
        let record: *mut u64 = entry.as_mut_ptr().cast();
        // SAFETY: words of the record, and behind them room for as much as may be quoted, which is written
        // before it is read.
        let quote = unsafe {
            record.add(answer::REQUEST).write(question.request.0);
            record
                .add(answer::INTERFACE)
                .write(u64::from(question.interface));
            slice::from_raw_parts_mut(record.add(answer::PACKET).cast::<u8>(), quoted)
        };
        let copied = frame.copy(question.network, quote).is_some();
        if copied {
            entry.submit(0);
        } else {
            entry.discard(0);
        }
        copied
    }

    #[inline(always)]
    fn note_call<F: Frame>(&self, frame: &F, call: Call, start: usize, length: usize) {
        let Some(text) = CALL_ID.get_ptr_mut(0) else {
            return;
        };
        // Between one and as many as there is room for, as the verifier sees it.
        let length = (length.wrapping_sub(1) & call::LONGEST) + 1;
        // SAFETY: this CPU's own element, which no other program writes meanwhile: they do not interrupt each other.
        let (text, bytes) = unsafe {
            *text = [0; call::TEXT];
            let bytes = slice::from_raw_parts_mut(text.cast::<u8>(), length);
            (&*text, bytes)
        };
        if frame.copy(start, bytes).is_some() {
            // Without room it is listed without.
            let _ = CALLS.insert(call.0, text, u64::from(BPF_NOEXIST));
        }
    }

    #[inline(always)]
    fn best(&self, mut search: Search) -> Option<u32> {
        let steps = search.steps();
        let context: *mut Search = &mut search;
        let callback = look_at as extern "C" fn(u32, *mut Search) -> i64;
        // SAFETY: the kernel calls back with the context it was given, which outlives the call.
        unsafe { bpf_loop(steps, callback as *mut c_void, context.cast(), 0) };
        search.found()
    }

    #[inline(always)]
    fn marked(&self, source: u64, destination: u64, mark: u32) -> u64 {
        ferrovs_marked(source, destination, mark)
    }

    #[inline(always)]
    fn wildcard(&self, source: u64, destination: u64) -> u64 {
        ferrovs_wildcard(source, destination)
    }

    #[inline(always)]
    fn wildcard_ipv6(&self, source: Address, destination: Address, rest: u64) -> u64 {
        let (Address([a, b]), Address([c, d])) = (source, destination);
        ferrovs_wildcard_ipv6(a, b, c, d, rest)
    }

    #[inline(always)]
    fn quoted(&self, source: u64, destination: u64, mark: u32) -> u64 {
        ferrovs_quoted(source, destination, mark)
    }

    #[inline(always)]
    fn quoted_ipv6(&self, source: Address, destination: Address, rest: u64) -> u64 {
        let (Address([a, b]), Address([c, d])) = (source, destination);
        ferrovs_quoted_ipv6(a, b, c, d, rest)
    }

    #[inline(always)]
    fn heir(&self, client: u64, virtual_: u64) -> u16 {
        ferrovs_heir(client, virtual_) as u16
    }

    #[inline(always)]
    fn successor(&self, client: u64, virtual_: u64) -> u16 {
        ferrovs_successor(client, virtual_) as u16
    }

    #[inline(always)]
    fn tour(&self, quest: Quest) -> u32 {
        let LocalityKey([key, _]) = quest.key;
        ferrovs_tour(key, quest.size, quest.task, quest.subject)
    }

    #[inline(always)]
    fn outweigh(&self, task: u32, service: u32, best: u32, next: u32) -> u32 {
        ferrovs_outweigh(task, service, best, next)
    }

    #[inline(always)]
    fn relief(&self, mut relief: Relief) -> Relief {
        let steps = relief.steps();
        let context: *mut Relief = &mut relief;
        let callback = relieve as extern "C" fn(u32, *mut Relief) -> i64;
        // SAFETY: as in `best`.
        unsafe { bpf_loop(steps, callback as *mut c_void, context.cast(), 0) };
        relief
    }

    #[inline(always)]
    fn race(&self, schedule: Schedule) -> u32 {
        ferrovs_race(schedule.0)
    }

    #[inline(always)]
    fn census(&self, mut census: Census) -> u64 {
        let steps = census.steps();
        let context: *mut Census = &mut census;
        let callback = count_on as extern "C" fn(u32, *mut Census) -> i64;
        // SAFETY: as in `best`.
        unsafe { bpf_loop(steps, callback as *mut c_void, context.cast(), 0) };
        census.flows
    }

    #[inline(always)]
    fn probe(&self, mut walk: Walk) -> Walk {
        let steps = walk.steps();
        let context: *mut Walk = &mut walk;
        let callback = walk_on as extern "C" fn(u32, *mut Walk) -> i64;
        // SAFETY: as in `best`.
        unsafe { bpf_loop(steps, callback as *mut c_void, context.cast(), 0) };
        walk
    }

    #[inline(always)]
    fn bounded(&self, schedule: Schedule, key: u32) -> u32 {
        ferrovs_bounded(schedule.0, key)
    }

    #[inline(always)]
    fn note_handshake(&self, number: u32, generation: u32, expected: u32) {
        ferrovs_handshake(number, generation, expected);
    }

    #[inline(always)]
    fn local(&self, schedule: Schedule, service: u32, address: u32) -> u32 {
        ferrovs_local(schedule.0, service, address)
    }

    #[inline(always)]
    fn below(&self, first: u32, count: u32, value: u64, shift: u32) -> u32 {
        ferrovs_below(first, count, value, shift)
    }

    #[inline(always)]
    fn choose(&self, address: u32, client: u64, virtual_: u64) -> u32 {
        ferrovs_choose(address, client, virtual_)
    }

    #[inline(always)]
    fn tagged(&self, bucket: u32, tag: u32, first: u64, second: u64) -> u32 {
        ferrovs_tagged(bucket, tag, first, second)
    }

    #[inline(always)]
    fn pair(&self, client: u64, virtual_: u64, dest: u32) -> u32 {
        ferrovs_pair(client, virtual_, dest)
    }

    #[inline(always)]
    fn shared_with(&self, number: u32) -> u16 {
        ferrovs_shared_with(number) as u16
    }

    #[inline(always)]
    fn lease(&self, number: u32) -> u64 {
        ferrovs_lease(number)
    }

    #[inline(always)]
    fn complete(&self, number: u32, state: u8, leased: u64) -> Outcome {
        Outcome::unpack(ferrovs_complete(number, u32::from(state), leased))
    }

    #[inline(always)]
    fn search(&self, mut search: lease::Search) -> lease::Search {
        let steps = search.steps();
        let context: *mut lease::Search = &mut search;
        let callback = look_for as extern "C" fn(u32, *mut lease::Search) -> i64;
        // SAFETY: as in `best`.
        unsafe { bpf_loop(steps, callback as *mut c_void, context.cast(), 0) };
        search
    }

    #[inline(always)]
    fn stand_in(&self, address: Address) -> u32 {
        let Address([first, second]) = address;
        ferrovs_stand_in(first, second)
    }

    #[inline(always)]
    fn point(&self, older: u16, key: PointerKey, pointer: Pointer) -> bool {
        let PointerKey([server, local]) = key;
        ferrovs_point(u64::from(older), server, local, pointer.0) != 0
    }

    #[inline(always)]
    fn take(&self, number: u32, seen: Control, now: u32) -> bool {
        ferrovs_take(number, seen.0, now) != 0
    }

    #[inline(always)]
    fn open(&self, wish: Wish) -> Outcome {
        let [client, virtual_, rest, first, second] = pack(&wish);
        Outcome::unpack(ferrovs_open(client, virtual_, rest, first, second))
    }

    #[inline(always)]
    fn kept(&self, wish: Wish) -> u32 {
        let [client, virtual_, _, first, second] = pack(&wish);
        ferrovs_kept(client, virtual_, first, second)
    }

    #[inline(always)]
    fn consent(&self, wish: Wish) -> Consent {
        let [client, virtual_, _, first, second] = pack(&wish);
        Consent::unpack(ferrovs_consent(client, virtual_, first, second))
    }

    #[inline(always)]
    fn persist(&self, wish: Wish) -> Outcome {
        let [client, virtual_, rest, first, second] = pack(&wish);
        Outcome::unpack(ferrovs_persist(client, virtual_, rest, first, second))
    }

    #[inline(always)]
    fn finish(&self, wish: &mut Wish, found: u64) -> Outcome {
        Outcome::unpack(ferrovs_finish(wish, found))
    }

    #[inline(always)]
    fn begin(&self, protocol: u8, flags: u16) -> u8 {
        ferrovs_begin(u32::from(protocol), u32::from(flags)) as u8
    }

    #[inline(always)]
    fn after(&self, direction: Direction, protocol: u8, flags: u16) -> Row {
        Row(ferrovs_after(
            direction as u32,
            u32::from(protocol),
            u32::from(flags),
        ))
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: plain helper call.
        (unsafe { bpf_ktime_get_coarse_ns() } >> config::TICK_SHIFT) as u32
    }

    #[inline(always)]
    fn nanoseconds(&self) -> u64 {
        // SAFETY: plain helper call.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn random(&self) -> u32 {
        // SAFETY: plain helper call.
        unsafe { bpf_get_prandom_u32() }
    }
}
