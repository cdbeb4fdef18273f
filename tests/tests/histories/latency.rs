//! The scheduler ewma, which IPVS does not have, on the core in virtual time: clients that come one after the other, and servers
//! that answer when they please.

use std::collections::BTreeMap;

use ferrovs_model::{Change, Destination, ServiceSettings};
use ferrovs_tests::ipvs::{ACK, Packet, Protocol, RST, SYN, Verdict};

use crate::{
    plane::Core,
    universe::{Client, Host, Slot},
};

const SLOT: Slot = Slot(0);
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;
/// From one client to the next.
const PAUSE: u64 = 100 * MILLISECOND;
const FAST: Host = Host(0);
const SLOW: Host = Host(1);

/// What becomes of a connection that is answered.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fate {
    /// The client breaks it off at once.
    Short,
    /// It stays open.
    Held,
}

struct Scene {
    core: Core,
    now: u64,
    /// How long each server takes to answer, nanoseconds; one that is not there does not answer.
    delays: BTreeMap<u8, u64>,
    /// Clients that wait for an answer, by when it comes.
    waiting: BTreeMap<u64, (Client, Host)>,
    clients: u16,
}

impl Scene {
    fn new(weights: [(Host, u32); 2]) -> Self {
        let mut core = Core::new();
        let mut change = |change| assert_eq!(core.change(&change), Some(Ok(())));
        change(Change::AddService {
            service: SLOT.service_key(),
            settings: ServiceSettings::new("ewma"),
        });
        for (host, weight) in weights {
            change(Change::AddDestination {
                service: SLOT.service_key(),
                destination: Destination {
                    weight,
                    ..Destination::masq(SLOT.server(host))
                },
            });
        }
        Self {
            core,
            now: 0,
            delays: BTreeMap::new(),
            waiting: BTreeMap::new(),
            clients: 0,
        }
    }

    fn with(mut self, host: Host, delay: u64) -> Self {
        self.delays.insert(host.0, delay);
        self
    }

    /// Lets clients come for so many seconds. How many of them each of the two servers got.
    fn run(&mut self, seconds: u64, fate: Fate) -> [u64; 2] {
        let end = self.now + seconds * SECOND;
        let mut taken = [0; 2];
        while self.now < end {
            let host = self.connect();
            taken[usize::from(host != FAST)] += 1;
            self.wait_until(self.now + PAUSE, fate);
            if self.now.is_multiple_of(SECOND) {
                self.core.tend();
            }
        }
        taken
    }

    fn connect(&mut self) -> Host {
        self.clients += 1;
        let client = Client((self.clients / 40_000) as u8, self.clients % 40_000);
        let verdict = self.core.packet(&segment(client, SYN)).unwrap();
        let Verdict::ToServer(server) = verdict else {
            panic!("{verdict:?}");
        };
        let host = if server == SLOT.server(FAST) {
            FAST
        } else {
            SLOW
        };
        if let Some(delay) = self.delays.get(&host.0) {
            self.waiting.insert(self.now + delay, (client, host));
        }
        host
    }

    /// Lets time go by, and servers answer.
    fn wait_until(&mut self, end: u64, fate: Fate) {
        while let Some(due) = self.waiting.first_entry()
            && *due.key() <= end
        {
            let (at, (client, host)) = due.remove_entry();
            self.core.advance_nanoseconds(at - self.now);
            self.now = at;
            let syn = segment(client, SYN);
            let answer = Packet {
                source: SLOT.server(host),
                destination: syn.source,
                ..segment(client, SYN | ACK)
            };
            self.core.packet(&answer).unwrap();
            self.core.packet(&segment(client, ACK)).unwrap();
            if fate == Fate::Short {
                self.core.packet(&segment(client, RST)).unwrap();
            }
        }
        self.core.advance_nanoseconds(end - self.now);
        self.now = end;
    }
}

fn segment(client: Client, flags: u8) -> Packet {
    Packet {
        protocol: Protocol::Tcp,
        source: SLOT.client(client),
        destination: SLOT.target(client).1,
        flags,
        length: 40,
        mark: 0,
        call: 0,
    }
}

#[test]
fn who_answers_late_gets_few_until_it_is_fast_again() {
    let mut scene = Scene::new([(FAST, 1), (SLOW, 1)])
        .with(FAST, MILLISECOND)
        .with(SLOW, 50 * MILLISECOND);
    let [fast, slow] = scene.run(60, Fate::Short);
    assert!(slow > 0 && slow * 20 < fast, "{fast} and {slow}");
    scene = scene.with(SLOW, MILLISECOND);
    scene.run(30, Fate::Short);
    let [first, second] = scene.run(30, Fate::Short);
    assert!(
        first < second * 2 && second < first * 2,
        "{first} and {second}"
    );
    // And the other way round.
    scene = scene.with(FAST, 50 * MILLISECOND);
    scene.run(5, Fate::Short);
    let [slow, fast] = scene.run(30, Fate::Short);
    assert!(slow * 20 < fast, "{slow} and {fast}");
}

#[test]
fn who_does_not_answer_is_tried_now_and_then() {
    let mut scene = Scene::new([(FAST, 1), (SLOW, 1)]).with(FAST, MILLISECOND);
    let [_, dead] = scene.run(64, Fate::Short);
    assert!((2..=7).contains(&dead), "{dead}");
    // Also one that has been the fastest.
    scene = scene.with(SLOW, MILLISECOND / 10);
    scene.run(20, Fate::Short);
    scene.delays.remove(&SLOW.0);
    let [_, dead] = scene.run(64, Fate::Short);
    assert!((1..=8).contains(&dead), "{dead}");
}

#[test]
fn servers_that_are_alike_share_by_their_weights() {
    let mut scene = Scene::new([(FAST, 3), (SLOW, 1)])
        .with(FAST, MILLISECOND)
        .with(SLOW, MILLISECOND);
    let [heavy, light] = scene.run(16, Fate::Held);
    assert_eq!(heavy + light, 160);
    assert!((100..=140).contains(&heavy), "{heavy} and {light}");
}
