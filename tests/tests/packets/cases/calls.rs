//! Calls that are kept with their servers, by the Call-ID of SIP.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use ferrovs_core::abi::{
    reason::Reason,
    state::{ONE_PACKET, UDP},
};
use ferrovs_model::{Change, Netmask, Persistence, Protocol, ServiceSettings};

use super::{from_client, from_server};
use crate::{
    case::{Case, Expect, case, dropped, forwarded, passed, refused},
    packet::{Link, Packet, SYN, Transport, at},
    world::{DNS, FRONT_MAC, HTTP, RIP_141, RIP_143, UNROUTED_CLIENT, VIP, key, mac_of, masq},
};

const FIRST: SocketAddrV4 = SocketAddrV4::new(RIP_143, 53);
const SECOND: SocketAddrV4 = SocketAddrV4::new(RIP_141, 53);

/// A client in the VIP's network.
fn host(last: u8, port: u16) -> SocketAddrV4 {
    let [a, b, c, _] = VIP.octets();
    at(Ipv4Addr::new(a, b, c, last), port)
}

/// A datagram from that client.
fn datagram(client: SocketAddrV4, text: &str) -> Packet {
    from_client(client, DNS, 0).with(|packet| {
        packet.transport = Transport::Udp { checksum: true };
        packet.payload = text.as_bytes().to_vec();
    })
}

