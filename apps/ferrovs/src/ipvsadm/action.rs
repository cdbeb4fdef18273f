//! What a command line means.

use std::net::SocketAddr;

use ferrovs_model::{
    Change, Destination, Forwarding, Protocol, Refusal, ServiceKey, ServiceSettings,
};

use super::{
    failure::Failure,
    line::{Line, Target},
    list::Listing,
    names::Transport,
    table::{Command, OPTS, Opt},
};

/// The scheduler of a service that names none.
const DEFAULT_SCHEDULER: &str = "wlc";

/// What is to be done.
#[derive(Debug)]
pub(super) enum Action {
    Help,
    Version,
    Change(Change),
    /// All services, or the one with this key.
    ListServices(Listing, Option<ServiceKey>),
    ListFlows {
        numeric: bool,
    },
    ListTimeouts,
    /// The synchronisation daemons, of which there are none yet.
    ListDaemons,
}

impl Action {
    /// What `line`, which has been checked, means; or what of it is not built yet.
    pub(super) fn of(line: &Line) -> Result<Self, Failure> {
        let given = OPTS.iter().filter(|row| line.given.has(row.opt));
        if let Some(what) = given.filter_map(|row| row.later).next() {
            return Err(Failure::later(what));
        }
        Ok(match line.command {
            Command::Help => Self::Help,
            Command::Version => Self::Version,
            Command::List => return list(line),
            Command::Save => return Err(Failure::later("saving (-S)")),
            Command::Restore => return Err(Failure::later("restoring (-R)")),
            Command::StartDaemon => return Err(Failure::later("connection synchronisation")),
            Command::StopDaemon => return Err(Failure::refused("No daemon is running")),
            Command::AddService => Self::Change(Change::AddService {
                service: new_key(line)?,
                settings: settings(line),
            }),
            Command::EditService => Self::Change(Change::EditService {
                service: existing_key(line, Refusal::NoSuchService)?,
                settings: settings(line),
            }),
            Command::DeleteService => Self::Change(Change::DeleteService {
                service: existing_key(line, Refusal::NoSuchService)?,
            }),
            Command::AddServer => Self::Change(Change::AddDestination {
                service: existing_key(line, Refusal::ServiceNotDefined)?,
                destination: destination(line)?,
            }),
            Command::EditServer => Self::Change(Change::EditDestination {
                service: existing_key(line, Refusal::ServiceNotDefined)?,
                destination: destination(line)?,
            }),
            Command::DeleteServer => Self::Change(Change::DeleteDestination {
                service: existing_key(line, Refusal::ServiceNotDefined)?,
                address: server(line)?,
            }),
            Command::Clear => Self::Change(Change::Clear),
            Command::Set => {
                let [tcp, tcp_fin, udp] = line.timeouts.map(|s| (s != 0).then_some(s));
                Self::Change(Change::SetTimeouts { tcp, tcp_fin, udp })
            }
            Command::Zero => {
                let service = match line.service {
                    Some(_) => Some(existing_key(line, Refusal::NoSuchService)?),
                    None => None,
                };
                Self::Change(Change::Zero { service })
            }
        })
    }
}

fn list(line: &Line) -> Result<Action, Failure> {
    let numeric = line.given.has(Opt::Numeric);
    if line.given.has(Opt::Connection) {
        return Ok(Action::ListFlows { numeric });
    }
    if line.given.has(Opt::Timeout) {
        return Ok(Action::ListTimeouts);
    }
    if line.given.has(Opt::Daemon) {
        return Ok(Action::ListDaemons);
    }
    let listing = Listing {
        numeric,
        stats: line.given.has(Opt::Stats),
        exact: line.given.has(Opt::Exact),
        sorted: !line.given.has(Opt::NoSort),
    };
    let only = match line.service {
        Some(target) => Some(key(target).ok_or_else(Failure::not_there)?),
        None => None,
    };
    Ok(Action::ListServices(listing, only))
}

/// The key of `target`; none for kinds of service that are not built, of which none can exist.
fn key(target: Target) -> Option<ServiceKey> {
    let Target::Address {
        transport,
        ip,
        port,
    } = target
    else {
        return None;
    };
    let protocol = match transport {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
        Transport::Sctp => return None,
    };
    Some(ServiceKey::address(protocol, SocketAddr::new(ip, port)))
}

fn new_key(line: &Line) -> Result<ServiceKey, Failure> {
    let target = line.service.ok_or(Refusal::Invalid)?;
    key(target).ok_or_else(|| match target {
        Target::Mark { .. } => Failure::later("services by firewall mark (-f)"),
        Target::Address { .. } => Refusal::ProtocolNotAvailable.into(),
    })
}

fn existing_key(line: &Line, missing: Refusal) -> Result<ServiceKey, Failure> {
    Ok(line.service.and_then(key).ok_or(missing)?)
}

fn settings(line: &Line) -> ServiceSettings {
    let scheduler = match line.scheduler.as_str() {
        "" => DEFAULT_SCHEDULER,
        name => name,
    };
    ServiceSettings {
        scheduler: scheduler.to_owned(),
    }
}

fn destination(line: &Line) -> Result<Destination, Failure> {
    let forwarding = line.forwarding.unwrap_or(Forwarding::Route);
    let mut address = server(line)?;
    // Only masquerading can change the port.
    if let (Some(Target::Address { port, .. }), Forwarding::Route | Forwarding::Tunnel) =
        (line.service, forwarding)
    {
        address.set_port(port);
    }
    Ok(Destination {
        address,
        forwarding,
        weight: line.weight.unwrap_or(1),
    })
}

fn server(line: &Line) -> Result<SocketAddr, Failure> {
    let server = line.server.ok_or(Refusal::Invalid)?;
    Ok(SocketAddr::new(server.ip, server.port))
}
