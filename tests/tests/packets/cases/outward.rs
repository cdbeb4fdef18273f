//! Connections that servers make themselves, and the way out that they have (SNAT). IPv4.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{CLOSE, ESTABLISHED, SYN_RECV},
};
use ferrovs_model::{Change, PoolAddress, Snat};

use super::{ALICE, FIRST, SECOND, from_client, from_server};
use crate::{
    case::{Case, Expect, case, dropped, forwarded, passed},
    observe::NOWHERE,
    packet::{ACK, Packet, RST, SYN, at},
    world::{
        ASYMMETRIC_CLIENT, DIP, POOL, POOL_PORT, REMOTE_CLIENT, RIP_141, RIP_143, UNROUTED_CLIENT,
    },
};

/// A server as a client, and whom it calls.
const CALLER: SocketAddrV4 = SocketAddrV4::new(RIP_141, 50_000);
const CALLED: SocketAddrV4 = SocketAddrV4::new(REMOTE_CLIENT, 443);

fn snat(network: &str) -> Change {
    Change::SetSnat {
        snat: Some(Snat {
            from: vec![network.parse().unwrap()],
            to: vec![PoolAddress {
                address: DIP.into(),
                ports: Some((POOL_PORT, POOL_PORT)),
            }],
        }),
    }
}

fn with_way_out(name: &'static str) -> Case {
    case(name).change(snat("192.168.2.0/24"))
}

fn call(to: SocketAddrV4, flags: u8) -> Packet {
    from_server(CALLER, to, flags)
}

/// What one who was called answers to whom it sees.
fn answer(from: SocketAddrV4, flags: u8) -> Packet {
    from_client(from, POOL, flags)
}

fn opens(called: SocketAddrV4) -> Expect {
    forwarded()
        .opens(called, SYN_RECV)
        .leases()
        .counts_for(NOWHERE, NOWHERE)
}

pub(super) fn cases() -> Vec<Case> {
    let other = at(ASYMMETRIC_CLIENT, 443);
    vec![
        with_way_out("a server's own connection, there and back")
            .back(call(CALLED, SYN), opens(CALLED))
            .front(answer(CALLED, SYN | ACK), forwarded())
            .back(call(CALLED, ACK), forwarded().state(ESTABLISHED).protects())
            .back(call(CALLED, ACK).payload(1001), forwarded())
            .front(answer(CALLED, ACK).payload(1400), forwarded())
            .front(answer(CALLED, RST), forwarded().state(CLOSE)),
        with_way_out("two that call one socket, by a way out with one port")
            .back(call(CALLED, SYN), opens(CALLED))
            .back(
                from_server(at(RIP_143, 50_000), CALLED, SYN),
                dropped(Reason::PoolExhausted),
            )
            .back(call(other, SYN), opens(other))
            .front(answer(CALLED, SYN | ACK), forwarded()),
        with_way_out("a service beside the way out")
            .established()
            .back(call(CALLED, SYN), opens(CALLED))
            .front(super::alice(ACK), forwarded())
            .back(super::first(ACK), forwarded()),
        with_way_out("what needs no way out")
            // To another server, and to the director.
            .back(call(SECOND, SYN), passed())
            .back(call(at(DIP, 22), SYN), passed())
            // Where no route leads.
            .back(call(at(UNROUTED_CLIENT, 443), SYN), passed())
            // Of a connection that the kernel forwards.
            .back(call(CALLED, ACK), passed())
            .back(call(CALLED, SYN | ACK), passed())
            // From elsewhere.
            .front(from_client(ALICE, CALLED, SYN), passed())
            // To the director's address, but of no connection.
            .front(answer(CALLED, SYN | ACK), passed())
            .front(from_client(CALLED, at(DIP, POOL_PORT + 1), ACK), passed()),
        with_way_out("the way out is closed")
            .back(call(CALLED, SYN), opens(CALLED))
            .front(answer(CALLED, SYN | ACK), forwarded())
            .change(Change::SetSnat { snat: None })
            .back(call(CALLED, ACK), passed())
            .front(answer(CALLED, ACK), passed())
            .back(call(other, SYN), passed()),
        case("a way out for one server alone")
            .change(snat("192.168.2.141/32"))
            .back(call(CALLED, SYN), opens(CALLED))
            .back(from_server(at(RIP_143, 50_000), CALLED, SYN), passed())
            .back(
                from_server(FIRST, at(Ipv4Addr::new(203, 0, 113, 77), 7), ACK),
                passed(),
            ),
    ]
}
