//! The format of `ferrovs save` and `ferrovs restore`: the wanted state in TOML, with nothing lost.
//!
//! [`write()`] and [`read`] are each other's inverse, up to the numbers by which services are told from
//! earlier ones. What is read is checked as a whole: either all of it is a state that a director can have,
//! or the first thing that is wrong is named with its line and column.

mod entry;

use std::ops::Range;

use ferrovs_model::{
    Change, Destination, PoolAddress, Refusal, Service, ServiceKey, Snat, Sysctls, Timeouts, Wanted,
};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use entry::SavedService;

/// The version of the format.
const FORMAT: u32 = 1;

/// What stands at the top of a file.
const HEADING: &str = "\
# The services of a ferrovs director. `ferrovs restore` makes them what this file says, all or none.
# Timeouts are in seconds. Servers stand in the order in which schedulers visit them.
";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pool: Vec<PoolAddress>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snat: Option<Snat>,
    #[serde(default)]
    timeouts: Timeouts,
    #[serde(default, skip_serializing_if = "Sysctls::is_default")]
    sysctls: Sysctls,
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    services: Vec<Spanned<SavedService>>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// The state as a file.
///
/// # Errors
/// None in practice: every state can be written.
pub fn write(wanted: &Wanted) -> Result<String, toml::ser::Error> {
    let mut services: Vec<&Service> = wanted.services().iter().collect();
    services.sort_by_key(|service| service.added);
    let file = File {
        format: FORMAT,
        pool: wanted.pool().to_vec(),
        snat: wanted.snat().cloned(),
        timeouts: wanted.timeouts(),
        sysctls: wanted.sysctls(),
        services: services.into_iter().map(unplaced).collect(),
    };
    Ok(format!("{HEADING}{}", toml::to_string(&file)?))
}

fn unplaced(service: &Service) -> Spanned<SavedService> {
    Spanned::new(0..0, SavedService::of(service))
}

/// The state that a file says.
///
/// To be called with a stack of 8 MB, as a main thread has: for some 6,000 tables in each other, which is
/// as far as the parser of TOML goes, a debug build needs more than the 2 MB of other threads.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn read(text: &str) -> Result<Wanted, ReadError> {
    let at = |span: Range<usize>, message: String| ReadError::at(text, span.start, message);
    let file: File = toml::from_str(text).map_err(|error| {
        let message = error.message().to_owned();
        at(error.span().unwrap_or_default(), message)
    })?;
    if file.format != FORMAT {
        let format = file.format;
        let message = format!("this is format {format}, and this version reads format {FORMAT}");
        return Err(at(0..0, message));
    }
    let mut wanted = Wanted::default();
    let Timeouts { tcp, tcp_fin, udp } = file.timeouts;
    let set = Change::SetTimeouts {
        tcp: Some(tcp),
        tcp_fin: Some(tcp_fin),
        udp: Some(udp),
    };
    wanted
        .apply(&set)
        .map_err(|_| at(0..0, "each timeout must be 1 to 2678400 seconds".to_owned()))?;
    for (name, value) in file.sysctls.chosen() {
        wanted
            .apply(&Change::SetSysctl { name, value })
            .map_err(|refusal| at(0..0, refusal.to_string()))?;
    }
    let addresses = file.pool;
    wanted
        .apply(&Change::SetPool { addresses })
        .map_err(|refusal| at(0..0, refusal.to_string()))?;
    wanted
        .apply(&Change::SetSnat { snat: file.snat })
        .map_err(|refusal| at(0..0, refusal.to_string()))?;
    for service in file.services {
        let span = service.span();
        let service = service.into_inner();
        let key = service.key().map_err(|message| at(span.clone(), message))?;
        let settings = service.settings(&key);
        let add = Change::AddService {
            service: key,
            settings: settings.map_err(|message| at(span.clone(), message))?,
        };
        wanted
            .apply(&add)
            .map_err(|refusal| at(span, why_no_service(&key, refusal)))?;
        // The one added last is first in the list.
        for server in service.servers.into_iter().rev() {
            let span = server.span();
            let destination = server.into_inner().destination();
            let destination = destination.map_err(|message| at(span.clone(), message))?;
            let add = Change::AddDestination {
                service: key,
                destination,
            };
            wanted
                .apply(&add)
                .map_err(|refusal| at(span, why_no_server(&key, &destination, refusal)))?;
        }
    }
    Ok(wanted)
}

impl ReadError {
    fn at(text: &str, offset: usize, message: String) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_begin = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_begin..].chars().count() + 1,
            message,
        }
    }
}

fn why_no_service(key: &ServiceKey, refusal: Refusal) -> String {
    let full = refusal.to_string();
    let why = match refusal {
        Refusal::TableFull | Refusal::SchedulesFull | Refusal::NoMemory => &full,
        Refusal::ServiceExists => "it is there twice",
        Refusal::SchedulerNotFound => {
            "there is no such scheduler or persistence engine: schedulers are rr, wrr, lc, wlc, lblc, lblcr, \
             dh, sh, sed, nq, fo, ovf, mh, twos, ewma, mhb and none, the engine is sip"
        }
        _ => {
            "a firewall mark must not be 0, port 0 needs persistence, persistence is 1 to 2678400 seconds with \
             a netmask of the service's family, one_packet is for udp and firewall marks"
        }
    };
    format!("{key}: {why}")
}

fn why_no_server(key: &ServiceKey, server: &Destination, refusal: Refusal) -> String {
    let full = refusal.to_string();
    let why = match refusal {
        Refusal::TableFull | Refusal::SchedulesFull | Refusal::NoMemory => &full,
        Refusal::DestinationExists => "it is there twice",
        Refusal::OutOfRange => {
            "weight and thresholds are at most 2147483647, and the lower threshold at most the upper one"
        }
        _ => {
            "it must be the address of one machine, of the service's family unless it is tunnelled; gue \
             needs a tunnel_port, gre has no remote checksum"
        }
    };
    format!("server {} of {key}: {why}", server.address)
}

#[cfg(test)]
mod tests;
