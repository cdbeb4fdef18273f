//! Clients that are kept with their servers.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::state::{SYN_RECV, UDP};
use ferrovs_model::{Change, Netmask, Persistence, Protocol, ServiceSettings, Sysctl};

use super::departures::sysctl;
use super::services::{add, delete};
use super::{FIRST, SECOND, client, from_client, from_server};
use crate::{
    case::{Case, Expect, case, forwarded, refused},
    packet::{ACK, SYN, Transport, at},
    world::{DNS, HTTP, RIP_141, RIP_143, VIP, key, masq},
};

/// A client in the VIP's network.
fn host(last: u8, port: u16) -> SocketAddrV4 {
    let [a, b, c, _] = VIP.octets();
    at(Ipv4Addr::new(a, b, c, last), port)
}

fn persistent(scheduler: &str, mask: Ipv4Addr) -> Change {
    Change::EditService {
        service: key(Protocol::Tcp, HTTP),
        settings: ServiceSettings {
            persistence: Some(Persistence {
                timeout: 360,
                netmask: Netmask::V4(mask),
            }),
            ..ServiceSettings::new(scheduler)
        },
    }
}

fn weigh(server: SocketAddrV4, weight: u32) -> Change {
    Change::EditDestination {
        service: key(Protocol::Tcp, HTTP),
        destination: masq(server, weight),
    }
}

fn opens(server: SocketAddrV4) -> Expect {
    forwarded().opens(server, SYN_RECV)
}

/// A SYN opens a flow by a template that there is.
fn follows(case: Case, client: SocketAddrV4, server: SocketAddrV4) -> Case {
    case.front(from_client(client, HTTP, SYN), opens(server))
}

/// A SYN opens a flow and makes a template.
fn begins(case: Case, client: SocketAddrV4, server: SocketAddrV4) -> Case {
    case.front(from_client(client, HTTP, SYN), opens(server).keeps(server))
}

pub(super) fn cases() -> Vec<Case> {
    let single = || persistent("rr", Ipv4Addr::BROADCAST);
    let kept = |name| {
        let case = case(name).change(single());
        let case = begins(case, host(60, 1), FIRST);
        follows(follows(case, host(60, 2), FIRST), host(60, 3), FIRST)
    };
    let others = begins(
        kept("a client stays with its server, the next one gets the next"),
        host(61, 1),
        SECOND,
    );
    let netmask = case("clients of one network stay together")
        .change(persistent("rr", Ipv4Addr::new(255, 255, 255, 0)));
    let netmask = follows(begins(netmask, host(60, 1), FIRST), host(61, 1), FIRST);
    let resting = kept("a server of weight 0 keeps its clients with expire_quiescent_template = 0")
        .change(sysctl(Sysctl::ExpireQuiescentTemplate, 0))
        .change(weigh(FIRST, 0));
    let resting = begins(follows(resting, host(60, 4), FIRST), host(62, 1), SECOND);
    let emptied = kept("a server of weight 0 loses its clients with expire_quiescent_template = 1")
        .change(weigh(FIRST, 0));
    let emptied = follows(begins(emptied, host(60, 4), SECOND), host(60, 5), SECOND);
    let gone = kept("a client of a deleted server gets another one").change(delete(FIRST));
    let gone = begins(gone, host(60, 4), SECOND).change(add(FIRST));
    let gone = follows(gone, host(60, 5), SECOND);
    let hashed = case("who is kept does not ask the scheduler")
        .change(persistent("sh", Ipv4Addr::BROADCAST));
    let hashed = begins(hashed, host(60, 1), FIRST).change(weigh(SECOND, 9));
    vec![
        others,
        netmask,
        resting,
        emptied,
        gone,
        follows(hashed, host(60, 2), FIRST),
        kept("a template is not a flow")
            .front(from_client(host(60, 0), HTTP, SYN), opens(FIRST))
            .back(from_server(FIRST, host(60, 1), SYN | ACK), forwarded()),
        case("nobody is kept where nobody is")
            .change(single())
            .change(weigh(FIRST, 0))
            .change(weigh(SECOND, 0))
            .front(from_client(client(1), HTTP, SYN), refused()),
        datagrams(),
    ]
}

fn datagrams() -> Case {
    let dns = |server| at(server, 53);
    let from = |last| {
        from_client(host(last, 4000), DNS, 0)
            .with(|packet| packet.transport = Transport::Udp { checksum: true })
    };
    let again = |last| {
        from_client(host(last, 4001), DNS, 0)
            .with(|packet| packet.transport = Transport::Udp { checksum: true })
    };
    let settings = ServiceSettings {
        persistence: Some(Persistence {
            timeout: 360,
            netmask: Netmask::V4(Ipv4Addr::BROADCAST),
        }),
        ..ServiceSettings::new("rr")
    };
    case("who asks by UDP stays with a server")
        .change(Change::EditService {
            service: key(Protocol::Udp, DNS),
            settings,
        })
        .front(
            from(60),
            forwarded().opens(dns(RIP_143), UDP).keeps(dns(RIP_143)),
        )
        .front(
            from(61),
            forwarded().opens(dns(RIP_141), UDP).keeps(dns(RIP_141)),
        )
        .front(again(60), forwarded().opens(dns(RIP_143), UDP))
        .front(again(61), forwarded().opens(dns(RIP_141), UDP))
}
