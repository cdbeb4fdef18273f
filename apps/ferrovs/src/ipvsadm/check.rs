//! Rules across the options of one command line.

use ferrovs_model::Protocol;

use super::{
    failure::Failure,
    line::{Line, Method, Target, Tunnel},
    table::{Command, OPTS, Opt},
};

/// Finds what does not go together. Of several mistakes the one is named that ipvsadm names.
pub(super) fn check(line: &Line) -> Result<(), Failure> {
    check_command(line)?;
    match line.command {
        Command::AddService | Command::EditService => check_service(line),
        Command::AddServer | Command::EditServer => check_server(line),
        Command::List => check_list(line),
        _ => Ok(()),
    }
}

/// Which options the command demands, allows and allows one of.
fn check_command(line: &Line) -> Result<(), Failure> {
    let Some(row) = line.command_row() else {
        return Ok(());
    };
    let mut exclusive = None;
    for &(opt, _) in OPTS {
        let (option, command) = (opt.name(), row.name);
        if !line.given.has(opt) {
            if row.required.contains(&opt) {
                return Err(Failure::usage(format!(
                    "You need to supply the '{option}' option for the '{command}' command"
                )));
            }
        } else if row.exclusive.contains(&opt) {
            if let Some(other) = exclusive.replace(option) {
                return Err(Failure::usage(format!(
                    "The option '{option}' conflicts with the '{other}' option in the '{command}' command"
                )));
            }
        } else if !row.required.contains(&opt) && !row.allowed.contains(&opt) {
            return Err(Failure::usage(format!(
                "Illegal '{option}' option with the '{command}' command"
            )));
        }
    }
    Ok(())
}

fn check_service(line: &Line) -> Result<(), Failure> {
    let Some(Target::Address { protocol, port, .. }) = line.service else {
        return Ok(());
    };
    if port == 0 && !line.given.has(Opt::Persistent) {
        return Err(Failure::usage(
            "Zero port specified for non-persistent service",
        ));
    }
    if protocol != Protocol::Udp && line.given.has(Opt::Ops) {
        return Err(Failure::usage(
            "One-Packet Scheduling is only for UDP virtual services",
        ));
    }
    Ok(())
}

fn check_server(line: &Line) -> Result<(), Failure> {
    let tunneled = line.method == Method::Tunnel;
    let service_is_ipv6 = line.service.is_some_and(Target::is_ipv6);
    let server_is_ipv6 = line.server.is_some_and(|server| server.ip.is_ipv6());
    if service_is_ipv6 != server_is_ipv6 && !tunneled {
        return Err(Failure::usage(
            "Different address family is allowed only for tunneling servers",
        ));
    }
    if tunneled {
        return check_tunnel(line);
    }
    if line.given.has(Opt::TunType) || line.given.has_any(TUNNEL_OPTIONS) {
        return Err(Failure::usage(
            "Tunnel options conflict with forward method",
        ));
    }
    Ok(())
}

const TUNNEL_OPTIONS: &[Opt] = &[Opt::TunPort, Opt::TunNocsum, Opt::TunCsum, Opt::TunRemcsum];

fn check_tunnel(line: &Line) -> Result<(), Failure> {
    let kind = line.tunnel.name();
    let (required, exclusive): (&[Opt], &[Opt]) = match line.tunnel {
        Tunnel::Ipip => (&[], &[]),
        Tunnel::Gue => (
            &[Opt::TunPort],
            &[Opt::TunNocsum, Opt::TunCsum, Opt::TunRemcsum],
        ),
        Tunnel::Gre => (&[], &[Opt::TunNocsum, Opt::TunCsum]),
    };
    let mut checksum = None;
    for &opt in TUNNEL_OPTIONS {
        let option = opt.name();
        if !line.given.has(opt) {
            if required.contains(&opt) {
                return Err(Failure::usage(format!(
                    "You need to supply the '{option}' option for the '{kind}' tunnel type"
                )));
            }
        } else if exclusive.contains(&opt) {
            if let Some(other) = checksum.replace(option) {
                return Err(Failure::usage(format!(
                    "The option '{option}' conflicts with the '{other}' option in the '{kind}' tunnel type"
                )));
            }
        } else if !required.contains(&opt) {
            return Err(Failure::usage(format!(
                "Illegal '{option}' option with the '{kind}' tunnel type"
            )));
        }
    }
    Ok(())
}

fn check_list(line: &Line) -> Result<(), Failure> {
    const FIGURES: &[Opt] = &[Opt::Stats, Opt::Rate, Opt::Thresholds];
    const NO_SERVICES: &[Opt] = &[Opt::Timeout, Opt::Daemon];
    let given = line.given;
    let conflict = given.has_any(NO_SERVICES)
        && (given.has_any(FIGURES) || given.has(Opt::PersistentConn))
        || given.has(Opt::Connection) && given.has_any(FIGURES);
    if conflict {
        return Err(Failure::usage("options conflicts in the list command"));
    }
    Ok(())
}
