//! Why a change was refused.

use ferrovs_core::{abi::pool::OFFERED, outward::NETWORKS};
use serde::{Deserialize, Serialize};

use crate::wanted::{MAX_SERVERS, MAX_SERVERS_OF_SERVICE, MAX_SERVICES};

/// Why a change was refused. The meanings are those of the kernel's IPVS, and where IPVS has such
/// a refusal the text is the one that its tools print (libipvs, `ipvs_strerror`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The service has a destination at that address already (EEXIST).
    #[error("Destination already exists")]
    DestinationExists,
    /// The change makes no sense, or a real server's address is not unicast (EINVAL).
    #[error("Invalid operation.  Possibly wrong module version, address not unicast, ...")]
    Invalid,
    /// The kernel has no memory for the tables of more services or destinations (ENOMEM).
    #[error(
        "The kernel has no memory for more: the tables could not grow. Give it some, or take services and servers \
         away"
    )]
    NoMemory,
    /// The service has no destination at that address (ENOENT).
    #[error("No such destination")]
    NoSuchDestination,
    /// No service has that key (ESRCH).
    #[error("No such service")]
    NoSuchService,
    /// A number is too large (ERANGE).
    #[error("Numerical result out of range")]
    OutOfRange,
    /// No scheduler or persistence engine has that name (ENOENT).
    #[error("Scheduler or persistence engine not found")]
    SchedulerNotFound,
    /// The addresses can be no pool (EINVAL).
    #[error(
        "A pool has at most {OFFERED} addresses of each family, each of one machine and named once, with ports from 1 \
         on, the first of a range not above the last"
    )]
    Pool,
    /// The schedule table has no room for what the schedulers would pick from (ENOMEM).
    #[error(
        "No room for more schedules: wrr takes much for thousands of servers with as many weights. Fewer different \
         weights, fewer servers in a service or another scheduler take less"
    )]
    SchedulesFull,
    /// Servers cannot have such a way out (EINVAL).
    #[error(
        "A way out is for 1 to {NETWORKS} networks, by the director's IPv4 addresses, at most {OFFERED}, each named once, \
         with ports from 1 on, the first of a range not above the last"
    )]
    Snat,
    /// A service has that key already (EEXIST).
    #[error("Service already exists")]
    ServiceExists,
    /// A destination was named of a service that does not exist (ESRCH).
    #[error("Service not defined")]
    ServiceNotDefined,
    /// The data plane has no room for more services or destinations (ENOMEM).
    #[error(
        "No room for more: there may be {MAX_SERVICES} services and {MAX_SERVERS} real servers, \
         {MAX_SERVERS_OF_SERVICE} in one service, and removed ones count while they have connections"
    )]
    TableFull,
}
