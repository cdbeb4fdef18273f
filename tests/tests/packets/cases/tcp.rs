//! TCP connections: opening, each state, closing, opening anew, growing old. States are those of
//! `tcp_states` in ip_vs_proto_tcp.c.

use ferrovs_core::abi::{
    reason::Reason,
    state::{CLOSE, CLOSE_WAIT, ESTABLISHED, FIN_WAIT, SYN_RECV, TIME_WAIT},
};

use super::{
    ALICE, BOB, FIRST, SECOND, SERVER_NUMBER, alice, client, first, from_client, from_server,
};
use crate::{
    case::{Case, Step, case, forwarded, passed},
    packet::{ACK, FIN, RST, SYN, at},
    world::{FRONT_ROUTER, HTTP},
};

pub(super) fn cases() -> Vec<Case> {
    [opening(), closing(), reopening(), ageing()].concat()
}

fn opening() -> Vec<Case> {
    let fin = FIN | ACK;
    vec![
        case("a SYN opens a flow with the server that was added last").half_open(),
        case("connections go to the servers in turn")
            .opened(client(40_001), HTTP, FIRST)
            .opened(client(40_002), HTTP, SECOND)
            .opened(client(40_003), HTTP, FIRST)
            .opened(client(40_004), HTTP, SECOND),
        case("two clients with the same port have two flows")
            .opened(ALICE, HTTP, FIRST)
            .opened(at(FRONT_ROUTER, ALICE.port()), HTTP, SECOND)
            .back(first(SYN | ACK), forwarded())
            .back(
                from_server(SECOND, at(FRONT_ROUTER, ALICE.port()), SYN | ACK),
                forwarded(),
            ),
        case("a client may have port 0")
            .opened(client(0), HTTP, FIRST)
            .back(from_server(FIRST, client(0), SYN | ACK), forwarded()),
        case("a SYN again goes to the same server")
            .half_open()
            .front(alice(SYN), forwarded())
            .back(first(SYN | ACK), forwarded())
            .front(alice(SYN), forwarded()),
        case("the handshake makes it ESTABLISHED, then data both ways")
            .established()
            .front(alice(ACK).payload(120), forwarded())
            .back(first(ACK), forwarded())
            .back(first(ACK).payload(1400), forwarded())
            .front(alice(ACK), forwarded()),
        case("an acknowledgement before the server spoke makes it ESTABLISHED, unprotected")
            .half_open()
            .front(alice(ACK), forwarded().state(ESTABLISHED))
            .back(first(SYN | ACK), forwarded())
            .front(alice(ACK), forwarded().protects()),
        case("a guessed acknowledgement makes it ESTABLISHED, unprotected")
            .answered()
            .front(
                alice(ACK).acknowledging(SERVER_NUMBER),
                forwarded().state(ESTABLISHED),
            )
            .front(
                alice(ACK).acknowledging(SERVER_NUMBER + 1 + 65_536),
                forwarded(),
            )
            .front(
                alice(ACK).acknowledging(SERVER_NUMBER + 65_536),
                forwarded().protects(),
            ),
        case("a SYN+ACK of the client proves nothing")
            .answered()
            .front(alice(SYN | ACK), forwarded())
            .front(alice(fin), forwarded().state(TIME_WAIT).protects()),
        case("the server's numbers may wrap around")
            .half_open()
            .back(
                first(SYN | ACK).with(|packet| {
                    packet.transport = super::segment(SYN | ACK, u32::MAX, 1000);
                }),
                forwarded(),
            )
            .front(
                alice(ACK).acknowledging(0),
                forwarded().state(ESTABLISHED).protects(),
            ),
    ]
}

