//! What the kernel's own IPVS of this network namespace holds, so that ferrovs can take it over.
//!
//! [`read`] asks the kernel through generic netlink, as `ipvsadm` does, and changes nothing: it does not
//! even load the module. Everything is plain data with numbers in host order; what of it ferrovs can
//! serve is for the caller to say. Counters and connections are left out.
//!
//! The kernel hands out services and the servers of one service in pieces that need not fit together when
//! somebody changes them in between. Therefore everything is read until it is the same twice.

mod attributes;
mod destination;
mod error;
mod key;
mod service;
mod table;

use netlink_packet_core::{DefaultNla, NLA_F_NESTED};

pub use destination::{Destination, Encapsulation, Forwarding, TunnelChecksum};
pub use error::{Error, Result};
pub use key::{Key, Protocol};
pub use service::{Netmask, Persistence, Service};
pub use table::{Table, Timeouts};

use self::attributes::Attributes;
use crate::net::{Generic, Transport};

/// `IPVS_GENL_NAME`.
const FAMILY: &str = "IPVS";
/// Commands (`IPVS_CMD_*`).
const GET_SERVICE: u8 = 4;
const GET_DEST: u8 = 8;
const GET_CONFIG: u8 = 13;
/// What answers are wrapped in (`IPVS_CMD_ATTR_*`).
const SERVICE: u16 = 1;
const DEST: u16 = 2;
/// How often everything is read at most.
const ATTEMPTS: usize = 6;

/// Services, real servers and timeouts, as they are at one moment.
///
/// # Errors
/// [`Error::NotLoaded`] where there is no IPVS, [`Error::NoPermission`], and [`Error::Changing`] if it does
/// not hold still; else what the kernel says, or what is wrong with its answer.
pub fn read() -> Result<Table> {
    let kernel = Generic::open(FAMILY)?;
    read_twice(&mut kernel.ok_or(Error::NotLoaded)?)
}

fn read_twice<T: Transport>(kernel: &mut Generic<T>) -> Result<Table> {
    let mut last = read_once(kernel)?;
    for _ in 1..ATTEMPTS {
        let next = read_once(kernel)?;
        if next == last {
            return Ok(next);
        }
        last = next;
    }
    Err(Error::Changing(ATTEMPTS))
}

fn read_once<T: Transport>(kernel: &mut Generic<T>) -> Result<Table> {
    let timeouts = Timeouts::of(&kernel.ask(GET_CONFIG, &[])?)?;
    let mut services = Vec::new();
    for answer in kernel.dump(GET_SERVICE, &[])? {
        let answer = Attributes::of("a service", &answer)?;
        let mut service = Service::of(answer.bytes(SERVICE, "description")?)?;
        service.destinations = destinations(kernel, &service.key)?;
        services.push(service);
    }
    Ok(Table { services, timeouts })
}

/// The real servers of a service; none if it is gone by now.
fn destinations<T: Transport>(kernel: &mut Generic<T>, key: &Key) -> Result<Vec<Destination>> {
    let service = DefaultNla::new(
        SERVICE | NLA_F_NESTED,
        attributes::emitted(&key.attributes()),
    );
    let answers = kernel.dump(GET_DEST, &[service])?;
    let destination = |answer: &Vec<u8>| {
        let answer = Attributes::of("a real server", answer)?;
        Destination::of(answer.bytes(DEST, "description")?, key)
    };
    answers.iter().map(destination).collect()
}

#[cfg(test)]
mod tests;
