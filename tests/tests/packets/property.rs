//! Random packets: histories of opening, data, closing, resets, UDP, broken frames, time going by, a
//! silent daemon and next hops that come and go.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4},
};

use ferrovs_core::{
    abi::{
        config::{self, HEARTBEAT_LIMIT, ticks},
        reason::Reason,
    },
    director::direct,
    flow::sweep::sweep,
    tables::{Line, Tables},
    verdict::{Arrival, Hook, Verdict},
};
use ferrovs_model::Protocol;
use ferrovs_sim::SliceFrame;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
    test_runner::{Config, TestCaseError, TestCaseResult, TestRunner},
};

use crate::{
    hexdump,
    home::{Home, Outcome},
    model::Books,
    object::Stage,
    observe,
    packet::{ACK, FIN, Family, Link, Packet, Quotation, RST, SYN, Transport, at},
    slices::Slices,
    world::{
        CLIENT, DNS, Daemon, FRONT_ROUTER, Fitness, HTTP, Port, REMOTE_CLIENT, RIP_141, RIP_143,
        UNROUTED_CLIENT, VIP, World, mac_of, mac_of_port, service,
    },
};

/// Time goes by in steps of this, so that no sum of them comes near a timeout: the kernel's clock goes
/// on by itself meanwhile.
const SECONDS: u32 = 35;
const SECOND_HTTP: SocketAddrV4 = SocketAddrV4::new(VIP, 81);
/// By SCTP, to servers of which one has another port.
const SIGNALS: SocketAddrV4 = SocketAddrV4::new(VIP, 5000);

#[derive(Clone, Debug)]
enum Event {
    Frame(Port, Vec<u8>),
    Seconds(u32),
    Heart(bool),
    Neighbour(Ipv4Addr, bool),
    Sweep,
}

/// Two ends and where a packet between them arrives.
#[derive(Clone, Debug)]
struct Ends(Port, SocketAddrV4, SocketAddrV4);

