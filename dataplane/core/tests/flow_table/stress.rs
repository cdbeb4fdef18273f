//! Real threads on a small table: CPUs that open, use and end flows, and a sweeper.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::audit::open;
use ferrovs_core::abi::endpoint::Endpoint;
use ferrovs_core::abi::flow::{OWNER, Owner};
use ferrovs_core::abi::pointer::PointerKey;
use ferrovs_core::abi::state;
use ferrovs_core::flow::acquire::ABANDONED;
use ferrovs_core::flow::sweep::sweep;
use ferrovs_core::flow::tcp::Direction::{ToClient, ToServer};
use ferrovs_core::flow::{Flow, is_expired, read, retire};
use ferrovs_core::tables::Tables;
use ferrovs_core::wire::Tcp;

use crate::audit::{audit, by_client, by_server, wish};
use crate::scene::{BEGIN, SHARED_SERVER, packet, tables};
use crate::world::{Map, Memory, Plan, Pointers, Word, World, client, server, virtual_of};

/// Memory as it is.
pub(crate) struct Real;

impl Memory for Real {
    type Word = AtomicU64;
    type Map = Locked;
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        self.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn fetch_add(&self, value: u64) -> u64 {
        self.fetch_add(value, Ordering::SeqCst)
    }

    fn wait() {
        thread::yield_now();
    }
}

/// A map behind a lock that is held for one operation.
#[derive(Default)]
pub(crate) struct Locked(Mutex<Pointers>);

impl Map for Locked {
    fn with<R>(&self, work: impl FnOnce(&mut Pointers) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }
}

/// What a seed leads to (Marsaglia, Xorshift RNGs, 2003).
pub(crate) struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }
}

/// CPUs that serve packets, beside the sweeper.
const CPUS: u64 = 3;
/// Packets each of them serves.
const PACKETS: u64 = 200_000;
/// Packets, of all CPUs, in a tick: few enough ticks that no line is taken from a thread that the
/// kernel lets wait.
const PACKETS_PER_TICK: u64 = 2000;
const TIMEOUT: u32 = 3;
const _: () = assert!(CPUS * PACKETS / PACKETS_PER_TICK < ABANDONED as u64);

struct Traffic {
    world: World<Real>,
    served: AtomicU64,
}

impl Traffic {
    fn now(&self) -> u32 {
        BEGIN + (self.served.load(Ordering::Relaxed) / PACKETS_PER_TICK) as u32
    }

    fn serve(&self, random: &mut Random) {
        let now = self.now();
        let (port, service) = (2000 + random.below(24) as u16, 1 + random.below(3) as u16);
        let found = by_client(&self.world, client(port), virtual_of(service));
        let current = found.filter(|flow| !is_expired(&&self.world, flow.control, now));
        match (current, random.below(8)) {
            (Some(flow), 0) => {
                packet(&self.world, &flow, ToServer, Tcp::FIN | Tcp::ACK, 0, now);
            }
            (Some(flow), 1) => {
                packet(&self.world, &flow, ToClient, Tcp::RST, 0, now);
            }
            (Some(flow), 2) if flow.control.state() == state::CLOSE => {
                retire::retire(&&self.world, flow.number, flow.control, now);
                self.open(port, service, now);
            }
            (Some(flow), 3 | 4) => {
                packet(&self.world, &flow, ToClient, Tcp::SYN | Tcp::ACK, 7, now);
            }
            (Some(flow), 5) => {
                packet(&self.world, &flow, ToServer, Tcp::ACK, 7, now);
            }
            (Some(flow), _) => self.reply(&flow),
            (None, _) => self.open(port, service, now),
        }
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    fn open(&self, port: u16, service: u16, now: u32) {
        let opened = open(&&self.world, &wish(port, service, now));
        if opened.line != 0
            && let Some(flow) = read((&&self.world).flow(opened.line).unwrap(), opened.line)
            && flow.words.client == client(port)
            && flow.words.virtual_ == virtual_of(service)
        {
            self.reply(&flow);
        }
    }

    /// The server's packet finds the flow, unless it has ended meanwhile.
    fn reply(&self, flow: &Flow) {
        let found = by_server(&self.world, flow.words.dest, flow.words.local);
        let same = found.is_some_and(|found| {
            found.number == flow.number && found.control.generation() == flow.control.generation()
        });
        if !same {
            let now = read((&&self.world).flow(flow.number).unwrap(), flow.number);
            let lives =
                now.is_some_and(|now| now.control.generation() == flow.control.generation());
            assert!(!lives, "the reply of {flow:?} leads to {found:?}");
        }
    }
}

#[test]
fn books_are_right_after_a_storm() {
    let services: [&[Endpoint]; 3] = [&[server(141)], &[server(141)], &[server(142), server(143)]];
    let plan = Plan {
        buckets: 4,
        pointers: 40,
        services: &services,
        timeout: TIMEOUT,
    };
    let traffic = Traffic {
        world: World::new(&plan, |_| true),
        served: AtomicU64::new(0),
    };
    thread::scope(|scope| {
        let cpu = |cpu: u64| {
            let traffic = &traffic;
            scope.spawn(move || {
                let mut random = Random(cpu.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                (0..PACKETS).for_each(|_| traffic.serve(&mut random));
            })
        };
        let cpus: Vec<_> = (1..=CPUS).map(cpu).collect();
        while cpus.iter().any(|cpu| !cpu.is_finished()) {
            sweep(
                &&traffic.world,
                0..traffic.world.lines(),
                traffic.now(),
                |_| {},
            );
            thread::yield_now();
        }
    });
    let flows = audit(&traffic.world).clean();
    assert!(!flows.is_empty());
    let later = traffic.now() + TIMEOUT + 1;
    let swept = sweep(&&traffic.world, 0..traffic.world.lines(), later, |_| {});
    assert_eq!(
        (swept.ended, swept.live, swept.recovered),
        (flows.len() as u64, 0, 0)
    );
    assert!(audit(&traffic.world).clean().is_empty());
    assert!(traffic.world.pointers().is_empty());
}

/// A flow that needs another source port takes none that a flow uses which is older than the sharing.
#[test]
fn another_port_is_not_an_older_flows() {
    let world: World<Real> = tables(SHARED_SERVER, &[1, 2, 3, 4, 5, 6, 7, 9, 10]);
    // The ports that will be tried: another world draws the same ones.
    let twin: World<Real> = tables(SHARED_SERVER, &[1]);
    let drawn = (1024 + ((&&twin).random() & 0xffff) % (65_536 - 1024)) as u16;
    let old = open(&&world, &wish(drawn, 1, BEGIN)).line;
    let flow = read((&&world).flow(old).unwrap(), old).unwrap();
    (&&world).pointer_remove(&PointerKey([flow.words.dest, flow.words.local]));
    world.set(old, OWNER, flow.owner.0 & !Owner::SERVER_POINTER);
    // The reply of a flow of the newer service, which the older service's next flow would have too.
    assert_ne!(open(&&world, &wish(80, 2, BEGIN)).line, 0);
    assert_ne!(open(&&world, &wish(80, 1, BEGIN)).line, 0);
    let flows = audit(&world).clean();
    assert_eq!(flows.len(), 3);
    let changed = flows
        .iter()
        .find(|flow| flow.words.local != flow.words.client)
        .unwrap();
    assert_ne!(changed.words.local, client(drawn));
}
