//! How the director is.

use serde::{Deserialize, Serialize};

/// How the director is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// The daemon's process.
    pub pid: u32,
    /// Whether a command started it, so that it ends by itself when there is nothing left to do.
    pub autostarted: bool,
    /// The interfaces whose packets are looked at.
    pub hooks: Vec<HookView>,
    /// How many services there are.
    pub services: u32,
    /// How many destinations all services have together.
    pub destinations: u32,
    /// How many flows there are now.
    pub flows: u64,
    /// How many flows the table is made for.
    pub flow_limit: u64,
    /// What happened beside plain forwarding, since the tables were made; what never did is left out.
    pub events: Vec<EventView>,
}

/// What happened to packets or flows, and how often.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventView {
    /// The name of the data plane's reason, `table-full` for instance.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// A program of ours on an interface.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HookView {
    /// The interface's name.
    pub interface: String,
    /// Where the program sits: `xdp`, `xdp-generic` or `tc`.
    pub hook: String,
    /// Why this interface and this hook, in a few words.
    pub reason: String,
}
