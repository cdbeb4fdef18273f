//! The committed object in the kernel, packet by packet through `BPF_PROG_TEST_RUN`.
//!
//! What has to be so for a test run to be like a packet from a wire:
//!
//! * `bpf_fib_lookup` and the interface of the context need real interfaces with addresses, routes and
//!   forwarding: a network namespace of the test's own, with veth interfaces, see [`Stage`].
//! * At tc the kernel makes the skb with `eth_type_trans`, which takes a frame for this host's only if
//!   it begins with the interface's MAC address, so the interfaces have those of the cases.
//! * It does so for bare IP packets as well. Their interface therefore has as MAC address the first six
//!   bytes that all bare packets of the cases have. Such an address must not be a multicast one, so
//!   their header has options and is six words long. IPv6 packets begin otherwise and have an interface of
//!   their own.
//! * Programs run on the kernel's clock. Time goes by when all flows are made older ([`Home::age`]).
//! * Where a packet is redirected to is not told.
//!
//! Frames shorter than an Ethernet header, and at tc than an IP header, are refused by the kernel.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use ferrovs_core::{
    abi::{
        MAX_DESTS, WORDS, bucket, config,
        filter::Geometry,
        flow::{CONTROL, Control},
        ipv6::{Address, EndpointKey, NeighbourKey},
        locality::{Birth, SET, Set, USED},
        reason::Reason,
        schedule::Schedule,
        service,
        slab::Table,
    },
    tables::{Line, Tables},
    verdict::Hook,
};
use ferrovs_kernel::{Answers, DataPlane, Maps, Sizes, Words, sys};
use ferrovs_lab::{Mac, Namespace, veth};
use ferrovs_model::publish::{Figures, INITIAL_LOG2};

use crate::{
    home::{Action, Answer, Home, Interfaces, Outcome},
    packet::Family,
    test_run,
    world::{BARE_DIRECTOR, BARE_IPV6_DIRECTOR, DIP, Port, ROUTES, VIP, mac_of_port},
};

/// A frame of at least this many bytes is never refused: an Ethernet and an IPv6 header.
const NEVER_REFUSED: usize = 14 + 40;

/// A network namespace with the director's interfaces. It goes when this is dropped.
pub(crate) struct Stage {
    namespace: Namespace,
    interfaces: Interfaces,
}

impl Stage {
    pub(crate) fn new(name: &str) -> Self {
        assert!(
            ferrovs_lab::is_root(),
            "this test loads programs into the kernel and makes a network namespace: run it as root"
        );
        let namespace = Namespace::create(&format!("{name}-{}", std::process::id())).unwrap();
        for forwarding in ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"] {
            namespace.set_sysctl(forwarding, "1").unwrap();
        }
        let add = |name: &str, port, address: Option<std::net::Ipv4Addr>| {
            let (link, peer) =
                veth((&namespace, name), (&namespace, &format!("{name}-peer"))).unwrap();
            link.set_mac(Mac(mac_of_port(port))).unwrap();
            if let Some(address) = address {
                for family in Family::BOTH {
                    link.add_address(family.address(address), family.prefix(24))
                        .unwrap();
                }
            }
            link.up().unwrap();
            peer.up().unwrap();
            link.index()
        };
        let interfaces = Interfaces {
            front: add("front", Port::Front, Some(VIP)),
            back: add("back", Port::Back, Some(DIP)),
            bare: add("bare", Port::Bare, Some(BARE_DIRECTOR)),
            bare_ipv6: add("bare6", Port::BareIpv6, Some(BARE_IPV6_DIRECTOR)),
            unknown: add("unknown", Port::Unknown, None),
        };
        for (network, prefix, _, gateway) in ROUTES {
            let Some(gateway) = gateway else {
                continue;
            };
            for family in Family::BOTH {
                let network = family.address(network);
                let gateway = family.address(gateway);
                namespace
                    .add_route(network, family.prefix(prefix), gateway)
                    .unwrap();
            }
        }
        Self {
            namespace,
            interfaces,
        }
    }

    /// Runs `work` where the interfaces are.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work).unwrap()
    }

    /// Loads the object for tables with so many buckets. Gone when dropped; to be used inside
    /// [`Stage::run`].
    pub(crate) fn load(&self, buckets: u32) -> Object {
        let mut sizes = Sizes::new(Some(1));
        sizes.flows = u64::from(buckets) * 4;
        assert_eq!(sizes.buckets(), buckets);
        let plane = DataPlane::create(&sizes, INITIAL_LOG2).unwrap();
        Object {
            pointers: map_by_name(&plane, "POINTERS").unwrap(),
            answered: map_by_name(&plane, "ANSWERED").unwrap(),
            answers: RefCell::new(Answers::open(&plane.maps).unwrap()),
            localities: map_by_name(&plane, "LOCALITIES").unwrap(),
            before: plane.maps.reasons(),
            plane,
            buckets,
            interfaces: self.interfaces,
            duration: Cell::new(0),
        }
    }
}