fn closing() -> Vec<Case> {
    let fin = FIN | ACK;
    vec![
        case("the server closes first")
            .established()
            .back(first(fin), forwarded().state(FIN_WAIT))
            .front(alice(ACK), forwarded())
            .front(alice(fin), forwarded().state(TIME_WAIT))
            .back(first(ACK), forwarded()),
        case("the client closes first")
            .established()
            .front(alice(fin), forwarded().state(CLOSE_WAIT))
            .back(first(ACK).payload(10), forwarded())
            .back(first(fin), forwarded().state(TIME_WAIT))
            .front(alice(ACK), forwarded()),
        case("a FIN is sent twice")
            .established()
            .front(alice(fin), forwarded().state(CLOSE_WAIT))
            .front(alice(fin), forwarded())
            .back(first(fin), forwarded().state(TIME_WAIT))
            .back(first(fin), forwarded()),
        case("the client closes before it has acknowledged anything")
            .half_open()
            .front(alice(FIN), forwarded().state(TIME_WAIT)),
        case("the client resets")
            .established()
            .front(alice(RST), forwarded().state(CLOSE))
            .back(first(ACK), forwarded()),
        case("the server resets")
            .established()
            .back(first(RST), forwarded().state(CLOSE))
            .front(alice(ACK), forwarded())
            .front(alice(RST), forwarded()),
        case("the server refuses with RST+ACK")
            .half_open()
            .back(first(RST | ACK), forwarded().state(CLOSE)),
        case("a reset by the client of a half-open connection changes nothing, as in IPVS")
            .half_open()
            .front(alice(RST), forwarded()),
        case("RST counts before FIN and SYN")
            .established()
            .back(first(RST | SYN | FIN | ACK), forwarded().state(CLOSE)),
        case("a reset in TIME_WAIT")
            .established()
            .back(first(fin), forwarded().state(FIN_WAIT))
            .front(alice(fin), forwarded().state(TIME_WAIT))
            .back(first(RST), forwarded())
            .front(alice(RST), forwarded().state(CLOSE)),
        case("a segment without flags changes nothing")
            .established()
            .front(alice(0), forwarded())
            .back(first(0), forwarded()),
    ]
}

fn reopening() -> Vec<Case> {
    let fin = FIN | ACK;
    let again = || forwarded().ends(ALICE).opens(SECOND, SYN_RECV);
    vec![
        case("a SYN in TIME_WAIT is scheduled anew")
            .established()
            .front(alice(fin), forwarded().state(CLOSE_WAIT))
            .back(first(fin), forwarded().state(TIME_WAIT))
            .front(alice(SYN), again())
            .back(from_server(SECOND, ALICE, SYN | ACK), forwarded())
            .front(alice(ACK), forwarded().state(ESTABLISHED).protects())
            .back(first(ACK), passed()),
        case("a SYN in CLOSE is scheduled anew")
            .half_open()
            .back(first(RST | ACK), forwarded().state(CLOSE))
            .front(alice(SYN), again()),
        case("a SYN+ACK in TIME_WAIT opens nothing")
            .established()
            .front(alice(fin), forwarded().state(CLOSE_WAIT))
            .back(first(fin), forwarded().state(TIME_WAIT))
            .front(alice(SYN | ACK), forwarded().state(SYN_RECV)),
        case("a SYN in an open connection goes to its server")
            .established()
            .front(alice(SYN), forwarded()),
        case("a SYN in FIN_WAIT goes to the same server")
            .established()
            .back(first(fin), forwarded().state(FIN_WAIT))
            .front(alice(SYN), forwarded().state(SYN_RECV)),
        case("a SYN in CLOSE_WAIT goes to the same server")
            .established()
            .front(alice(fin), forwarded().state(CLOSE_WAIT))
            .front(alice(SYN), forwarded().state(SYN_RECV)),
    ]
}

fn ageing() -> Vec<Case> {
    let no_flow = || passed().because(Reason::NoFlow);
    vec![
        case("an open connection is remembered for 900 s")
            .established()
            .seconds(890)
            .back(first(ACK).payload(1), forwarded())
            .seconds(890)
            .front(alice(ACK), forwarded()),
        case("an open connection is forgotten after 900 s")
            .established()
            .seconds(902)
            .front(alice(ACK), no_flow())
            .back(first(ACK), passed())
            .front(alice(RST), no_flow()),
        case("a half-open connection is forgotten after 60 s, and its SYN opens another")
            .half_open()
            .seconds(62)
            .back(first(SYN | ACK), passed())
            .front(alice(SYN), forwarded().ends(ALICE).opens(SECOND, SYN_RECV)),
        case("a reset connection is forgotten after 10 s")
            .established()
            .back(first(RST), forwarded().state(CLOSE))
            .seconds(8)
            .front(alice(ACK), forwarded())
            .seconds(12)
            .front(alice(ACK), no_flow()),
        case("the sweeper ends what is over")
            .established()
            .opened(BOB, HTTP, SECOND)
            .seconds(62)
            .step(Step::Sweep(vec![BOB]))
            .front(alice(ACK), forwarded())
            .front(from_client(BOB, HTTP, ACK), no_flow())
            .seconds(902)
            .step(Step::Sweep(vec![ALICE])),
        case("timeouts are those that the administrator set")
            .established()
            .change(ferrovs_model::Change::SetTimeouts {
                tcp: Some(20),
                tcp_fin: None,
                udp: None,
            })
            .seconds(22)
            .front(alice(ACK), no_flow()),
    ]
}