fn ends() -> impl Strategy<Value = Ends> {
    let clients = select(vec![CLIENT, REMOTE_CLIENT, UNROUTED_CLIENT, RIP_141]);
    let client = (clients, 40_000_u16..40_012).prop_map(|(address, port)| at(address, port));
    let service = select(vec![
        HTTP,
        HTTP,
        SECOND_HTTP,
        SECOND_HTTP,
        DNS,
        SIGNALS,
        at(VIP, 9),
    ]);
    let server = (
        select(vec![RIP_141, RIP_143]),
        select(vec![80_u16, 80, 53, 5000, 6000]),
    );
    (client, service, server, any::<bool>()).prop_map(|(client, service, server, from_client)| {
        if from_client {
            Ends(Port::Front, client, service)
        } else {
            Ends(Port::Back, at(server.0, server.1), client)
        }
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    let flags = select(vec![
        SYN,
        SYN,
        SYN,
        SYN | ACK,
        SYN | ACK,
        ACK,
        ACK,
        ACK,
        FIN | ACK,
        RST,
        RST | ACK,
        0,
        0xff,
    ]);
    // Few numbers, so that some acknowledge others.
    let number = select(vec![1000_u32, 1001, 5000, 5001, u32::MAX]);
    prop_oneof![
        6 => (flags, number.clone(), number).prop_map(|(flags, sequence, acknowledgement)| {
            Transport::Tcp { flags, sequence, acknowledgement }
        }),
        2 => any::<bool>().prop_map(|checksum| Transport::Udp { checksum }),
        1 => sctp(),
    ]
}

/// With tags of which some are others' initiate tags: the payload's first bytes are always the same.
fn sctp() -> impl Strategy<Value = Transport> {
    let chunk = select(vec![
        1_u8, 1, 2, 2, 10, 10, 11, 11, 0, 3, 6, 7, 8, 9, 14, 0x40,
    ]);
    let tag = select(vec![0_u32, 0x0025_4a6f, 1000]);
    let length = select(vec![None, None, Some(4_u16), Some(0), Some(9)]);
    (chunk, tag, length).prop_map(|(chunk, tag, length)| Transport::Sctp {
        tag,
        chunk,
        length,
        checksum: true,
    })
}

/// A packet as it should be.
fn packet(family: Family) -> impl Strategy<Value = (Port, Packet)> {
    let fields = (
        ends(),
        transport(),
        0_usize..60,
        select(vec![0_usize, 0, 4, 40]),
    );
    (fields, select(vec![64_u8, 64, 64, 64, 255, 2, 1, 0])).prop_map(
        move |((Ends(port, source, destination), transport, payload, options), ttl)| {
            let link = Link::Ethernet {
                destination: mac_of_port(port),
                source: mac_of(*source.ip()),
            };
            let packet = Packet::new(link, source, destination, transport);
            let packet = packet.payload(payload).ttl(ttl);
            match (family, options) {
                (Family::V4, _) => (port, packet.options(options)),
                (Family::V6, 0) => (port, packet.with(|packet| packet.family = family)),
                (Family::V6, _) => {
                    // Two headers of destination options, eight bytes and more.
                    let long = options / 8 * 8 + 7;
                    let content =
                        |bytes: usize| [vec![bytes as u8 / 8], vec![0; bytes - 1]].concat();
                    let extend = |packet: &mut Packet| {
                        packet.family = family;
                        packet.extensions = vec![(60, content(7)), (60, content(long))];
                    };
                    (port, packet.with(extend))
                }
            }
        },
    )
}

/// An ICMP error as an answer to the packet that it quotes, in whole or in part.
fn error(family: Family) -> impl Strategy<Value = (Port, Packet)> {
    let kinds = match family {
        Family::V4 => [3_u8, 3, 4, 11, 12, 8],
        Family::V6 => [1, 2, 2, 3, 4, 128],
    };
    let bytes = select(vec![None, Some(27), Some(28), Some(48), Some(49), Some(60)]);
    (packet(family), select(kinds.to_vec()), bytes).prop_map(|((port, answer), kind, bytes)| {
        let (from, to) = (*answer.source.ip(), *answer.destination.ip());
        let error = Packet::new(answer.link, at(from, 0), at(to, 0), Transport::Icmp);
        let quoted = answer.clone().with(|packet| {
            (packet.source, packet.destination) = (answer.destination, answer.source);
        });
        let error = error.ttl(answer.ttl).with(|packet| {
            packet.family = answer.family;
            packet.quotation = Some(Quotation {
                kind,
                code: 0,
                rest: 1280,
                packet: Box::new(quoted),
                bytes,
            });
        });
        (port, error)
    })
}

/// The first fragment of a packet, or another one.
fn piece(family: Family) -> impl Strategy<Value = (Port, Packet)> {
    let cut = select(vec![(0_usize, 24_usize), (0, 24), (24, 48), (48, 400)]);
    (packet(family), cut, 0_u16..3).prop_map(|((port, packet), (start, end), id)| {
        let packet = packet.payload(70).with(|packet| packet.id = id);
        (port, packet.piece(start, end))
    })
}

/// Any of them.
fn frame(family: Family) -> impl Strategy<Value = (Port, Packet)> {
    prop_oneof![
        8 => packet(family),
        1 => error(family),
        1 => piece(family),
    ]
}

/// One in which a few bytes of the headers are others, or that is cut.
fn broken(family: Family) -> impl Strategy<Value = Event> {
    (
        frame(family),
        vec((0_usize..94, any::<u8>()), 1..4),
        any::<Option<u8>>(),
    )
        .prop_map(|((port, packet), changes, cut)| {
            let mut bytes = packet.bytes();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes.truncate(cut.map_or(usize::MAX, usize::from));
            Event::Frame(port, bytes)
        })
}

fn event(family: Family) -> impl Strategy<Value = Event> {
    let neighbour = select(vec![CLIENT, FRONT_ROUTER, RIP_141, RIP_143]);
    prop_oneof![
        60 => frame(family).prop_map(|(port, packet)| Event::Frame(port, packet.bytes())),
        12 => broken(family),
        1 => (1_u32..4).prop_map(|steps| Event::Seconds(steps * SECONDS)),
        1 => any::<bool>().prop_map(Event::Heart),
        1 => (neighbour, any::<bool>()).prop_map(|(address, usable)| Event::Neighbour(address, usable)),
        1 => Just(Event::Sweep),
    ]
}

fn history(family: Family) -> impl Strategy<Value = Vec<Event>> {
    vec(event(family), 300)
}

/// Three services. If they share a server, flows take random source ports.
fn world(family: Family, buckets: u32, sharing: bool) -> World {
    let tcp = [(at(RIP_141, 80), 1), (at(RIP_143, 80), 1)];
    let udp = [(at(RIP_141, 53), 1), (at(RIP_143, 53), 1)];
    let sctp = [(at(RIP_141, 6000), 1), (at(RIP_143, 5000), 1)];
    let second = if sharing { &tcp[..] } else { &[] };
    World {
        family,
        buckets,
        services: vec![
            service(Protocol::Tcp, HTTP, &tcp),
            service(Protocol::Tcp, SECOND_HTTP, second),
            service(Protocol::Udp, DNS, &udp),
            service(Protocol::Sctp, SIGNALS, &sctp),
        ],
        ..World::default()
    }
}

/// A home and the daemon beside it.
struct Director<'a, H: Home> {
    home: &'a H,
    daemon: Daemon,
    beats: bool,
}

impl<'a, H: Home> Director<'a, H> {
    fn new(home: &'a H, world: &World) -> Self {
        Self {
            home,
            daemon: Daemon::start(home, world),
            beats: true,
        }
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Frame(..) => {}
            Event::Seconds(seconds) => self.home.age(ticks(seconds)),
            Event::Heart(beats) => self.beats = beats,
            Event::Neighbour(address, usable) => {
                let fitness = if usable {
                    Fitness::Usable
                } else {
                    Fitness::Unusable
                };
                self.daemon.set_hop(self.home, address, fitness);
            }
            Event::Sweep => {
                let tables = self.home.tables();
                sweep(&tables, 0..self.home.flow_lines(), tables.now(), |_| {});
            }
        }
    }

    fn inject(&self, hook: Hook, port: Port, bytes: &[u8]) -> Option<Outcome> {
        let tables = self.home.tables();
        let age = if self.beats { 0 } else { HEARTBEAT_LIMIT + 1 };
        let beat = u64::from(tables.now().wrapping_sub(age));
        tables.config(0).unwrap().store(config::HEARTBEAT, beat);
        let outcome = self
            .home
            .inject(hook, self.home.interfaces().index(port), bytes);
        if let Some(outcome) = &outcome {
            let is_untouched = outcome.action != crate::home::Action::Redirect;
            assert!(!is_untouched || outcome.bytes == bytes, "{outcome:?}");
        }
        outcome
    }

    fn books(&self) -> Result<Books, TestCaseError> {
        let books = observe::books(self.home, &self.daemon.publisher);
        books.map_err(TestCaseError::fail)
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    })
}

