//! The core on slices of plain memory.

use std::{collections::BTreeMap, ops::Range};

use ferrovs_core::{
    abi::{
        bucket, config,
        ipv6::{Address, EndpointKey, NeighbourKey},
        reason::Reason,
        slab::Table,
    },
    director::direct,
    tables::Tables,
    verdict::{Arrival, Hook},
};
use ferrovs_model::publish::{Figures, INITIAL_LOG2};
use ferrovs_sim::{Memory, Size, SliceFrame};

use crate::{
    home::{Action, Answer, Home, Interfaces, Outcome},
    world::{World, routes},
};

/// A clock far from zero, so that differences with it do not wrap by accident.
const START: u32 = config::ticks(1_000_000);

pub(crate) struct Slices {
    pub memory: Memory,
    interfaces: Interfaces,
}

impl Slices {
    pub(crate) fn new(world: &World) -> Self {
        let size = Size {
            buckets: world.buckets,
            filter_lines: 4096,
            pointers: (world.buckets as usize * 4).max(4096),
        };
        let interfaces = Interfaces {
            front: 2,
            back: 3,
            bare: 4,
            bare_ipv6: 5,
            unknown: 6,
        };
        let memory = Memory::new(size, INITIAL_LOG2, 1, START);
        memory.set_routes(routes(&interfaces));
        Self { memory, interfaces }
    }
}

impl Home for Slices {
    type Tables<'a> = &'a Memory;

    fn name(&self) -> &'static str {
        "core on slices"
    }

    fn tables(&self) -> &Memory {
        &self.memory
    }

    fn interfaces(&self) -> Interfaces {
        self.interfaces
    }

    fn inject(&self, hook: Hook, interface: u32, packet: &[u8]) -> Option<Outcome> {
        let mut bytes = packet.to_vec();
        let arrival = Arrival { interface, hook };
        let verdict = match hook {
            Hook::Xdp => direct(&mut SliceFrame::new(&mut bytes), &self.tables(), arrival),
            Hook::Tc => direct(&mut SliceFrame::of_skb(&mut bytes), &self.tables(), arrival),
        };
        Some(Outcome {
            action: Action::of(verdict),
            verdict: Some(verdict),
            bytes,
        })
    }

    fn age(&self, ticks: u32) {
        self.memory.advance(ticks);
    }

    fn set_neighbour(&self, key: u64, number: u32) {
        self.memory.set_neighbour(key, number);
    }

    fn set_neighbour_ipv6(&self, key: NeighbourKey, number: u32) {
        self.memory.set_neighbour_ipv6(key, number);
    }

    fn endpoints(&self) -> BTreeMap<EndpointKey, u64> {
        self.memory.endpoints().into_iter().collect()
    }

    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>) {
        self.memory.set_endpoint(key, value);
    }

    fn grow(&self, table: Table, lines: Range<u32>) -> bool {
        self.memory.grow(table, lines)
    }

    fn filter_lines(&self) -> u32 {
        self.memory.size().filter_lines
    }

    fn flow_lines(&self) -> u32 {
        self.memory.size().buckets * bucket::LINES
    }

    fn figures(&self, dest: u32) -> Figures {
        let tables = self.tables();
        Figures::of(tables.counts(dest), tables.traffic(dest).into_iter())
    }

    fn reasons(&self) -> Vec<(Reason, u64)> {
        self.memory.reasons()
    }

    fn set_answered(&self, source: Address, allowance: u64) {
        Tables::set_answered(&self.tables(), source, allowance);
    }

    fn answers(&self) -> Vec<Answer> {
        let answers = self.memory.take_answers().into_iter();
        let answer = |answer: ferrovs_sim::Answer| Answer {
            request: answer.request,
            interface: answer.interface,
            packet: answer.packet,
        };
        answers.map(answer).collect()
    }

    fn call_ids(&self) -> Vec<Vec<u8>> {
        let mut ids: Vec<_> = self.memory.calls().into_values().collect();
        ids.sort_unstable();
        ids
    }

    fn pointers(&self) -> usize {
        self.memory.pointers()
    }
}
