//! How the director is.

use serde::{Deserialize, Serialize};

use crate::Counters;

/// How the director is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
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
    /// Bytes of the kernel's memory that all tables take now, the flow table included.
    #[serde(default)]
    pub table_bytes: u64,
    /// What went through all services since the tables were made, whatever was set to zero.
    pub lifetime: Counters,
    /// How fast, in the last 1, 10 and 60 seconds; fewer spans when the daemon is younger.
    pub rates: Vec<SpanView>,
    /// The same of each service through which anything went in them.
    pub service_rates: Vec<ServiceRatesView>,
    /// Services and servers that are kept but not forwarded yet.
    pub unforwarded: Vec<UnforwardedView>,
    /// What happened beside plain forwarding, since the tables were made; what never did is left out.
    pub events: Vec<EventView>,
}

/// What went by in a span of time, by the second.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct SpanView {
    /// The length of the span, in seconds.
    pub seconds: u32,
    /// Flows scheduled a second.
    pub conns: f64,
    /// Packets in a second.
    pub in_packets: f64,
    /// Packets out a second.
    pub out_packets: f64,
    /// Bytes in a second.
    pub in_bytes: f64,
    /// Bytes out a second.
    pub out_bytes: f64,
}

/// How fast it goes through a service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ServiceRatesView {
    /// The service, for instance `TCP 10.0.0.1:80`.
    pub service: String,
    /// Of each span.
    pub rates: Vec<SpanView>,
}

/// A service that is kept but not forwarded.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UnforwardedView {
    /// The service, for instance `TCP 10.0.0.1:80`.
    pub service: String,
    /// What is not there yet and would be needed.
    pub lacks: Vec<String>,
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