fn same<T: PartialEq + std::fmt::Debug>(left: &T, right: &T, what: &str) -> TestCaseResult {
    if left == right {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "{what}:\n{left:#?}\nis not\n{right:#?}"
    )))
}

/// XDP with tc behind it decides as tc alone does, and keeps the same books but for what it deferred.
fn xdp_is_as_tc(
    world: &World,
    history: &[Event],
    met: &RefCell<BTreeSet<Reason>>,
) -> TestCaseResult {
    let (alone, behind) = (Slices::new(world), Slices::new(world));
    let (mut alone, mut behind) = (Director::new(&alone, world), Director::new(&behind, world));
    let mut deferred = 0;
    for event in history {
        alone.apply(event);
        behind.apply(event);
        let Event::Frame(port, bytes) = event else {
            continue;
        };
        let at_tc = alone.inject(Hook::Tc, *port, bytes);
        let mut at_xdp = behind.inject(Hook::Xdp, *port, bytes);
        let verdict = at_xdp.as_ref().and_then(|outcome| outcome.verdict);
        deferred += u64::from(verdict == Some(Verdict::Defer));
        if matches!(verdict, Some(Verdict::Defer | Verdict::Pass)) {
            at_xdp = behind.inject(Hook::Tc, *port, bytes);
        }
        let seen =
            |outcome: Option<Outcome>| outcome.map(|it| (it.verdict, hexdump::of(&it.bytes)));
        same(&seen(at_tc), &seen(at_xdp), "tc alone, XDP and tc")?;
    }
    let mut books = behind.books()?;
    let counted = books.reasons.remove(&Reason::Deferred);
    same(&counted.unwrap_or(0), &deferred, "deferred packets")?;
    met.borrow_mut().extend(books.reasons.keys());
    same(
        &alone.books()?,
        &books,
        "the books of tc alone, and of XDP and tc",
    )
}

