//! How `ipvsadm` shows tables.

use std::{fmt::Write as _, net::SocketAddr};

use ferrovs_tests::ipvs::{
    Conn, Dest, Forwarding, Ipvs, Key, Persistence, Protocol, SECOND, Service, Stats,
};

/// What of the servers is shown.
#[derive(Clone, Copy)]
pub(crate) enum View {
    Plain,
    Persistent,
    Stats,
    Thresholds,
}

/// What stands above a list of services.
pub(crate) const VERSION: &str = "IP Virtual Server version 1.2.1 (size=4096)";

impl View {
    /// The titles.
    pub(crate) const fn titles(self) -> [&'static str; 2] {
        match self {
            Self::Plain => [
                "Prot LocalAddress:Port Scheduler Flags",
                "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
            ],
            Self::Persistent => [
                "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn ",
                "  -> RemoteAddress:Port",
            ],
            Self::Stats => [
                "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
                "  -> RemoteAddress:Port",
            ],
            Self::Thresholds => [
                "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ",
                "  -> RemoteAddress:Port",
            ],
        }
    }
}

pub(crate) fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Ip => "IP",
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::Sctp => "SCTP",
    }
}

/// A service and its servers, in the order of their addresses.
pub(crate) fn service(ipvs: &Ipvs, key: &Key, view: View) -> Vec<String> {
    let service = ipvs.service(key).unwrap();
    let mut servers = ipvs.servers(key);
    servers.sort_by_key(|dest| dest.server.address);
    let head = match view {
        View::Stats => stats(&name(key), service.stats),
        _ => format!("{} {}", name(key), settings(service)),
    };
    let rows = servers.into_iter().map(|dest| server(dest, view));
    std::iter::once(head).chain(rows).collect()
}

fn name(key: &Key) -> String {
    match key {
        Key::Address(of, address) => format!("{:<4} {address}", protocol(*of)),
        Key::Mark { mark, .. } => format!("FWM  {mark}"),
    }
}

fn settings(service: &Service) -> String {
    let mut text = service.settings.scheduler.to_owned();
    if let Some(Persistence { timeout, netmask }) = service.settings.persistence {
        write!(text, " persistent {timeout}").unwrap();
        if netmask != u32::MAX {
            let mask = std::net::Ipv4Addr::from_bits(netmask);
            write!(text, " mask {mask}").unwrap();
        }
    }
    if service.settings.one_packet {
        text.push_str(" ops");
    }
    text
}

fn server(dest: &Dest, view: View) -> String {
    let Dest {
        server,
        active,
        inactive,
        persistent,
        ..
    } = dest;
    let (weight, upper, lower) = (server.weight, server.upper, server.lower);
    let address = format!("  -> {:<28}", server.address.to_string());
    match view {
        View::Plain => {
            let way = match server.forwarding {
                Forwarding::Masq => "Masq",
                Forwarding::Route => "Route",
                Forwarding::Tunnel => "Tunnel",
            };
            format!("{address} {way:<7} {weight:<6} {active:<10} {inactive:<10}")
        }
        View::Persistent => {
            format!("{address} {weight:<9} {persistent:<11} {active:<10} {inactive:<10}")
        }
        View::Stats => stats(&address, dest.stats),
        View::Thresholds => {
            format!("{address} {upper:<10} {lower:<10} {active:<10} {inactive:<10}")
        }
    }
}

fn stats(name: &str, stats: Stats) -> String {
    let Stats {
        conns,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
    } = stats;
    format!("{name:<33}{conns:>9}{in_packets:>9}{out_packets:>9}{in_bytes:>9}{out_bytes:>9}")
}

/// A line of the list of connections, taken apart.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Row {
    pub(crate) protocol: String,
    pub(crate) state: String,
    pub(crate) client: SocketAddr,
    pub(crate) virtual_: SocketAddr,
    pub(crate) server: SocketAddr,
    /// Seconds.
    pub(crate) expires: u64,
}

impl Row {
    pub(crate) fn of(conn: &Conn, now: u64) -> Self {
        let state = match (conn.is_template, conn.is_assured) {
            (true, true) => "ASSURED".to_owned(),
            (true, false) => "NONE".to_owned(),
            (false, _) => conn.state.to_string(),
        };
        Self {
            protocol: protocol(conn.protocol).to_owned(),
            state,
            client: conn.client,
            virtual_: conn.virtual_,
            server: conn.server,
            expires: (conn.expires - now) / SECOND,
        }
    }

    pub(crate) fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [protocol, expires, state, client, virtual_, server] = words[..] else {
            panic!("no connection: {line}");
        };
        let (minutes, seconds) = expires.split_once(':').unwrap();
        let number = |text: &str| text.parse::<u64>().unwrap();
        Self {
            protocol: protocol.to_owned(),
            state: state.to_owned(),
            client: client.parse().unwrap(),
            virtual_: virtual_.parse().unwrap(),
            server: server.parse().unwrap(),
            expires: number(minutes) * 60 + number(seconds),
        }
    }
}
