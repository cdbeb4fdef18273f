//! The core's functions that the kernel calls back from `bpf_loop`, and those that the verifier judges once, by themselves.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_loop;
use ferrovs_core::abi::flow::Control;
use ferrovs_core::abi::ipv6::Address;
use ferrovs_core::abi::locality::LocalityKey;
use ferrovs_core::abi::pointer::{Pointer, PointerKey};
use ferrovs_core::abi::schedule::Schedule;
use ferrovs_core::flow::find::tagged;
use ferrovs_core::flow::handshake::note;
use ferrovs_core::flow::lease;
use ferrovs_core::flow::machine::{after, begin};
use ferrovs_core::flow::one_packet::pair;
use ferrovs_core::flow::open::{Wish, complete, open};
use ferrovs_core::flow::persist::{kept, persist};
use ferrovs_core::flow::reserve::{point, shared_with};
use ferrovs_core::flow::retire::take;
use ferrovs_core::flow::schedule::{choose, consent, finish};
use ferrovs_core::flow::tcp::Direction;
use ferrovs_core::icmp::find::{quoted, quoted_ipv6};
use ferrovs_core::mark::marked;
use ferrovs_core::sched::ewma::{self, Race};
use ferrovs_core::sched::lblcr::{self, Quest, Tour};
use ferrovs_core::sched::local::{self, Relief};
use ferrovs_core::sched::mhb::{self, Census, Walk};
use ferrovs_core::sched::scan::{Search, step};
use ferrovs_core::sched::search::below;
use ferrovs_core::sip::Payload;
use ferrovs_core::tables::Tables;
use ferrovs_core::wildcard::{heir, successor, wildcard, wildcard_ipv6};

use super::Maps;

/// [`step`] as `bpf_loop` calls it: 0 goes on, 1 ends the loop.
#[inline(never)]
pub(super) extern "C" fn look_at(at: u32, search: *mut Search) -> i64 {
    // SAFETY: what `best` handed to `bpf_loop`.
    let search = unsafe { &mut *search };
    i64::from(step(&Maps::new(core::ptr::null_mut()), search, at))
}

/// [`lblcr::step`], in the same way.
#[inline(never)]
pub(super) extern "C" fn tour_on(at: u32, tour: *mut Tour) -> i64 {
    // SAFETY: what `tour` handed to `bpf_loop`.
    let tour = unsafe { &mut *tour };
    i64::from(lblcr::step(&Maps::new(core::ptr::null_mut()), tour, at))
}

/// [`local::step`], in the same way.
#[inline(never)]
pub(super) extern "C" fn relieve(at: u32, relief: *mut Relief) -> i64 {
    // SAFETY: what `relief` handed to `bpf_loop`.
    let relief = unsafe { &mut *relief };
    i64::from(local::step(&Maps::new(core::ptr::null_mut()), relief, at))
}

/// [`ewma::step`], in the same way.
#[inline(never)]
pub(super) extern "C" fn run(at: u32, race: *mut Race) -> i64 {
    // SAFETY: what `ferrovs_race` handed to `bpf_loop`.
    let race = unsafe { &mut *race };
    i64::from(ewma::step(&Maps::new(core::ptr::null_mut()), race, at))
}

/// [`mhb::count`], in the same way.
#[inline(never)]
pub(super) extern "C" fn count_on(at: u32, census: *mut Census) -> i64 {
    // SAFETY: what `census` handed to `bpf_loop`.
    let census = unsafe { &mut *census };
    mhb::count(&Maps::new(core::ptr::null_mut()), census, at);
    0
}

/// [`mhb::step`], in the same way.
#[inline(never)]
pub(super) extern "C" fn walk_on(at: u32, walk: *mut Walk) -> i64 {
    // SAFETY: what `probe` handed to `bpf_loop`.
    let walk = unsafe { &mut *walk };
    i64::from(mhb::step(&Maps::new(core::ptr::null_mut()), walk, at))
}

/// [`lease::step`], in the same way.
#[inline(never)]
pub(super) extern "C" fn look_for(at: u32, search: *mut lease::Search) -> i64 {
    // SAFETY: what `search` handed to `bpf_loop`.
    let search = unsafe { &mut *search };
    i64::from(lease::step(&Maps::new(core::ptr::null_mut()), search, at))
}

