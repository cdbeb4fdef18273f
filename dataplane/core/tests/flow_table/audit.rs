//! What must hold of a flow table when nobody is at work on it.

use std::collections::{HashMap, HashSet};

use ferrovs_core::abi::bucket::{DISPLACED, LINES, LOCK};
use ferrovs_core::abi::dest::{self, Counts};
use ferrovs_core::abi::endpoint::{Endpoint, tag};
use ferrovs_core::abi::flow::{CONTROL, Control, Owner};
use ferrovs_core::abi::ipv6::Address;
use ferrovs_core::abi::pointer::PointerKey;
use ferrovs_core::abi::state;
use ferrovs_core::family::Ipv4;
use ferrovs_core::flow::open::{Outcome, Wish};
use ferrovs_core::flow::schedule::find_server;
use ferrovs_core::flow::{Flow, find, place, read};
use ferrovs_core::side;
use ferrovs_core::sip::Payload;
use ferrovs_core::tables::{Line, Tables};
use ferrovs_core::verdict::Hook;
use ferrovs_sim::SliceFrame;

use crate::world::{Memory, World, client, virtual_of};

/// What is in the table, all of it examined.
pub(crate) struct Audit {
    /// Flows that live.
    pub(crate) flows: Vec<Flow>,
    /// Pointers that lead to no flow.
    pub(crate) leftovers: usize,
    /// By how many flows the destinations' counts are too high.
    pub(crate) overcounted: u64,
    /// By how many flows the buckets' headers are too high.
    pub(crate) overdisplaced: u64,
}

impl Audit {
    /// Nothing but flows that live, all books right.
    pub(crate) fn clean(self) -> Vec<Flow> {
        let faults = (self.leftovers, self.overcounted, self.overdisplaced);
        assert_eq!(faults, (0, 0, 0), "leftovers, counts, displaced too high");
        self.flows
    }
}

/// Examines the table: every flow is found from both sides, no two look alike from either, no flow is
/// missing in a count.
pub(crate) fn audit<M: Memory>(world: &World<M>) -> Audit {
    let flows = live(world);
    let mut keys = HashSet::new();
    let mut counts: HashMap<u32, u64> = HashMap::new();
    let mut displaced: HashMap<u32, u64> = HashMap::new();
    for flow in &flows {
        for key in [
            [flow.words.client, flow.words.virtual_],
            [flow.words.dest, flow.words.local],
        ] {
            assert!(keys.insert(key), "two flows look alike: {flow:?}");
        }
        assert_eq!(
            by_client(world, flow.words.client, flow.words.virtual_),
            Some(*flow)
        );
        assert_eq!(
            by_server(world, flow.words.dest, flow.words.local),
            Some(*flow)
        );
        let unit = Counts::unit(state::is_active(flow.control.state()));
        *counts.entry(flow.owner.dest()).or_default() += unit;
        let home = home(world, flow.words.client, tag(flow.words.virtual_)).bucket;
        let away = flow.number / LINES != home;
        assert_eq!(flow.owner.has(Owner::DISPLACED), away, "{flow:?}");
        *displaced.entry(home).or_default() += u64::from(away);
    }
    let overcounted = (1..=world.servers()).map(|number| {
        let line = world.counts(number).expect("counts");
        let more = line
            .load(dest::COUNTS)
            .wrapping_sub(counts.get(&number).copied().unwrap_or(0));
        let (active, inactive) = (more >> 32, more & 0xffff_ffff);
        assert!(
            active < 99 && inactive < 99,
            "destination {number} counts {more:#x} too many"
        );
        active + inactive
    });
    let overdisplaced = (0..world.lines() / LINES).map(|bucket| {
        let header = world.flow(bucket * LINES).expect("a header");
        assert_eq!(header.load(LOCK), 0, "bucket {bucket} is locked");
        let here = displaced.get(&bucket).copied().unwrap_or(0);
        let more = header.load(DISPLACED).wrapping_sub(here);
        assert!(
            more < 99,
            "bucket {bucket} has {more} displaced flows too many"
        );
        more
    });
    let (overcounted, overdisplaced) = (overcounted.sum(), overdisplaced.sum());
    let pointers = world.pointers();
    let leftovers = pointers.iter().filter(|(key, pointer)| {
        let owner = flows.iter().find(|flow| flow.number == pointer.line());
        !owner.is_some_and(|flow| {
            let keys = [
                [flow.words.client, flow.words.virtual_],
                [flow.words.dest, flow.words.local],
            ];
            flow.control.generation() == pointer.generation() && keys.contains(key)
        })
    });
    Audit {
        leftovers: leftovers.count(),
        overcounted,
        overdisplaced,
        flows,
    }
}

/// All flows that live.
pub(crate) fn live<M: Memory>(world: &World<M>) -> Vec<Flow> {
    let lines = (0..world.lines()).filter(|number| number % LINES != 0);
    lines
        .filter_map(|number| read(world.flow(number)?, number))
        .collect()
}

/// What a client's packet finds.
pub(crate) fn by_client<T: Tables>(tables: T, client: u64, virtual_: u64) -> Option<Flow> {
    let place = place::of(tables.config(0)?, client, tag(virtual_));
    find::by_client::<Ipv4, T>(&tables, &place, PointerKey([client, virtual_]), ())
}

/// What a server's packet finds.
pub(crate) fn by_server<T: Tables>(tables: T, dest: u64, local: u64) -> Option<Flow> {
    let config = tables.config(0)?;
    let mut servers = (1..).map_while(|number| tables.dest(number));
    let settings = servers.find(|settings| settings.load(dest::ENDPOINT) == dest)?;
    let entry = side::real(
        &tables,
        config,
        settings,
        Endpoint::unpack(dest),
        tag(local),
    )?;
    find::by_server::<Ipv4, T>(&tables, config, entry, PointerKey([dest, local]), ())
}

/// Where a flow of this client with this service belongs.
pub(crate) fn home<T: Tables>(tables: T, client: u64, service: u16) -> place::Place {
    place::of(tables.config(0).expect("line 0"), client, service)
}

/// The control word of a line.
pub(crate) fn control<T: Tables>(tables: T, number: u32) -> Control {
    Control(tables.flow(number).expect("a line").load(CONTROL))
}

/// The `nth` port whose flow with `service` belongs to this line.
pub(crate) fn port_for<M: Memory>(world: &World<M>, line: u32, service: u16, nth: usize) -> u16 {
    let mut ports = (1024..=u16::MAX).filter(|&port| {
        let place = home(world, client(port), service);
        place.bucket * LINES + place.way == line
    });
    ports.nth(nth).expect("a port for every line")
}

/// Opens the flow that `wish` describes, with whom the scheduler picks.
pub(crate) fn open<T: Tables>(tables: &T, wish: &Wish) -> Outcome {
    // Only a call's server depends on what is in the packet.
    let (mut packet, mut wish) = (Vec::new(), *wish);
    let frame = SliceFrame::new(&mut packet);
    let found = find_server(&frame, tables, &mut wish, Hook::Tc);
    tables.finish(&mut wish, found)
}

/// The wish for a flow that begins now.
pub(crate) fn wish(port: u16, service: u16, now: u32) -> Wish {
    Wish {
        client: client(port),
        virtual_: virtual_of(service),
        address: Address::default(),
        dest: 0,
        kept: false,
        old: 0,
        old_control: 0,
        state: state::SYN_RECV,
        interface: 3,
        now,
        payload: Payload::NONE,
    }
}
