//! What the model and the core call by different names.

use std::net::SocketAddr;

use ferrovs_model::{
    Destination, Encapsulation, Netmask, SchedulerFlags, ServiceKey, ServiceSettings,
    publish::Figures,
};
use ferrovs_tests::ipvs::{
    Conn, Forwarding, Key, Persistence, Protocol, Refusal, Server, Settings, Stats,
};

use crate::plane::{Listed, call_id};

pub(crate) fn wanted(settings: &Settings, ipv6: bool) -> ServiceSettings {
    let mut flags = SchedulerFlags::NONE;
    if settings.flags.fallback {
        flags = flags | SchedulerFlags::FALLBACK;
    }
    if settings.flags.port {
        flags = flags | SchedulerFlags::PORT;
    }
    let persistence = |persistence: Persistence| ferrovs_model::Persistence {
        timeout: persistence.timeout as u32,
        netmask: if ipv6 {
            Netmask::V6(persistence.netmask as u8)
        } else {
            Netmask::V4(persistence.netmask.into())
        },
    };
    ServiceSettings {
        scheduler_flags: flags,
        persistence: settings.persistence.map(persistence),
        persistence_engine: settings.sip.then(|| "sip".to_owned()),
        one_packet: settings.one_packet,
        ..ServiceSettings::new(settings.scheduler)
    }
}

pub(crate) fn destination(server: &Server) -> Destination {
    Destination {
        forwarding: match server.forwarding {
            Forwarding::Masq => ferrovs_model::Forwarding::Masq,
            Forwarding::Route => ferrovs_model::Forwarding::Route,
            Forwarding::Tunnel => ferrovs_model::Forwarding::Tunnel(Encapsulation::Ipip),
        },
        weight: server.weight,
        upper_threshold: server.upper,
        lower_threshold: server.lower,
        ..Destination::masq(server.address)
    }
}

pub(crate) fn key(key: &ServiceKey) -> Key {
    match *key {
        ServiceKey::Address { protocol, address } => {
            let protocol = match protocol {
                ferrovs_model::Protocol::Udp => Protocol::Udp,
                ferrovs_model::Protocol::Sctp => Protocol::Sctp,
                ferrovs_model::Protocol::Tcp => Protocol::Tcp,
            };
            Key::Address(protocol, address)
        }
        ServiceKey::Mark { mark, ipv6 } => Key::Mark { mark, ipv6 },
    }
}

pub(crate) fn refusal(refusal: ferrovs_model::Refusal) -> Refusal {
    use ferrovs_model::Refusal as Core;
    match refusal {
        Core::ServiceExists => Refusal::ServiceExists,
        Core::NoSuchService | Core::ServiceNotDefined => Refusal::NoSuchService,
        Core::DestinationExists => Refusal::DestinationExists,
        Core::NoSuchDestination => Refusal::NoSuchDestination,
        Core::OutOfRange => Refusal::OutOfRange,
        other => panic!("{other}"),
    }
}

pub(crate) fn figures(stats: Stats) -> Figures {
    Figures {
        conns: stats.conns,
        in_packets: stats.in_packets,
        in_bytes: stats.in_bytes,
        out_packets: stats.out_packets,
        out_bytes: stats.out_bytes,
    }
}

pub(crate) fn listed(conn: &Conn) -> Listed {
    let protocol = match conn.protocol {
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
        Protocol::Tcp => 6,
        Protocol::Ip => 0,
    };
    Listed {
        protocol,
        client: conn.client,
        virtual_: conn.virtual_,
        // Whatever port a template shows.
        server: if conn.is_template {
            SocketAddr::new(conn.server.ip(), 0)
        } else {
            conn.server
        },
        state: conn.state.to_string(),
        is_template: conn.is_template,
        call_id: conn.call.map(call_id).unwrap_or_default(),
    }
}
