//! Flows whose server goes or rests, and what else IPVS decides by sysctls.

use std::net::{SocketAddr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{CLOSE, ESTABLISHED, SYN_RECV, UDP},
};
use ferrovs_model::{Change, Protocol, Sysctl};

use super::services::{add, delete, http};
use super::{ALICE, BOB, FIRST, SECOND, alice, client, first, from_client, from_server};
use crate::{
    case::{Case, Step, case, dropped, forwarded, passed},
    packet::{ACK, FIN, RST, SYN, Transport, at},
    world::{DNS, HTTP, RIP_141, RIP_143, key, masq},
};

pub(super) fn cases() -> Vec<Case> {
    [departures(), endings(), modes()].concat()
}

/// Servers go while they have flows, with `expire_nodest_conn` = 0: as IPVS does unless told otherwise.
fn departures() -> Vec<Case> {
    let gone = || dropped(Reason::DestinationGone);
    let keeping = |name| case(name).change(sysctl(Sysctl::ExpireNodestConn, 0));
    vec![
        keeping("a deleted server hears no more of its flows, its clients still do; others go on")
            .established()
            .connected(BOB, HTTP, SECOND)
            .change(delete(FIRST))
            .front(alice(ACK), gone())
            .front(alice(FIN | ACK), gone())
            .back(first(ACK), forwarded())
            .front(alice(SYN), gone())
            .front(from_client(BOB, HTTP, ACK), forwarded())
            .back(from_server(SECOND, BOB, ACK), forwarded())
            .opened(client(3), HTTP, SECOND),
        keeping("a deleted server that comes back finds its flows again")
            .established()
            .change(delete(FIRST))
            .front(alice(ACK), gone())
            .change(add(FIRST))
            .front(alice(ACK), forwarded())
            .back(first(ACK), forwarded()),
        keeping("a deleted server's closed connection is opened anew elsewhere")
            .established()
            .back(first(RST), forwarded().state(CLOSE))
            .change(delete(FIRST))
            .front(alice(ACK), gone())
            .front(alice(SYN), forwarded().ends(ALICE).opens(SECOND, SYN_RECV)),
        keeping("a deleted service takes no new flows and drops what clients send on the old ones")
            .established()
            .change(Change::DeleteService { service: http() })
            .front(from_client(BOB, HTTP, SYN), passed())
            .front(
                from_client(BOB, HTTP, ACK),
                passed().because(Reason::NoFlow),
            )
            .front(alice(ACK), gone())
            .back(first(ACK), forwarded()),
        keeping("everything is cleared")
            .established()
            .change(Change::Clear)
            .front(from_client(BOB, HTTP, SYN), passed())
            .front(alice(ACK), passed())
            .seconds(902)
            .front(alice(ACK), passed())
            .step(Step::Sweep(vec![ALICE])),
    ]
}

/// Servers go while they have flows, and the flows with them: `expire_nodest_conn` = 1.
fn endings() -> Vec<Case> {
    let dns = |server| at(server, 53);
    let datagram = || {
        from_client(ALICE, DNS, 0)
            .with(|packet| packet.transport = Transport::Udp { checksum: true })
    };
    let rests = |server: SocketAddrV4| Change::EditDestination {
        service: http(),
        destination: masq(server, 0),
    };
    vec![
        case("a deleted server's connection ends with the client's next segment")
            .established()
            .change(delete(FIRST))
            .front(alice(ACK), passed().because(Reason::NoFlow).ends(ALICE))
            .back(first(ACK), passed())
            .opened(ALICE, HTTP, SECOND),
        case("a deleted server's UDP flow goes to another one")
            .front(datagram(), forwarded().opens(dns(RIP_143), UDP))
            .change(Change::DeleteDestination {
                service: key(Protocol::Udp, DNS),
                address: SocketAddr::V4(dns(RIP_143)),
            })
            .front(datagram(), forwarded().ends(ALICE).opens(dns(RIP_141), UDP))
            .front(datagram(), forwarded()),
        case("a first segment on a connection whose server rests is scheduled anew")
            .established()
            .change(rests(FIRST))
            .front(alice(ACK), forwarded())
            .front(alice(SYN), forwarded().ends(ALICE).opens(SECOND, SYN_RECV)),
        case("with expire_nodest_conn = 0 it goes to the server that rests")
            .change(sysctl(Sysctl::ExpireNodestConn, 0))
            .established()
            .change(rests(FIRST))
            .front(alice(SYN), forwarded()),
    ]
}

/// What else IPVS decides by sysctls.
fn modes() -> Vec<Case> {
    let closed = |case: Case| {
        case.established()
            .back(first(RST), forwarded().state(CLOSE))
    };
    vec![
        closed(case("a port that is used again goes to another server"))
            .front(alice(SYN), forwarded().ends(ALICE).opens(SECOND, SYN_RECV)),
        closed(
            case("with conn_reuse_mode = 0 it goes to the same")
                .change(sysctl(Sysctl::ConnReuseMode, 0)),
        )
        .front(alice(SYN), forwarded().state(SYN_RECV)),
        case("with sloppy_tcp = 1 any segment but a reset opens a flow")
            .change(sysctl(Sysctl::SloppyTcp, 1))
            .front(alice(RST), passed().because(Reason::NoFlow))
            .front(alice(ACK), forwarded().opens(FIRST, ESTABLISHED))
            .front(
                from_client(BOB, HTTP, FIN | ACK),
                forwarded().opens(SECOND, CLOSE),
            ),
    ]
}

pub(super) fn sysctl(name: Sysctl, value: u32) -> Change {
    Change::SetSysctl { name, value }
}