// Global functions, which the verifier judges once, by themselves, whatever the caller's state. They
// may take and return plain numbers only. None needs the packet's context: none asks for a route.

/// Bits of an interface's index that a flow keeps ([`ferrovs_core::abi::flow::WayBack`]).
const INTERFACE: u32 = 0x00ff_ffff;

/// [`open`] of a [`Wish`] that [`pack`] made numbers of; the result is an
/// [`Outcome`](ferrovs_core::flow::open::Outcome), packed.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_open(
    client: u64,
    virtual_: u64,
    rest: u64,
    first: u64,
    second: u64,
) -> u64 {
    let wish = unpack(client, virtual_, rest, Address([first, second]));
    open(&Maps::new(core::ptr::null_mut()), &wish).pack()
}

/// [`kept`], as [`ferrovs_open`]. Nothing else of the wish matters.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_kept(client: u64, virtual_: u64, first: u64, second: u64) -> u32 {
    let wish = unpack(client, virtual_, 0, Address([first, second]));
    kept(&Maps::new(core::ptr::null_mut()), &wish)
}

/// [`consent`], as [`ferrovs_kept`]; the result is a
/// [`Consent`](ferrovs_core::flow::schedule::Consent), packed.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_consent(
    client: u64,
    virtual_: u64,
    first: u64,
    second: u64,
) -> u64 {
    let mut wish = unpack(client, virtual_, 0, Address([first, second]));
    consent(&Maps::new(core::ptr::null_mut()), &mut wish).pack()
}

/// [`persist`], as [`ferrovs_open`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_persist(
    client: u64,
    virtual_: u64,
    rest: u64,
    first: u64,
    second: u64,
) -> u64 {
    let wish = unpack(client, virtual_, rest, Address([first, second]));
    persist(&Maps::new(core::ptr::null_mut()), &wish).pack()
}

/// What a wish says but for the flow that it replaces: client and virtual endpoint, then interface (bits 0..24), state
/// (24..31), whether it is kept (31) and destination (32..64) in one, and the address.
#[inline(always)]
pub(super) fn pack(wish: &Wish) -> [u64; 5] {
    let Address([first, second]) = wish.address;
    let rest = u64::from(wish.interface & INTERFACE)
        | u64::from(wish.state & 0x7f) << 24
        | u64::from(wish.kept) << 31
        | u64::from(wish.dest) << 32;
    [wish.client, wish.virtual_, rest, first, second]
}

/// The wish that was packed so, now.
#[inline(always)]
fn unpack(client: u64, virtual_: u64, rest: u64, address: Address) -> Wish {
    Wish {
        client,
        virtual_,
        address,
        dest: (rest >> 32) as u32,
        kept: rest >> 31 & 1 != 0,
        old: 0,
        old_control: 0,
        state: (rest >> 24) as u8 & 0x7f,
        interface: rest as u32 & INTERFACE,
        now: Maps::new(core::ptr::null_mut()).now(),
        payload: Payload::NONE,
    }
}

/// [`tagged`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_tagged(bucket: u32, tag: u32, first: u64, second: u64) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    tagged(&maps, bucket, tag, first, second)
}

/// [`marked`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_marked(source: u64, destination: u64, mark: u32) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    marked(&maps, source, destination, mark)
}

/// [`wildcard`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_wildcard(source: u64, destination: u64) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    wildcard(&maps, source, destination)
}

/// [`wildcard_ipv6`], of a packet from the address `a`, `b` to the address `c`, `d`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_wildcard_ipv6(a: u64, b: u64, c: u64, d: u64, rest: u64) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    wildcard_ipv6(&maps, Address([a, b]), Address([c, d]), rest)
}

/// [`quoted`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_quoted(source: u64, destination: u64, mark: u32) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    quoted(&maps, source, destination, mark)
}

/// [`quoted_ipv6`], of a packet from the address `a`, `b` to the address `c`, `d`.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_quoted_ipv6(a: u64, b: u64, c: u64, d: u64, rest: u64) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    quoted_ipv6(&maps, Address([a, b]), Address([c, d]), rest)
}

/// [`heir`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_heir(client: u64, virtual_: u64) -> u64 {
    u64::from(heir(&Maps::new(core::ptr::null_mut()), client, virtual_))
}

