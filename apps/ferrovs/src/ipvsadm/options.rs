//! How the value of each option is read; the names are those of the table.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use ferrovs_model::{MAX_TIMEOUT, MAX_WEIGHT, Netmask, Protocol, SchedulerFlags, TunnelChecksum};

use super::{
    failure::Failure,
    line::{Line, Method, Server, Target, Tunnel},
    names::Names,
    values::{self, Place},
};

/// For options without a value, and for those whose value means nothing yet.
pub(super) fn nothing(_: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    Ok(())
}

pub(super) fn tcp_service(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    service(line, text, Protocol::Tcp, names)
}

pub(super) fn udp_service(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    service(line, text, Protocol::Udp, names)
}

pub(super) fn sctp_service(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    service(line, text, Protocol::Sctp, names)
}

fn service(
    line: &mut Line,
    text: &str,
    protocol: Protocol,
    names: &dyn Names,
) -> Result<(), Failure> {
    let Some(Place { ip, port }) = values::place(text, Some(protocol), names) else {
        return Err(Failure::usage(
            "illegal virtual server address[:port] specified",
        ));
    };
    let port = port.unwrap_or(0);
    if ip.is_ipv6() {
        line.netmask = Netmask::single(true);
    }
    line.service = Some(Target::Address { protocol, ip, port });
    Ok(())
}

pub(super) fn fwmark_service(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    let Some(mark) = values::number(text, 1..=u32::MAX) else {
        return Err(Failure::usage(format!(
            "invalid fwmark value `{text}' specified"
        )));
    };
    line.service = Some(Target::Mark { mark, ipv6: false });
    Ok(())
}

pub(super) fn ipv6(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    let Some(Target::Mark { ipv6, .. }) = &mut line.service else {
        // The empty line is there in ipvsadm too.
        return Err(Failure::usage("-6 used before -f\n"));
    };
    *ipv6 = true;
    line.netmask = Netmask::single(true);
    Ok(())
}

pub(super) fn scheduler(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    text.clone_into(&mut line.scheduler);
    Ok(())
}

pub(super) fn persistent(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    line.persistent = Some(seconds(text, 1..=MAX_TIMEOUT)?);
    Ok(())
}

/// An IPv4 mask may have any bits, and be written as a host is.
pub(super) fn netmask(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    if line.service.is_some_and(Target::is_ipv6) {
        // Kept in 32 bits.
        let prefix = u8::try_from(values::leading_number(text) as i32).ok();
        let Some(prefix @ 1..=128) = prefix else {
            return Err(Failure::usage("illegal ipv6 netmask specified"));
        };
        line.netmask = Netmask::V6(prefix);
        return Ok(());
    }
    let Some(mask) = names.find_host(text) else {
        return Err(Failure::usage(
            "illegal virtual server persistent mask specified",
        ));
    };
    line.netmask = Netmask::V4(mask);
    Ok(())
}

pub(super) fn persistence_engine(
    line: &mut Line,
    text: &str,
    _: &dyn Names,
) -> Result<(), Failure> {
    text.clone_into(&mut line.engine);
    Ok(())
}

pub(super) fn one_packet(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.one_packet = true;
    Ok(())
}

/// What does not fit a buffer of 128 is lost.
pub(super) fn sched_flags(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    text[..text.floor_char_boundary(127)].clone_into(&mut line.flags_text);
    Ok(())
}

/// The flags of `scheduler` in a list with commas.
pub(super) fn flags(text: &str, scheduler: &str) -> Result<SchedulerFlags, Failure> {
    let mut flags = SchedulerFlags::NONE;
    for name in text.split(',').filter(|name| !name.is_empty()) {
        let (flag, of) = match name {
            "flag-1" => (SchedulerFlags::FALLBACK, scheduler),
            "flag-2" => (SchedulerFlags::PORT, scheduler),
            "flag-3" => (SchedulerFlags::THIRD, scheduler),
            "sh-fallback" => (SchedulerFlags::FALLBACK, "sh"),
            "sh-port" => (SchedulerFlags::PORT, "sh"),
            "mh-fallback" => (SchedulerFlags::FALLBACK, "mh"),
            "mh-port" => (SchedulerFlags::PORT, "mh"),
            "mhb-port" => (SchedulerFlags::PORT, "mhb"),
            _ => return Err(Failure::usage(format!("invalid scheduler flag `{name}'"))),
        };
        if scheduler != of {
            return Err(Failure::usage(format!(
                "incompatible scheduler flag `{name}'"
            )));
        }
        flags = flags | flag;
    }
    Ok(flags)
}

/// A port that is left out is the service's, which must have been typed before, as must the
/// protocol of a port's name. Port 0 has the same meaning in the end.
pub(super) fn real_server(line: &mut Line, text: &str, names: &dyn Names) -> Result<(), Failure> {
    let protocol = line.service.map(Target::protocol);
    let Some(Place { ip, port }) = values::place(text, protocol, names) else {
        return Err(Failure::usage(
            "illegal real server address[:port] specified",
        ));
    };
    let port = port.unwrap_or_else(|| line.service.map_or(0, Target::port));
    line.server = Some(Server { ip, port });
    Ok(())
}

pub(super) fn masquerading(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.method = Method::Masq;
    Ok(())
}

pub(super) fn full_nat(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.method = Method::FullNat;
    Ok(())
}

pub(super) fn auto(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.method = Method::Auto;
    Ok(())
}

pub(super) fn gatewaying(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.method = Method::Route;
    Ok(())
}

pub(super) fn tunneling(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.method = Method::Tunnel;
    Ok(())
}

pub(super) fn weight(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    line.weight = check_number(text, 0..=MAX_WEIGHT, "weight")?;
    Ok(())
}

pub(super) fn u_threshold(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    line.upper_threshold = check_number(text, 0..=MAX_WEIGHT, "u_threshold")?;
    Ok(())
}

pub(super) fn l_threshold(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    line.lower_threshold = check_number(text, 0..=MAX_WEIGHT, "l_threshold")?;
    Ok(())
}

pub(super) fn tun_type(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    let kinds = [Tunnel::Ipip, Tunnel::Gue, Tunnel::Gre];
    let Some(&kind) = kinds.iter().find(|kind| kind.name() == text) else {
        return Err(Failure::usage("illegal tunnel type specified"));
    };
    line.tunnel = kind;
    Ok(())
}

pub(super) fn tun_port(line: &mut Line, text: &str, _: &dyn Names) -> Result<(), Failure> {
    line.tunnel_port = check_number(text, 1..=65_535, "tunnel port")? as u16;
    Ok(())
}

pub(super) fn no_checksum(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.checksum = TunnelChecksum::None;
    Ok(())
}

pub(super) fn checksum(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.checksum = TunnelChecksum::Full;
    Ok(())
}

pub(super) fn remote_checksum(line: &mut Line, _: &str, _: &dyn Names) -> Result<(), Failure> {
    line.checksum = TunnelChecksum::Remote;
    Ok(())
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
