//! What a command line means.

use std::net::SocketAddr;

use ferrovs_model::{
    Change, Destination, Encapsulation, Forwarding, Persistence, Refusal, ServiceKey,
    ServiceSettings,
};

use super::{
    failure::Failure,
    line::{Line, Method, Target, Tunnel},
    list::{Columns, Listing},
    table::{Command, Opt},
};

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
        engines: bool,
    },
    ListTimeouts,
    /// The synchronisation daemons, of which there are none yet.
    ListDaemons,
    Save {
        numeric: bool,
    },
    Restore,
    /// What is not built.
    Refuse(Failure),
}

impl Action {
    /// What `line`, which has been checked, means.
    pub(super) fn of(line: &Line) -> Result<Self, Failure> {
        Ok(match line.command {
            Command::Help => Self::Help,
            Command::Version => Self::Version,
            Command::List => list(line),
            Command::Save => Self::Save {
                numeric: line.given.has(Opt::Numeric),
            },
            Command::Restore => Self::Restore,
            Command::StartDaemon => Self::Refuse(Failure::later("connection synchronisation")),
            Command::StopDaemon => Self::Refuse(Failure::refused("No daemon is running")),
            _ => Self::Change(change(line)?),
        })
    }
}

fn change(line: &Line) -> Result<Change, Refusal> {
    Ok(match line.command {
        Command::Clear => Change::Clear,
        Command::Set => {
            let [tcp, tcp_fin, udp] = line.timeouts.map(|s| (s != 0).then_some(s));
            Change::SetTimeouts { tcp, tcp_fin, udp }
        }
        Command::Zero => Change::Zero {
            service: line.service.map(key),
        },
        Command::AddService => Change::AddService {
            service: service(line)?,
            settings: settings(line),
        },
        Command::EditService => Change::EditService {
            service: service(line)?,
            settings: settings(line),
        },
        Command::DeleteService => Change::DeleteService {
            service: service(line)?,
        },
        Command::AddServer => Change::AddDestination {
            service: service(line)?,
            destination: destination(line)?,
        },
        Command::EditServer => Change::EditDestination {
            service: service(line)?,
            destination: destination(line)?,
        },
        Command::DeleteServer => Change::DeleteDestination {
            service: service(line)?,
            address: server(line)?,
        },
        _ => return Err(Refusal::Invalid),
    })
}

fn list(line: &Line) -> Action {
    let given = |opt| line.given.has(opt);
    if given(Opt::Connection) {
        return Action::ListFlows {
            numeric: given(Opt::Numeric),
            engines: given(Opt::PersistentConn),
        };
    }
    let only = line.service.map(key);
    if only.is_none() && given(Opt::Timeout) {
        return Action::ListTimeouts;
    }
    if only.is_none() && given(Opt::Daemon) {
        return Action::ListDaemons;
    }
    // Where several are asked for, the first of these is shown.
    let columns = [
        (Opt::Stats, Columns::Stats),
        (Opt::Rate, Columns::Rate),
        (Opt::Thresholds, Columns::Thresholds),
        (Opt::PersistentConn, Columns::Persistent),
        (Opt::TunInfo, Columns::Tunnels),
    ];
    let chosen = columns.iter().find(|(opt, _)| given(*opt));
    let listing = Listing {
        columns: chosen.map_or(Columns::Connections, |(_, columns)| *columns),
        numeric: given(Opt::Numeric),
        exact: given(Opt::Exact),
        sorted: !given(Opt::NoSort),
    };
    Action::ListServices(listing, only)
}

fn key(target: Target) -> ServiceKey {
    match target {
        Target::Address { protocol, ip, port } => {
            ServiceKey::address(protocol, SocketAddr::new(ip, port))
        }
        Target::Mark { mark, ipv6 } => ServiceKey::Mark { mark, ipv6 },
    }
}

fn service(line: &Line) -> Result<ServiceKey, Refusal> {
    line.service.map(key).ok_or(Refusal::Invalid)
}

fn settings(line: &Line) -> ServiceSettings {
    ServiceSettings {
        scheduler: line.scheduler().to_owned(),
        scheduler_flags: line.flags,
        persistence: line.persistent.map(|timeout| Persistence {
            timeout,
            netmask: line.netmask,
        }),
        persistence_engine: (!line.engine.is_empty()).then(|| line.engine.clone()),
        one_packet: line.one_packet,
    }
}

fn destination(line: &Line) -> Result<Destination, Refusal> {
    let mut address = server(line)?;
    // Only masquerading can change the port.
    if let (Some(Target::Address { port, .. }), Method::Route | Method::Tunnel) =
        (line.service, line.method)
    {
        address.set_port(port);
    }
    Ok(Destination {
        address,
        forwarding: forwarding(line),
        weight: line.weight,
        upper_threshold: line.upper_threshold,
        lower_threshold: line.lower_threshold,
    })
}

fn forwarding(line: &Line) -> Forwarding {
    let checksum = line.checksum;
    match line.method {
        Method::Masq => Forwarding::Masq,
        Method::FullNat => Forwarding::FullNat,
        Method::Auto => Forwarding::Auto,
        Method::Route => Forwarding::Route,
        Method::Tunnel => Forwarding::Tunnel(match line.tunnel {
            Tunnel::Ipip => Encapsulation::Ipip,
            Tunnel::Gue => Encapsulation::Gue {
                port: line.tunnel_port,
                checksum,
            },
            Tunnel::Gre => Encapsulation::Gre { checksum },
        }),
    }
}

fn server(line: &Line) -> Result<SocketAddr, Refusal> {
    let server = line.server.ok_or(Refusal::Invalid)?;
    Ok(SocketAddr::new(server.ip, server.port))
}
