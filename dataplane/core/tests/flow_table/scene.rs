//! What the scenes have in common: small tables, most of whose lines are taken for good.

use ferrovs_core::abi::bucket::LINES;
use ferrovs_core::abi::endpoint::Endpoint;
use ferrovs_core::abi::flow::{CONTROL, Control, Phase};
use ferrovs_core::flow::Flow;
use ferrovs_core::flow::sweep::{Swept, sweep};
use ferrovs_core::flow::tcp::Direction;
use ferrovs_core::flow::touch::touch;
use ferrovs_core::tables::Tables;
use ferrovs_core::wire::{Link, Packet, TCP, Tcp};

use crate::world::{Memory, Plan, World, server};

/// When scenes begin, ticks.
pub(crate) const BEGIN: u32 = 10_000;
/// Timeout of every state, ticks.
pub(crate) const TIMEOUT: u32 = 100;
/// When a flow last used at [`BEGIN`] has just expired.
pub(crate) const EXPIRED: u32 = BEGIN + TIMEOUT + 1;

/// Two servers of one service.
pub(crate) const ONE_SERVICE: &[&[Endpoint]] = &[&[server(141), server(143)]];
/// Two services that share their one server.
pub(crate) const SHARED_SERVER: &[&[Endpoint]] = &[&[server(141)], &[server(141)]];

/// Tables of two buckets, in which only these lines are to be had.
pub(crate) fn tables<M: Memory>(services: &[&[Endpoint]], lines: &[u32]) -> World<M> {
    let plan = Plan {
        buckets: 2,
        pointers: 64,
        services,
        timeout: TIMEOUT,
    };
    let world = World::new(&plan, |line| line % LINES == 0 || lines.contains(&line));
    let taken = Control::new(Phase::Claimed, 0, 0, BEGIN + (1 << 20));
    for line in (0..world.lines()).filter(|line| line % LINES != 0 && !lines.contains(line)) {
        world.set(line, CONTROL, taken.0);
    }
    world
}

/// Sweeps the whole table.
pub(crate) fn sweep_all<T: Tables>(tables: T, now: u32) -> Swept {
    sweep(&tables, 0..2 * LINES, now, |_| {})
}

/// A packet of the flow with these flags; `number` is what it acknowledges, or for a SYN+ACK what
/// acknowledges it. Whether the flow was there.
pub(crate) fn packet<T: Tables>(
    tables: T,
    flow: &Flow,
    direction: Direction,
    flags: u16,
    number: u32,
    now: u32,
) -> bool {
    let packet = Packet {
        link: Link::Bare,
        transport: 20,
        length: 40,
        ttl: 64,
        protocol: TCP,
        more: false,
        source: Endpoint::default(),
        destination: Endpoint::default(),
        tcp: Tcp { flags, number },
    };
    let line = tables.flow(flow.number).expect("the flow's line");
    touch(&tables, line, flow, &packet, direction, now)
}
