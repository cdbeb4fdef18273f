//! How the value of each option is read; the names are those of the table.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use ferrovs_model::{Forwarding, MAX_TIMEOUT, MAX_WEIGHT};

use super::{
    failure::Failure,
    line::{Line, Server, Target, Tunnel},
    names::{Names, Transport},
    values::{self, Place},
};

pub(super) fn nothing(_: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    Ok(())
}

pub(super) fn anything(_: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    Ok(())
}

pub(super) fn tcp_service(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    service(line, text, Transport::Tcp, names)
}

pub(super) fn udp_service(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    service(line, text, Transport::Udp, names)
}

pub(super) fn sctp_service(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    service(line, text, Transport::Sctp, names)
}

fn service(
    line: &mut Line,
    text: &str,
    transport: Transport,
    names: &dyn Names,
) -> Result<(), Failure> {
    let Some(Place { ip, port }) = values::place(text, Some(transport), names) else {
        return Err(Failure::usage(
            "illegal virtual server address[:port] specified",
        ));
    };
    let port = port.unwrap_or(0);
    line.service = Some(Target::Address {
        transport,
        ip,
        port,
    });
    Ok(())
}

pub(super) fn fwmark_service(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    if values::number(text, 1..=u32::MAX).is_none() {
        return Err(Failure::usage(format!(
            "invalid fwmark value `{text}' specified"
        )));
    }
    line.service = Some(Target::Mark { ipv6: false });
    Ok(())
}

pub(super) fn ipv6(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    let Some(Target::Mark { ipv6 }) = &mut line.service else {
        // The empty line is there in ipvsadm too.
        return Err(Failure::usage("-6 used before -f\n"));
    };
    *ipv6 = true;
    Ok(())
}

pub(super) fn scheduler(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    text.clone_into(&mut line.scheduler);
    Ok(())
}

pub(super) fn persistent(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    match text {
        "" => Ok(()),
        text => seconds(text, 1..=MAX_TIMEOUT).map(drop),
    }
}

pub(super) fn netmask(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    if line.service.is_some_and(Target::is_ipv6) {
        return check_number(text, 1..=128, "ipv6 netmask").map(drop);
    }
    if text.parse::<Ipv4Addr>().is_ok() || values::number(text, 0..=32).is_some() {
        return Ok(());
    }
    Err(Failure::usage(
        "illegal virtual server persistent mask specified",
    ))
}

pub(super) fn sched_flags(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    for flag in text.split(',') {
        let scheduler = match flag {
            "flag-1" | "flag-2" | "flag-3" => continue,
            "sh-fallback" | "sh-port" => "sh",
            "mh-fallback" | "mh-port" => "mh",
            _ => return Err(Failure::usage(format!("invalid scheduler flag `{flag}'"))),
        };
        if line.scheduler != scheduler {
            return Err(Failure::usage(format!(
                "incompatible scheduler flag `{flag}'"
            )));
        }
    }
    Ok(())
}

/// A port that is left out is the service's, which must have been typed before, as must the
/// transport of a port's name. Port 0 has the same meaning in the end.
pub(super) fn real_server(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    let transport = match line.service {
        Some(Target::Address { transport, .. }) => Some(transport),
        Some(Target::Mark { .. }) | None => None,
    };
    let Some(Place { ip, port }) = values::place(text, transport, names) else {
        return Err(Failure::usage(
            "illegal real server address[:port] specified",
        ));
    };
    let port = port.unwrap_or_else(|| line.service.map_or(0, Target::port));
    line.server = Some(Server { ip, port });
    Ok(())
}

pub(super) fn masquerading(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.forwarding = Some(Forwarding::Masq);
    Ok(())
}

pub(super) fn gatewaying(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.forwarding = Some(Forwarding::Route);
    Ok(())
}

pub(super) fn tunneling(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.forwarding = Some(Forwarding::Tunnel);
    Ok(())
}

pub(super) fn weight(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    line.weight = Some(check_number(text, 0..=MAX_WEIGHT, "weight")?);
    Ok(())
}

pub(super) fn u_threshold(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 0..=i32::MAX.unsigned_abs(), "u_threshold").map(drop)
}

pub(super) fn l_threshold(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 0..=i32::MAX.unsigned_abs(), "l_threshold").map(drop)
}

pub(super) fn tun_type(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    let kinds = [Tunnel::Ipip, Tunnel::Gue, Tunnel::Gre];
    let Some(&kind) = kinds.iter().find(|kind| kind.name() == text) else {
        return Err(Failure::usage("illegal tunnel type specified"));
    };
    line.tunnel = kind;
    Ok(())
}

pub(super) fn tun_port(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 1..=65_535, "tunnel port").map(drop)
}

pub(super) fn syncid(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 0..=255, "syncid").map(drop)
}

pub(super) fn sync_maxlen(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 1..=65_507, "sync-maxlen").map(drop)
}

pub(super) fn mcast_group(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    if text.contains(':') {
        return match text.parse::<Ipv6Addr>() {
            Ok(group) if group.is_multicast() => Ok(()),
            _ => Err(Failure::usage(format!("invalid IPv6 mcast-group `{text}'"))),
        };
    }
    match text.parse::<Ipv4Addr>() {
        Ok(group) if group.is_multicast() => Ok(()),
        _ => Err(Failure::usage(format!("invalid IPv4 mcast-group `{text}'"))),
    }
}

pub(super) fn mcast_port(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 1..=65_535, "mcast-port").map(drop)
}

pub(super) fn mcast_ttl(_: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    check_number(text, 1..=255, "mcast-ttl").map(drop)
}

/// A timeout.
pub(super) fn seconds(text: &str, range: RangeInclusive<u32>) -> Result<u32, Failure> {
    let invalid = || Failure::usage(format!("invalid timeout value `{text}' specified"));
    values::number(text, range).ok_or_else(invalid)
}

fn check_number(text: &str, range: RangeInclusive<u32>, what: &str) -> Result<u32, Failure> {
    let illegal = || Failure::usage(format!("illegal {what} specified"));
    values::number(text, range).ok_or_else(illegal)
}