fn map_by_name(plane: &DataPlane, name: &str) -> io::Result<OwnedFd> {
    for id in sys::program_info(plane.programs.tc.as_fd())?.maps {
        let map = sys::map_by_id(id)?;
        if sys::map_info(map.as_fd())?.name == name {
            return Ok(map);
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Both programs over one set of tables.
pub(crate) struct Object {
    plane: DataPlane,
    pointers: OwnedFd,
    answered: OwnedFd,
    answers: RefCell<Answers>,
    localities: OwnedFd,
    buckets: u32,
    /// What was counted before the case.
    before: Vec<(Reason, u64)>,
    interfaces: Interfaces,
    /// Nanoseconds of the last run.
    duration: Cell<u32>,
}

impl Object {
    /// How long the program ran for the last packet, nanoseconds.
    pub(crate) fn last_duration(&self) -> u32 {
        self.duration.get()
    }

    /// Empties all tables, as a new data plane's are.
    pub(crate) fn clear(&mut self) {
        let maps = &self.plane.maps;
        let head = maps.config(0).unwrap();
        let layout = head.load(config::LAYOUT);
        for number in 0..MAX_DESTS {
            maps.traffic_of(number).for_each(zero);
        }
        every(|number| maps.config(number));
        every(|number| maps.flow(number));
        (0..Table::Filter.most())
            .filter_map(|number| maps.filter(number))
            .for_each(zero);
        every(|number| maps.service(number));
        every(|number| maps.schedule(number));
        every(|number| maps.dests(number));
        every(|number| maps.next_hops(number));
        every(|number| maps.interface(number));
        for (key, _) in maps.neighbours().unwrap() {
            maps.remove_neighbour(key).unwrap();
        }
        for (key, ..) in maps.neighbours_ipv6().unwrap() {
            maps.remove_neighbour_ipv6(key).unwrap();
        }
        for key in maps.endpoints().unwrap().into_keys() {
            maps.set_endpoint(key, None).unwrap();
        }
        empty::<[u64; 2]>(self.pointers.as_fd());
        empty::<[u64; 2]>(self.answered.as_fd());
        empty::<[u64; 2]>(self.localities.as_fd());
        for call in maps.calls().unwrap() {
            maps.forget_call(call).unwrap();
        }
        head.store(config::LAYOUT, layout);
        head.store(config::BUCKET_MASK, u64::from(self.buckets) - 1);
        head.store(config::FILTER, Geometry::new(0, INITIAL_LOG2, 1).0);
        self.before = self.plane.maps.reasons();
    }
}

impl Object {
    /// Makes what lblc and lblcr remember older, and themselves.
    fn age_caches(&self, ticks: u32) {
        let maps = self.tables();
        // As many services as there is room for now.
        for service in (0..).map_while(|number| maps.service(number)) {
            let schedule = Schedule(service.load(service::SCHEDULE));
            if schedule.is_local() {
                let line = maps.schedule(schedule.line()).unwrap();
                let birth = Birth(line.load(0));
                let older = Birth::new(birth.life(), birth.tick().wrapping_sub(ticks));
                line.store(0, older.0);
            }
        }
        for (key, mut words) in maps.localities().unwrap() {
            if key.number() != 0 {
                continue;
            }
            let set = Set(words[SET]);
            words[SET] = Set::new(set.size(), set.changed().wrapping_sub(ticks)).0;
            words[USED] = u64::from((words[USED] as u32).wrapping_sub(ticks));
            // SAFETY: keys of this map are two words, values a line.
            unsafe { sys::update(self.localities.as_fd(), &key.0, &words, false) }.unwrap();
        }
    }
}

/// Zeroes all lines of a table.
fn every<'a>(line: impl Fn(u32) -> Option<Words<'a>>) {
    (0..).map_while(line).for_each(zero);
}

fn zero(line: impl Line) {
    for word in 0..WORDS {
        line.store(word, 0);
    }
}

/// Removes all keys of a map, each of which is a `K`.
fn empty<K: Default>(map: BorrowedFd<'_>) {
    // SAFETY: the caller names the type of the map's keys.
    while let Some(key) = unsafe { sys::next_key::<K>(map, None) }.unwrap() {
        // SAFETY: as above.
        unsafe { sys::delete(map, &key) }.unwrap();
    }
}

/// All keys of a map, each of which is a `K`.
fn keys<K>(map: BorrowedFd<'_>) -> Vec<K>
where
    K: Copy + Default,
{
    let follower = |key: Option<K>| {
        // SAFETY: the caller names the type of the map's keys.
        unsafe { sys::next_key(map, key.as_ref()) }.unwrap()
    };
    std::iter::successors(follower(None), |&key| follower(Some(key))).collect()
}

impl Home for Object {
    type Tables<'a> = &'a Maps;

    fn name(&self) -> &'static str {
        "object in the kernel"
    }

    fn tables(&self) -> &Maps {
        &self.plane.maps
    }

    fn interfaces(&self) -> Interfaces {
        self.interfaces
    }

    fn inject(&self, hook: Hook, interface: u32, packet: &[u8]) -> Option<Outcome> {
        let programs = &self.plane.programs;
        let run = match hook {
            Hook::Xdp => test_run::xdp(programs.xdp().unwrap(), interface, packet),
            Hook::Tc => test_run::tc(programs.tc.as_fd(), interface, packet),
        };
        let run = match run {
            Ok(run) => run,
            Err(error) => {
                let refused = error.raw_os_error() == Some(libc::EINVAL);
                assert!(refused && packet.len() < NEVER_REFUSED, "{hook:?}: {error}");
                return None;
            }
        };
        self.duration.set(run.duration);
        Some(Outcome {
            action: action(hook, run.result),
            verdict: None,
            bytes: run.bytes,
        })
    }

    fn age(&self, ticks: u32) {
        for number in 0..self.flow_lines() {
            let line = self.tables().flow(number).unwrap();
            let control = Control(line.load(CONTROL));
            if number % bucket::LINES != 0 && control.is_live() {
                let older = control.last_seen().wrapping_sub(ticks);
                line.store(CONTROL, control.with_last_seen(older).0);
            }
        }
        for key in keys::<[u64; 2]>(self.answered.as_fd()) {
            let map = self.answered.as_fd();
            // SAFETY: keys of this map are two words, values one.
            let word: u64 = unsafe { sys::lookup(map, &key) }.unwrap().unwrap();
            let older = word & !0xffff_ffff | u64::from((word as u32).wrapping_sub(ticks));
            // SAFETY: as above.
            unsafe { sys::update(map, &key, &older, false) }.unwrap();
        }
        self.age_caches(ticks);
    }

    fn set_neighbour(&self, key: u64, number: u32) {
        self.plane.maps.set_neighbour(key, number).unwrap();
    }

    fn set_neighbour_ipv6(&self, key: NeighbourKey, number: u32) {
        let set = self.plane.maps.set_neighbour_ipv6(key, number, false);
        set.unwrap();
    }

    fn endpoints(&self) -> BTreeMap<EndpointKey, u64> {
        self.plane.maps.endpoints().unwrap()
    }

    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) {
        self.plane.maps.set_endpoint(key, value).unwrap();
    }

    fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        self.plane.maps.grow(table, lines).is_ok()
    }

    fn filter_lines(&self) -> u32 {
        Table::Filter.most()
    }

    fn flow_lines(&self) -> u32 {
        self.plane.maps.flow_lines()
    }

    fn figures(&self, dest: u32) -> Figures {
        let maps = &self.plane.maps;
        Figures::of(maps.counts(dest), maps.traffic_of(dest))
    }

    fn reasons(&self) -> Vec<(Reason, u64)> {
        let now = self.plane.maps.reasons().into_iter();
        let pairs = now.zip(&self.before);
        pairs
            .map(|((reason, now), (_, before))| (reason, now - before))
            .collect()
    }

    fn set_answered(&self, source: Address, allowance: u64) {
        // SAFETY: keys of this map are two words, values one.
        unsafe { sys::update(self.answered.as_fd(), &source.0, &allowance, false) }.unwrap();
    }

    fn answers(&self) -> Vec<Answer> {
        let answers = std::iter::from_fn(|| self.answers.borrow_mut().next());
        let answer = |answer: ferrovs_kernel::Answer| Answer {
            request: answer.request,
            interface: answer.interface,
            packet: answer.packet,
        };
        answers.map(answer).collect()
    }

    fn call_ids(&self) -> Vec<Vec<u8>> {
        let maps = &self.plane.maps;
        let calls = maps.calls().unwrap().into_iter();
        let mut ids: Vec<_> = calls
            .map(|call| maps.call_id(call).unwrap().unwrap())
            .collect();
        ids.sort_unstable();
        ids
    }

    fn pointers(&self) -> usize {
        keys::<[u64; 2]>(self.pointers.as_fd()).len()
    }
}

/// What a program's result means.
fn action(hook: Hook, result: u32) -> Action {
    /// `TC_ACT_UNSPEC`: on to the next program, or to the stack.
    const UNSPEC: u32 = u32::MAX;
    match (hook, result) {
        // XDP_PASS, XDP_DROP, XDP_REDIRECT.
        (Hook::Xdp, 2) | (Hook::Tc, UNSPEC) => Action::Pass,
        // TC_ACT_SHOT.
        (Hook::Xdp, 1) | (Hook::Tc, 2) => Action::Drop,
        // TC_ACT_REDIRECT.
        (Hook::Xdp, 4) | (Hook::Tc, 7) => Action::Redirect,
        _ => panic!("the {hook:?} program returned {result}"),
    }
}