/// A message with these lines among its headers.
fn message(lines: &str) -> String {
    format!(
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP pc33;branch=z9hG4bK7\r\n{lines}\
         \r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What the client says in this call.
fn says(client: SocketAddrV4, call_id: &str) -> Packet {
    datagram(client, &message(&format!("Call-ID: {call_id}")))
}

fn settings(mask: Ipv4Addr, one_packet: bool) -> ServiceSettings {
    ServiceSettings {
        persistence: Some(Persistence {
            timeout: 360,
            netmask: Netmask::V4(mask),
        }),
        persistence_engine: Some("sip".to_owned()),
        one_packet,
        ..ServiceSettings::new("rr")
    }
}

fn edited(settings: ServiceSettings) -> Change {
    Change::EditService {
        service: key(Protocol::Udp, DNS),
        settings,
    }
}

/// A case whose service keeps calls.
fn calls(name: &'static str) -> Case {
    case(name).change(edited(settings(Ipv4Addr::BROADCAST, false)))
}

/// The same, datagram by datagram.
fn alone(name: &'static str) -> Case {
    case(name).change(edited(settings(Ipv4Addr::BROADCAST, true)))
}

fn opens(server: SocketAddrV4) -> Expect {
    forwarded().opens(server, UDP)
}

fn to(server: SocketAddrV4) -> Expect {
    forwarded().alone(server)
}

fn weigh(server: SocketAddrV4, weight: u32) -> Change {
    Change::EditDestination {
        service: key(Protocol::Udp, DNS),
        destination: masq(server, weight),
    }
}

pub(super) fn cases() -> Vec<Case> {
    [
        kept(),
        by_themselves(),
        made_by_servers(),
        read(),
        not_read(),
    ]
    .concat()
}

fn kept() -> Vec<Case> {
    let persistent = ServiceSettings {
        persistence_engine: None,
        ..settings(Ipv4Addr::BROADCAST, false)
    };
    vec![
        calls("each call of a client stays with a server")
            .front(
                says(host(60, 1), "one@a"),
                opens(FIRST).keeps_call(FIRST, "one@a"),
            )
            .front(
                says(host(60, 2), "two@a"),
                opens(SECOND).keeps_call(SECOND, "two@a"),
            )
            .front(says(host(60, 3), "one@a"), opens(FIRST))
            .front(says(host(60, 4), "two@a"), opens(SECOND))
            .front(
                says(host(60, 5), "ONE@a"),
                opens(FIRST).keeps_call(FIRST, "ONE@a"),
            )
            .front(says(host(60, 6), "one@a"), opens(FIRST))
            .front(says(host(60, 7), "two@a"), opens(SECOND)),
        calls("one Call-ID of two clients is two calls")
            .front(
                says(host(60, 1), "one@a"),
                opens(FIRST).keeps_call(FIRST, "one@a"),
            )
            .front(
                says(host(61, 1), "one@a"),
                opens(SECOND).keeps_call(SECOND, "one@a"),
            )
            .front(says(host(60, 2), "one@a"), opens(FIRST))
            .front(says(host(61, 2), "one@a"), opens(SECOND)),
        case("one Call-ID of one network's clients is one call")
            .change(edited(settings(Ipv4Addr::new(255, 255, 255, 0), false)))
            .front(
                says(host(60, 1), "one@a"),
                opens(FIRST).keeps_call(FIRST, "one@a"),
            )
            .front(says(host(61, 1), "one@a"), opens(FIRST))
            .front(
                says(host(61, 2), "two@a"),
                opens(SECOND).keeps_call(SECOND, "two@a"),
            )
            .front(says(host(60, 2), "two@a"), opens(SECOND)),
        calls("a flow goes on whatever its datagrams are of")
            .front(
                says(host(60, 1), "one@a"),
                opens(FIRST).keeps_call(FIRST, "one@a"),
            )
            .front(
                says(host(60, 2), "two@a"),
                opens(SECOND).keeps_call(SECOND, "two@a"),
            )
            .front(says(host(60, 1), "two@a"), forwarded())
            .front(datagram(host(60, 1), "\r\n\r\n"), forwarded())
            .back(answer(FIRST, host(60, 1)), forwarded()),
        calls("a call whose server rests gets another one")
            .front(
                says(host(60, 1), "one@a"),
                opens(FIRST).keeps_call(FIRST, "one@a"),
            )
            .change(weigh(FIRST, 0))
            .front(says(host(60, 2), "one@a"), opens(SECOND).keeps(SECOND))
            .change(weigh(FIRST, 1))
            .front(says(host(60, 3), "one@a"), opens(SECOND)),
        calls("without a usable server the sender is told so")
            .change(weigh(FIRST, 0))
            .change(weigh(SECOND, 0))
            .front(says(host(60, 1), "one@a"), refused())
            .front(datagram(host(60, 1), "x"), dropped(Reason::NoCallId)),
        calls("clients are kept again when the engine is taken away")
            .front(
                says(host(60, 1), "one@a"),
                opens(FIRST).keeps_call(FIRST, "one@a"),
            )
            .change(edited(persistent))
            .front(says(host(60, 2), "one@a"), opens(SECOND).keeps(SECOND))
            .front(says(host(60, 3), "two@a"), opens(SECOND))
            .change(edited(settings(Ipv4Addr::BROADCAST, false)))
            .front(says(host(60, 4), "one@a"), opens(FIRST)),
        case("a service of another protocol has no calls")
            .change(Change::EditService {
                service: key(Protocol::Tcp, HTTP),
                settings: settings(Ipv4Addr::BROADCAST, false),
            })
            .front(
                from_client(host(60, 1), HTTP, SYN),
                dropped(Reason::NoCallId),
            ),
    ]
}

fn answer(server: SocketAddrV4, client: SocketAddrV4) -> Packet {
    calls_out(server, client, "SIP/2.0 200 OK\r\n\r\n")
}

fn by_themselves() -> Vec<Case> {
    let client = host(60, 5060);
    vec![
        alone("each datagram by itself goes to the server of its call")
            .front(says(client, "one@a"), to(FIRST).keeps_call(FIRST, "one@a"))
            .front(
                says(client, "two@a"),
                to(SECOND).keeps_call(SECOND, "two@a"),
            )
            .front(says(client, "one@a"), to(FIRST))
            .front(says(client, "one@a"), to(FIRST))
            .front(says(client, "two@a"), to(SECOND))
            .back(answer(SECOND, client), forwarded())
            .back(answer(FIRST, client), forwarded())
            .front(
                says(client, "three@a"),
                to(FIRST).keeps_call(FIRST, "three@a"),
            )
            .front(says(client, "two@a"), to(SECOND)),
        alone("a datagram by itself without a Call-ID is dropped")
            .front(says(client, "one@a"), to(FIRST).keeps_call(FIRST, "one@a"))
            .front(
                datagram(client, "\r\n\r\n"),
                dropped(Reason::NoCallId).deferred(),
            )
            .front(datagram(client, ""), dropped(Reason::NoCallId).deferred())
            .back(answer(FIRST, client), forwarded()),
        alone("a deleted server's calls go on elsewhere")
            .front(says(client, "one@a"), to(FIRST).keeps_call(FIRST, "one@a"))
            .change(Change::DeleteDestination {
                service: key(Protocol::Udp, DNS),
                address: SocketAddr::V4(FIRST),
            })
            .front(says(client, "one@a"), to(SECOND).keeps(SECOND))
            .back(answer(FIRST, client), forwarded())
            .back(answer(SECOND, client), forwarded()),
    ]
}

/// What a server says to somebody on its own account.
fn calls_out(server: SocketAddrV4, client: SocketAddrV4, text: &str) -> Packet {
    from_server(server, client, 0).with(|packet| {
        packet.transport = Transport::Udp { checksum: true };
        packet.payload = text.as_bytes().to_vec();
    })
}

fn made_by_servers() -> Vec<Case> {
    let client = host(60, 5060);
    let out = || message("Call-ID: out@a");
    let first = |state| forwarded().calls_out(DNS, FIRST, state);
    let second = |state| forwarded().calls_out(DNS, SECOND, state);
    let without_persistence = ServiceSettings {
        persistence: None,
        ..settings(Ipv4Addr::BROADCAST, false)
    };
    let without_engine = ServiceSettings {
        persistence_engine: None,
        ..settings(Ipv4Addr::BROADCAST, false)
    };
    vec![
        calls("a call that a server makes comes from the virtual address and stays with it")
            .back(
                calls_out(SECOND, client, &out()),
                second(UDP).keeps_call(SECOND, "out@a"),
            )
            .front(says(client, "x@a"), forwarded())
            .back(calls_out(SECOND, client, "x"), forwarded())
            .front(says(host(60, 7), "out@a"), opens(SECOND))
            .front(
                says(host(60, 8), "y@a"),
                opens(FIRST).keeps_call(FIRST, "y@a"),
            ),
        alone("a server calls datagram by datagram")
            .back(
                calls_out(SECOND, client, &out()),
                second(ONE_PACKET).keeps_call(SECOND, "out@a"),
            )
            .back(calls_out(SECOND, client, "x"), forwarded())
            .front(says(client, "out@a"), to(SECOND))
            .front(says(client, "y@a"), to(FIRST).keeps_call(FIRST, "y@a"))
            .front(says(client, "out@a"), to(SECOND)),
        alone("a call goes over to the server that makes it")
            .front(says(client, "out@a"), to(FIRST).keeps_call(FIRST, "out@a"))
            .back(
                calls_out(SECOND, client, &out()),
                second(ONE_PACKET).keeps(SECOND),
            )
            .front(says(client, "out@a"), to(SECOND))
            .back(calls_out(FIRST, client, &out()), forwarded())
            .front(says(client, "out@a"), to(SECOND)),
        calls("a server does not call whom another one has a connection with")
            .back(
                calls_out(FIRST, client, &out()),
                first(UDP).keeps_call(FIRST, "out@a"),
            )
            .back(
                calls_out(SECOND, client, &message("i: x@a")),
                passed().counts_for(DNS, SECOND).keeps_call(SECOND, "x@a"),
            ),
        calls("a server's datagram without a Call-ID is its own business")
            .back(calls_out(FIRST, client, "x"), passed())
            .back(calls_out(at(RIP_143, 5353), client, &out()), passed()),
        case("a server of a service without the engine makes no calls")
            .change(edited(without_engine))
            .back(calls_out(FIRST, client, &out()), passed()),
        case("where nobody is kept a server calls too")
            .change(edited(without_persistence))
            .back(calls_out(FIRST, client, "x"), first(UDP))
            .front(datagram(client, "x"), forwarded()),
        calls("a server that was taken away makes no calls any more")
            .change(Change::DeleteDestination {
                service: key(Protocol::Udp, DNS),
                address: SocketAddr::V4(FIRST),
            })
            .back(calls_out(FIRST, client, &out()), passed())
            .back(
                calls_out(SECOND, client, &out()),
                second(UDP).keeps_call(SECOND, "out@a"),
            ),
        calls("whom a server calls there must be a way to").back(
            calls_out(FIRST, at(UNROUTED_CLIENT, 5060), &out()),
            passed(),
        ),
    ]
}

/// Messages that have the same Call-ID.
fn read() -> Vec<Case> {
    let mut spellings = calls("a Call-ID has many spellings")
        .front(
            says(host(60, 1), "a1@b"),
            opens(FIRST).keeps_call(FIRST, "a1@b"),
        )
        .front(
            says(host(60, 2), "other"),
            opens(SECOND).keeps_call(SECOND, "other"),
        );
    let lines = [
        "call-id:a1@b",
        "CALL-ID \t: \t a1@b",
        "i: a1@b",
        "I:a1@b",
        "Call-ID:\r\n\ta1@b",
        "Subject: x\r\n Call-ID: other\r\nCall-ID: a1@b",
        "Call-ID: a1@b\r\nCall-ID: other",
        "X: \r\rCall-ID: a1@b",
        "X: \n\nCall-ID: a1@b",
    ];
    for (port, line) in (3..).zip(lines) {
        spellings = spellings.front(datagram(host(60, port), &message(line)), opens(FIRST));
    }
    let far = message(&format!("X: {}\r\nCall-ID: a1@b", "y".repeat(1200)));
    let longest = "x".repeat(255);
    vec![
        spellings,
        calls("a Call-ID lies at any distance")
            .front(
                datagram(host(60, 1), &far),
                opens(FIRST).keeps_call(FIRST, "a1@b"),
            )
            .front(datagram(host(60, 2), "\r\ni:a1@b\n"), opens(FIRST))
            .front(datagram(host(60, 3), "x\rI:a1@b\r"), opens(FIRST))
            .front(
                datagram(host(60, 4), &far).with(|packet| packet.padding = 9),
                opens(FIRST),
            ),
        calls("a Call-ID behind IPv4 options")
            .front(
                says(host(60, 1), "a1@b"),
                opens(FIRST).keeps_call(FIRST, "a1@b"),
            )
            .front(says(host(60, 2), "a1@b").options(40), opens(FIRST)),
        calls("a Call-ID behind an 802.1Q tag")
            .front(
                says(host(61, 1), "a1@b"),
                opens(FIRST).keeps_call(FIRST, "a1@b"),
            )
            .front(
                says(host(60, 1), "a1@b").with(|packet| {
                    packet.link = Link::Tagged {
                        destination: FRONT_MAC,
                        source: mac_of(*host(60, 1).ip()),
                        tag: 5,
                    };
                }),
                opens(SECOND).keeps_call(SECOND, "a1@b").resolved(),
            ),
        calls("the longest Call-ID")
            .front(
                says(host(60, 1), &longest),
                opens(FIRST).keeps_call(FIRST, &longest),
            )
            .front(
                says(host(60, 2), &longest[1..]),
                opens(SECOND).keeps_call(SECOND, &longest[1..]),
            )
            .front(says(host(60, 3), &longest), opens(FIRST)),
    ]
}

/// Messages that have none.
fn not_read() -> Vec<Case> {
    let mut none = calls("what is no Call-ID");
    let too_long = format!("Call-ID: {}", "x".repeat(256));
    let lines = [
        "",
        "Call-ID",
        "Call-ID:",
        "Call-ID: a@",
        "Call-ID: a b",
        "Call-ID: a;b",
        "Call-ID: a@b@c",
        "ii: a",
        "X: Call-ID: a",
        "X: y\r\n Call-ID: a",
        &too_long,
    ];
    for line in lines {
        none = none.front(
            datagram(host(60, 1), &message(line)),
            dropped(Reason::NoCallId),
        );
    }
    let cut = says(host(60, 1), "a1@b").payload_up_to("Call-ID: a1");
    vec![
        none,
        calls("a Call-ID that the datagram cuts off")
            .front(cut.clone(), dropped(Reason::NoCallId))
            .front(
                // What follows a datagram does not belong to it.
                cut.with(|packet| packet.padding = 6),
                dropped(Reason::NoCallId),
            ),
        calls("a first line is no header")
            .front(
                datagram(host(60, 1), "Call-ID: a\r\n\r\n"),
                dropped(Reason::NoCallId),
            )
            .front(datagram(host(60, 1), ""), dropped(Reason::NoCallId)),
        calls("a datagram that its frame cuts off is none of ours")
            .front(says(host(60, 1), "a1@b").cut(40), passed()),
        calls("a datagram whose frame ends before its Call-ID").front(
            says(host(60, 1), "a1@b").cut(100),
            dropped(Reason::NoCallId),
        ),
    ]
}

impl Packet {
    /// With no more of its payload than this.
    fn payload_up_to(mut self, text: &str) -> Self {
        let all = String::from_utf8(self.payload).unwrap();
        let end = all.find(text).unwrap() + text.len();
        self.payload = all.as_bytes()[..end].to_vec();
        self
    }
}