/// [`successor`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_successor(client: u64, virtual_: u64) -> u64 {
    u64::from(successor(
        &Maps::new(core::ptr::null_mut()),
        client,
        virtual_,
    ))
}

/// [`take`]: not zero if the line is the caller's now.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_take(number: u32, seen: u64, now: u32) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    u64::from(take(&maps, number, Control(seen), now))
}

/// [`pair`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_pair(client: u64, virtual_: u64, dest: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    pair(&maps, client, virtual_, dest)
}

/// [`below`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_below(first: u32, count: u32, value: u64, shift: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    below(&maps, first, count, value, shift)
}

/// [`choose`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_choose(address: u32, client: u64, virtual_: u64) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    choose(&maps, address, client, virtual_)
}

/// [`shared_with`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_shared_with(number: u32) -> u32 {
    u32::from(shared_with(&Maps::new(core::ptr::null_mut()), number))
}

/// [`local::pick`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_local(schedule: u64, service: u32, address: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    local::pick(&maps, Schedule(schedule), service, address)
}

/// [`mhb::pick`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_bounded(schedule: u64, key: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    mhb::pick(&maps, Schedule(schedule), key)
}

/// A [`Race`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_race(schedule: u64) -> u32 {
    let now = Maps::new(core::ptr::null_mut()).nanoseconds();
    let mut race = Race::new(Schedule(schedule), now);
    let context: *mut Race = &mut race;
    let callback = run as extern "C" fn(u32, *mut Race) -> i64;
    // SAFETY: as in `best`.
    unsafe { bpf_loop(race.steps(), callback as *mut c_void, context.cast(), 0) };
    race.winner()
}

/// [`note`]. The result means nothing, but a function that the verifier judges by itself must have one.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_handshake(number: u32, generation: u32, expected: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    note(&maps, number, generation, expected);
    0
}

/// [`lblcr::outweigh`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_outweigh(task: u32, service: u32, best: u32, next: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    lblcr::outweigh(&maps, task, service, best, next)
}

/// A [`Tour`] through a set.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_tour(key: u64, size: u32, task: u32, subject: u32) -> u32 {
    let mut tour = Tour::new(Quest {
        key: LocalityKey([key, 0]),
        size,
        task,
        subject,
    });
    let context: *mut Tour = &mut tour;
    let callback = tour_on as extern "C" fn(u32, *mut Tour) -> i64;
    // SAFETY: as in `best`.
    unsafe { bpf_loop(tour.steps(), callback as *mut c_void, context.cast(), 0) };
    tour.found()
}

/// [`lease::lease`] for the draft in a line.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_lease(number: u32) -> u64 {
    lease::lease(&Maps::new(core::ptr::null_mut()), number)
}

/// [`complete`], as [`ferrovs_open`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_complete(number: u32, state: u32, leased: u64) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    complete(&maps, number, state as u8, leased).pack()
}

/// [`lease::stand_in`] of an address.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_stand_in(first: u64, second: u64) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    lease::stand_in(&maps, Address([first, second]))
}

/// [`point`]: not zero if the reply was reserved.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_point(older: u64, server: u64, local: u64, pointer: u64) -> u64 {
    let maps = Maps::new(core::ptr::null_mut());
    u64::from(point(
        &maps,
        older as u16,
        PointerKey([server, local]),
        Pointer(pointer),
    ))
}

/// [`after`], of a [`Direction`] as a number; a [`Row`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_after(direction: u32, protocol: u32, flags: u32) -> u64 {
    let direction = Direction::from_number(direction);
    after(direction, protocol as u8, flags as u16).0
}

/// [`begin`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_begin(protocol: u32, flags: u32) -> u32 {
    let maps = Maps::new(core::ptr::null_mut());
    u32::from(begin(&maps, protocol as u8, flags as u16))
}

/// [`finish`], packed. After it the verifier knows nothing any more about the wish, which spares it a way of its own through
/// all that follows for each of the many that lead here.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_finish(wish: *mut Wish, found: u64) -> u64 {
    if wish.is_null() {
        return 0;
    }
    // SAFETY: the caller's, who waits.
    let wish = unsafe { &mut *wish };
    finish(&Maps::new(core::ptr::null_mut()), wish, found).pack()
}