#[test]
fn xdp_with_tc_behind_it_decides_as_tc_alone() {
    let met = RefCell::<BTreeSet<Reason>>::default();
    // Small tables, so that flows are displaced and evicted too.
    for family in Family::BOTH {
        met.borrow_mut().clear();
        for (buckets, sharing) in [(64, true), (2, false), (2, true)] {
            let world = world(family, buckets, sharing);
            let same = |history: Vec<Event>| xdp_is_as_tc(&world, &history, &met);
            let result = runner(48).run(&history(family), same);
            result.unwrap_or_else(|error| {
                panic!("{family:?}, {buckets} buckets, sharing {sharing}: {error}")
            });
        }
        everything_was_met(&met.borrow());
    }
}

fn everything_was_met(met: &BTreeSet<Reason>) {
    let rooms = [
        Reason::Fragment,
        Reason::NoFlow,
        Reason::NoDestination,
        Reason::TtlExceeded,
        Reason::Evicted,
        Reason::Resolved,
        Reason::PortChanged,
        Reason::Displaced,
    ];
    let missed: Vec<_> = rooms
        .iter()
        .filter(|reason| !met.contains(reason))
        .collect();
    assert!(missed.is_empty(), "the histories never led to {missed:?}");
}

/// The object decides as the core on slices.
fn object_is_as_core(
    world: &World,
    object: &impl Home,
    hook: Hook,
    history: &[Event],
) -> TestCaseResult {
    let slices = Slices::new(world);
    let (mut core, mut object) = (Director::new(&slices, world), Director::new(object, world));
    for event in history {
        core.apply(event);
        object.apply(event);
        let Event::Frame(port, bytes) = event else {
            continue;
        };
        // What the kernel cannot make is too short to change anything.
        let Some(in_kernel) = object.inject(hook, *port, bytes) else {
            continue;
        };
        let on_slices = core.inject(hook, *port, bytes);
        let seen = |outcome: Outcome| (outcome.action, hexdump::of(&outcome.bytes));
        same(&on_slices.map(seen), &Some(seen(in_kernel)), "core, object")?;
    }
    same(
        &core.books()?,
        &object.books()?,
        "the books of core and object",
    )
}

#[test]
fn the_object_decides_as_the_core() {
    const BUCKETS: u32 = 64;
    let stage = Stage::new("ferrovs-histories");
    let both = [Hook::Xdp, Hook::Tc].map(|hook| Family::BOTH.map(|family| (hook, family)));
    for (hook, family) in both.into_iter().flatten() {
        let world = world(family, BUCKETS, false);
        stage.run(|| {
            let object = RefCell::new(stage.load(BUCKETS));
            let result = runner(12).run(&history(family), |history| {
                object.borrow_mut().clear();
                object_is_as_core(&world, &*object.borrow(), hook, &history)
            });
            result.unwrap_or_else(|error| panic!("{hook:?}, {family:?}: {error}"));
        });
    }
}

/// Any bytes at all, on any interface, are decided about, and what is passed on or dropped is not
/// touched.
#[test]
fn any_bytes_are_decided_about() {
    any_bytes(Family::V4, &[8, 0, 0x45]);
    any_bytes(Family::V6, &[0x86, 0xdd, 0x60]);
}

/// `header` is the Ethernet type and the first byte behind it.
fn any_bytes(family: Family, header: &'static [u8]) {
    let ports = select(vec![
        Port::Front,
        Port::Back,
        Port::Bare,
        Port::BareIpv6,
        Port::Unknown,
    ]);
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..=200),
        broken(family).prop_map(|event| match event {
            Event::Frame(_, bytes) => bytes,
            other => unreachable!("{other:?}"),
        }),
        // As if for this host, so that more than the link header is looked at.
        vec(any::<u8>(), 0..=180).prop_map(move |rest| {
            [&mac_of_port(Port::Front)[..], &[6; 6], header, &rest].concat()
        }),
    ];
    let world = world(family, 2, true);
    let slices = Slices::new(&world);
    let director = Director::new(&slices, &world);
    let hooks = select(vec![Hook::Xdp, Hook::Tc]);
    let result = runner(20_000).run(&(hooks, ports, bytes), |(hook, port, bytes)| {
        let interface = slices.interfaces().index(port);
        let mut left = bytes.clone();
        let arrival = Arrival { interface, hook };
        let verdict = direct(&mut SliceFrame::new(&mut left), &slices.tables(), arrival);
        let rewritten = matches!(verdict, Verdict::Transmit { .. } | Verdict::Resolve { .. });
        if rewritten {
            same(&left.len(), &bytes.len(), "lengths")
        } else {
            same(
                &hexdump::of(&left),
                &hexdump::of(&bytes),
                "a frame that was not forwarded",
            )
        }
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    director.books().unwrap();
}
