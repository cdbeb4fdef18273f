//! Where the core runs: on slices, or in the kernel.

use std::{collections::BTreeMap, ops::Range};

use ferrovs_core::{
    abi::{
        answer::Request,
        ipv6::{Address, EndpointKey, NeighbourKey},
        reason::Reason,
        slab::Table,
    },
    tables::Tables,
    verdict::{Hook, Verdict},
};
use ferrovs_model::publish::Figures;

use crate::world::Port;

/// Indices of the director's interfaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interfaces {
    pub front: u32,
    pub back: u32,
    pub bare: u32,
    pub bare_ipv6: u32,
    pub unknown: u32,
}

impl Interfaces {
    pub(crate) const fn index(&self, port: Port) -> u32 {
        match port {
            Port::Front => self.front,
            Port::Back => self.back,
            Port::Bare => self.bare,
            Port::BareIpv6 => self.bare_ipv6,
            Port::Unknown => self.unknown,
        }
    }
}

/// What can be seen of a verdict from outside in every home.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    Pass,
    Drop,
    Redirect,
}

impl Action {
    pub(crate) const fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass | Verdict::Defer => Self::Pass,
            Verdict::Drop | Verdict::TooBig { .. } => Self::Drop,
            Verdict::Transmit { .. } | Verdict::Resolve { .. } | Verdict::Hand { .. } => {
                Self::Redirect
            }
        }
    }
}

/// What became of a packet.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub action: Action,
    /// The verdict itself, where the home can tell.
    pub verdict: Option<Verdict>,
    pub bytes: Vec<u8>,
}

/// An answer to a packet's sender that was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub request: Request,
    pub interface: u32,
    /// What is quoted.
    pub packet: Vec<u8>,
}

/// One home of the core, with tables of its own.
pub(crate) trait Home {
    /// How it sees its tables.
    type Tables<'a>: Tables
    where
        Self: 'a;

    fn name(&self) -> &'static str;
    fn tables(&self) -> Self::Tables<'_>;
    fn interfaces(&self) -> Interfaces;
    /// Hands a packet to a hook; `None` if this home cannot make such a packet.
    fn inject(&self, hook: Hook, interface: u32, packet: &[u8]) -> Option<Outcome>;
    /// Lets everything in the tables become older.
    fn age(&self, ticks: u32);
    fn set_neighbour(&self, key: u64, number: u32);
    fn set_neighbour_ipv6(&self, key: NeighbourKey, number: u32);
    fn endpoints(&self) -> BTreeMap<EndpointKey, u64>;
    fn set_endpoint(&self, key: EndpointKey, value: Option<u64>);
    fn grow(&self, table: Table, lines: Range<u32>) -> bool;
    fn filter_lines(&self) -> u32;
    fn flow_lines(&self) -> u32;
    /// Counters of a destination over all CPUs.
    fn figures(&self, dest: u32) -> Figures;
    fn reasons(&self) -> Vec<(Reason, u64)>;
    /// Says how often a source was answered: an [`ferrovs_core::abi::answer::Allowance`].
    fn set_answered(&self, source: Address, allowance: u64);
    /// The answers that were asked for since this was last called.
    fn answers(&self) -> Vec<Answer>;
    /// The Call-IDs that are kept to be listed, in order.
    fn call_ids(&self) -> Vec<Vec<u8>>;
    /// How many pointers to flows there are.
    fn pointers(&self) -> usize;
}
