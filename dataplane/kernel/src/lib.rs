//! The user half of the data plane: load, attach, recover, mapped tables, next hops.
//!
//! [`DataPlane`] is programs and tables of one network namespace: made by [`DataPlane::create`], or
//! found again on the interfaces by [`DataPlane::recover`], for nothing is pinned: a program belongs to
//! the interface it is attached to, and its tables to the program. [`Maps`] is the tables as memory,
//! [`wanted`] keeps the wanted state among them. [`Keeper`] watches the network and keeps hooks and
//! next hops right. [`Answerer`] sends the ICMP messages that the programs ask for.
//!
//! Everything here concerns the network namespace of the calling thread.

mod answers;
mod choice;
mod error;
mod hash;
mod hooks;
mod interfaces;
pub mod ipvs;
mod keeper;
mod load;
mod mapped;
mod maps;
mod mark_way;
mod net;
mod next_hops;
mod plane;
mod pool;
mod probe;
mod sizes;
mod slabs;
pub mod sys;
mod take_down;
mod tuning;
pub mod wanted;

pub use answers::{Answer, Answerer, Answers};
pub use choice::{HookChoice, Hooking, Kind, Targets};
pub use error::{Error, Result};
pub use hooks::Hook;
pub use keeper::{Keeper, Remember, Watched};
pub use load::{Programs, TC_PROGRAM, XDP_PROGRAM};
pub use mapped::Words;
pub use maps::Maps;
pub use mark_way::Mark;
pub use net::{Address, Link, Neighbour, Snapshot, XdpMode};
pub use plane::DataPlane;
pub use pool::{Outward, PoolAddress};
pub use probe::{kernel_ipvs_services, probe};
pub use sizes::{FLOWS, Sizes};
pub use take_down::take_down;
pub use tuning::Tuning;
