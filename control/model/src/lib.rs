//! The wanted state of a director: virtual services, their real servers, the timeouts and the sysctls.
//!
//! This is where a command stops being text and starts being true or refused. The command line and
//! the API hand in a [`Change`]; [`Wanted::apply`] either makes it or says why not with a
//! [`Refusal`], which has the meanings (and the wording) of the kernel's IPVS. What comes out is
//! plain data: the daemon turns it into tables, and keeps its JSON so that it survives a restart.
//!
//! Nothing here does I/O, knows a runtime, or knows the grammar of a command line.

mod amendment;
mod change;
mod destination;
mod difference;
mod forwarding;
mod history;
mod pool;
pub mod publish;
mod refusal;
mod scheduler;
mod service;
mod settings;
mod snat;
mod sysctl;
mod templates;
mod timeouts;
mod unforwarded;
mod wanted;

pub use amendment::Amendment;
pub use change::Change;
pub use destination::{Destination, MAX_WEIGHT};
pub use difference::{Difference, differences};
pub use forwarding::{Encapsulation, Forwarding, TunnelChecksum};
pub use history::{History, Round};
pub use pool::{FIRST_PORT, NoPoolAddress, PoolAddress};
pub use refusal::Refusal;
pub use scheduler::{NO_SCHEDULER, PERSISTENCE_ENGINES, SCHEDULERS, SchedulerFlags};
pub use service::{Protocol, Service, ServiceKey};
pub use settings::{Netmask, Persistence, ServiceSettings};
pub use snat::{Network, NoNetwork, Snat};
pub use sysctl::{
    About, MEANINGLESS, Meaningless, NoSuchSysctl, SYSCTLS, Sysctl, Sysctls, WrongValue,
};
pub use templates::Templates;
pub use timeouts::{MAX_TIMEOUT, Timeouts};
pub use unforwarded::{Lack, Unforwarded};
pub use wanted::{MAX_SERVERS, MAX_SERVERS_OF_SERVICE, MAX_SERVICES, RefusedChange, Wanted};
