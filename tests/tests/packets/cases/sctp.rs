//! SCTP: every state by every chunk in both directions, and a checksum that only ports change.
//!
//! The states to be come from the model of IPVS ([`Association`]), which tells its table.

use std::net::SocketAddrV4;

use ferrovs_core::abi::{
    reason::Reason,
    state::{
        SCTP_CLOSED, SCTP_COOKIE_REPLIED, SCTP_COOKIE_SENT, SCTP_ESTABLISHED, SCTP_INIT,
        SCTP_INIT1, SCTP_NONE, SCTP_REJECTED,
    },
};
use ferrovs_model::{Change, Protocol, Sysctl};
use ferrovs_tests::ipvs::sctp::{Association, chunk};

use super::{ALICE, BOB, client};
use crate::{
    case::{Case, Expect, Step, case, forwarded, passed},
    packet::{Link, Packet, Transport, at},
    world::{BACK_MAC, FRONT_MAC, RIP_141, RIP_143, VIP, World, mac_of, service},
};

/// The service whose servers have another port.
pub(super) const MOVED: SocketAddrV4 = SocketAddrV4::new(VIP, 5000);
pub(super) const FIRST: SocketAddrV4 = SocketAddrV4::new(RIP_143, 6000);
const SECOND: SocketAddrV4 = SocketAddrV4::new(RIP_141, 6000);
/// The service whose servers have its port.
const SAME: SocketAddrV4 = SocketAddrV4::new(VIP, 7000);
const SAME_FIRST: SocketAddrV4 = SocketAddrV4::new(RIP_143, 7000);

/// The server's tag, which its clients repeat.
const TAG: u32 = 0x5eed_0001;
/// A tag that nobody gave out.
const WRONG: u32 = 0x1234_5678;

/// Types of chunks: one of each row of the table, and some without a row.
const CHUNKS: [u8; 16] = [
    chunk::DATA,
    chunk::INIT,
    chunk::INIT_ACK,
    chunk::SACK,
    4,
    chunk::ABORT,
    chunk::SHUTDOWN,
    chunk::SHUTDOWN_ACK,
    chunk::ERROR,
    chunk::COOKIE_ECHO,
    chunk::COOKIE_ACK,
    12,
    13,
    chunk::SHUTDOWN_COMPLETE,
    15,
    0xc1,
];

pub(super) fn services(world: &mut World) {
    for (service_, ports) in [(MOVED, 6000), (SAME, 7000)] {
        let servers = [(at(RIP_141, ports), 1), (at(RIP_143, ports), 1)];
        world
            .services
            .push(service(Protocol::Sctp, service_, &servers));
    }
}

fn start(name: &'static str) -> Case {
    case(name).world(services)
}

fn packet(destination: [u8; 6], from: SocketAddrV4, to: SocketAddrV4, chunk: u8) -> Packet {
    let link = Link::Ethernet {
        destination,
        source: mac_of(*from.ip()),
    };
    let transport = Transport::Sctp {
        tag: WRONG,
        chunk,
        length: None,
        checksum: true,
    };
    Packet::new(link, from, to, transport).with(|packet| {
        if chunk == chunk::INIT || chunk == chunk::INIT_ACK {
            packet.payload = [&TAG.to_be_bytes()[..], &[0; 12]].concat();
        }
    })
}

/// A packet of a client that begins with this chunk, with a tag that nobody gave out.
pub(super) fn ask(client: SocketAddrV4, service: SocketAddrV4, chunk: u8) -> Packet {
    packet(FRONT_MAC, client, service, chunk)
}

/// A packet of a server.
pub(super) fn answer(server: SocketAddrV4, client: SocketAddrV4, chunk: u8) -> Packet {
    packet(BACK_MAC, server, client, chunk)
}

impl Packet {
    /// With this verification tag.
    fn tagged(mut self, number: u32) -> Self {
        if let Transport::Sctp { tag, .. } = &mut self.transport {
            *tag = number;
        }
        self
    }

    /// With its checksum left to the device.
    fn unfinished(mut self) -> Self {
        if let Transport::Sctp { checksum, .. } = &mut self.transport {
            *checksum = false;
        }
        self
    }

    /// With a value of so many bytes in its first chunk, and another chunk of this type behind it.
    fn bundled(mut self, value: usize, second: u8) -> Self {
        if let Transport::Sctp { length, .. } = &mut self.transport {
            *length = Some(4 + value as u16);
        }
        self = self.payload(value.next_multiple_of(4));
        self.payload.extend([second, 0, 0, 4]);
        self
    }
}

/// The number of a state in the tables.
fn number(state: Association) -> u8 {
    let place = Association::ALL.iter().position(|one| *one == state);
    SCTP_NONE + place.unwrap_or(0) as u8
}

/// Whether from the server, and the chunk.
type Said = (bool, u8);

/// The shortest way to each state from a client's first INIT on. No way leads back to [`Association::None`].
fn ways() -> Vec<(Association, Vec<Said>)> {
    let mut ways = vec![(Association::Init1, Vec::new())];
    let mut next = 0;
    while let Some((state, way)) = ways.get(next).cloned() {
        for said in [true, false]
            .into_iter()
            .flat_map(|from| CHUNKS.map(|chunk| (from, chunk)))
        {
            let reached = state.after(said.0, said.1);
            if ways.iter().all(|(known, _)| *known != reached) {
                ways.push((reached, [&way[..], &[said]].concat()));
            }
        }
        next += 1;
    }
    assert_eq!(ways.len(), Association::ALL.len() - 1);
    ways
}

impl Case {
    /// A client's INIT opens a flow.
    fn begun(self, client: SocketAddrV4, server: SocketAddrV4) -> Self {
        let opens = forwarded().opens(server, SCTP_INIT1);
        self.front(ask(client, MOVED, chunk::INIT), opens)
    }

    /// A packet of the client or the server, and what it makes of the flow.
    fn said(
        self,
        (from_server, chunk): Said,
        client: SocketAddrV4,
        server: SocketAddrV4,
        state: Association,
    ) -> Self {
        let expect = forwarded().state(number(state));
        if from_server {
            self.back(answer(server, client, chunk), expect)
        } else {
            self.front(ask(client, MOVED, chunk), expect)
        }
    }

    /// Alice and the first server agree on an association.
    fn associated(self) -> Self {
        self.begun(ALICE, FIRST)
            .back(
                answer(FIRST, ALICE, chunk::INIT_ACK),
                forwarded().state(SCTP_COOKIE_SENT),
            )
            .front(
                ask(ALICE, MOVED, chunk::COOKIE_ECHO)
                    .tagged(TAG)
                    .payload(200),
                forwarded().state(SCTP_COOKIE_REPLIED).protects(),
            )
            .back(
                answer(FIRST, ALICE, chunk::COOKIE_ACK),
                forwarded().state(SCTP_ESTABLISHED),
            )
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = ways().iter().map(every_chunk).collect();
    cases.extend(opening());
    cases.extend(bundles());
    cases.extend(protection());
    cases.extend(checksums());
    cases
}

/// In one state, every chunk in both directions, each with a client of its own.
fn every_chunk((state, way): &(Association, Vec<Said>)) -> Case {
    let mut case = start("");
    case.name = format!("SCTP: every chunk in the state {state}");
    let all = [true, false]
        .into_iter()
        .flat_map(|from| CHUNKS.map(|chunk| (from, chunk)));
    let opens_anew = (false, chunk::INIT);
    // That one is scheduled again, as another case shows.
    let all = all.filter(|said| *state != Association::Closed || *said != opens_anew);
    for (turn, last) in (0..).zip(all) {
        let client = client(41_000 + turn);
        let server = [FIRST, SECOND][usize::from(turn) % 2];
        let mut state = Association::Init1;
        case = case.begun(client, server);
        for &said in way.iter().chain([&last]) {
            state = state.after(said.0, said.1);
            case = case.said(said, client, server, state);
        }
    }
    case
}

fn opening() -> Vec<Case> {
    let no_flow = || passed().because(Reason::NoFlow);
    let mut closed = start("SCTP: only an INIT opens a flow");
    let mut sloppy =
        start("SCTP: with sloppy_sctp, all but an ABORT opens a flow").change(Change::SetSysctl {
            name: Sysctl::SloppySctp,
            value: 1,
        });
    let mut turn = 0;
    for chunk in CHUNKS {
        let client = client(42_000 + u16::from(chunk));
        if chunk != chunk::INIT {
            closed = closed
                .front(ask(client, MOVED, chunk), no_flow())
                .back(answer(FIRST, client, chunk), passed());
        }
        let expect = if chunk == chunk::ABORT {
            no_flow()
        } else {
            turn += 1;
            let state = Association::None.after(false, chunk);
            forwarded().opens([SECOND, FIRST][turn % 2], number(state))
        };
        sloppy = sloppy.front(ask(client, MOVED, chunk), expect);
    }
    let again = |case: Case| {
        case.front(
            ask(ALICE, MOVED, chunk::ABORT),
            forwarded().state(SCTP_CLOSED),
        )
    };
    vec![
        closed,
        sloppy,
        again(start("SCTP: an INIT after the end is scheduled anew").begun(ALICE, FIRST)).front(
            ask(ALICE, MOVED, chunk::INIT),
            forwarded().ends(ALICE).opens(SECOND, SCTP_INIT1),
        ),
        again(
            start("SCTP: with conn_reuse_mode 0 it goes on to the same server")
                .change(Change::SetSysctl {
                    name: Sysctl::ConnReuseMode,
                    value: 0,
                })
                .begun(ALICE, FIRST),
        )
        .front(ask(ALICE, MOVED, chunk::INIT), forwarded().state(SCTP_INIT)),
        start("SCTP: associations, connections and datagrams of one client socket are three flows")
            .half_open()
            .begun(ALICE, FIRST)
            .back(
                answer(FIRST, ALICE, chunk::INIT_ACK),
                forwarded().state(SCTP_COOKIE_SENT),
            ),
        start("SCTP: what is not answered is forgotten after 4 s, an association after 900 s")
            .begun(BOB, FIRST)
            .seconds(6)
            .step(Step::Sweep(vec![BOB]))
            .opened_by_alice()
            .seconds(890)
            .back(answer(SECOND, ALICE, chunk::SACK), forwarded())
            .seconds(902)
            .step(Step::Sweep(vec![ALICE])),
        start("SCTP: without a whole chunk's header it is the stack's")
            .associated()
            .front(
                ask(ALICE, MOVED, chunk::DATA).with(|packet| packet.total_length = Some(35)),
                passed(),
            )
            .front(ask(ALICE, MOVED, chunk::DATA).cut(14 + 20 + 13), passed())
            .front(ask(ALICE, MOVED, chunk::DATA).cut(14 + 20 + 7), passed()),
    ]
}

impl Case {
    /// Alice and the second server agree on an association.
    fn opened_by_alice(self) -> Self {
        let mut case = self.begun(ALICE, SECOND);
        let mut state = Association::Init1;
        for said in [
            (true, chunk::INIT_ACK),
            (false, chunk::COOKIE_ECHO),
            (true, chunk::COOKIE_ACK),
        ] {
            state = state.after(said.0, said.1);
            case = case.said(said, ALICE, SECOND, state);
        }
        case
    }
}

/// An ABORT behind a COOKIE ECHO or COOKIE ACK is seen, and nothing else behind anything else.
fn bundles() -> Vec<Case> {
    let begun = |name| start(name).begun(ALICE, FIRST);
    let echo = || ask(ALICE, MOVED, chunk::COOKIE_ECHO);
    let replied = || forwarded().state(SCTP_INIT);
    let mut far = start("SCTP: an ABORT is seen behind a cookie of any length");
    for (turn, value) in (0..).zip([0, 1, 2, 3, 4, 100, 101, 255, 1000, 1399]) {
        let client = client(43_000 + turn);
        let server = [FIRST, SECOND][usize::from(turn) % 2];
        let echo = ask(client, MOVED, chunk::COOKIE_ECHO);
        far = far.begun(client, server).front(
            echo.bundled(value, chunk::ABORT),
            forwarded().state(SCTP_CLOSED),
        );
    }
    vec![
        far,
        begun("SCTP: an ABORT behind a COOKIE ACK").back(
            answer(FIRST, ALICE, chunk::COOKIE_ACK).bundled(0, chunk::ABORT),
            forwarded().state(SCTP_REJECTED),
        ),
        begun("SCTP: DATA behind a COOKIE ECHO").front(echo().bundled(16, chunk::DATA), replied()),
        begun("SCTP: an ABORT behind DATA is not looked for").front(
            ask(ALICE, MOVED, chunk::DATA).bundled(16, chunk::ABORT),
            forwarded(),
        ),
        begun("SCTP: what Ethernet pads a cookie with is no chunk").front(
            echo().with(|packet| {
                packet.total_length = Some(36);
                packet.payload = vec![chunk::ABORT, 0, 0, 4];
                let crc_of_what_is_sent = Transport::Sctp {
                    tag: WRONG,
                    chunk: chunk::COOKIE_ECHO,
                    length: Some(4),
                    checksum: false,
                };
                packet.transport = crc_of_what_is_sent;
            }),
            replied().unfinished(),
        ),
        begun("SCTP: a chunk that says it is shorter than its header has none behind it").front(
            echo().bundled(0, chunk::ABORT).with(|packet| {
                if let Transport::Sctp { length, .. } = &mut packet.transport {
                    *length = Some(3);
                }
            }),
            replied(),
        ),
        begun("SCTP: a chunk that says it is longer than the packet has none behind it").front(
            echo().bundled(8, chunk::ABORT).with(|packet| {
                if let Transport::Sctp { length, .. } = &mut packet.transport {
                    *length = Some(u16::MAX);
                }
            }),
            replied(),
        ),
    ]
}

fn protection() -> Vec<Case> {
    let cookie_sent = |name| {
        start(name).begun(ALICE, FIRST).back(
            answer(FIRST, ALICE, chunk::INIT_ACK),
            forwarded().state(SCTP_COOKIE_SENT),
        )
    };
    let echo = || ask(ALICE, MOVED, chunk::COOKIE_ECHO);
    let replied = || forwarded().state(SCTP_COOKIE_REPLIED);
    vec![
        start("SCTP: the server's tag in a COOKIE ECHO protects").associated(),
        cookie_sent("SCTP: any chunk with the server's tag protects")
            .front(echo(), replied())
            .front(
                ask(ALICE, MOVED, chunk::SACK).tagged(TAG),
                forwarded().protects(),
            ),
        cookie_sent("SCTP: another tag, an ABORT, an INIT or the server itself do not")
            .front(echo().tagged(TAG - 1), replied())
            .front(ask(ALICE, MOVED, chunk::INIT).tagged(TAG), forwarded())
            .back(answer(FIRST, ALICE, chunk::DATA).tagged(TAG), forwarded())
            .front(
                ask(ALICE, MOVED, chunk::ABORT).tagged(TAG),
                forwarded().state(SCTP_CLOSED),
            ),
        start("SCTP: a tag before the server has given one out proves nothing")
            .begun(ALICE, FIRST)
            .front(echo().tagged(TAG), forwarded().state(SCTP_INIT))
            .front(echo().tagged(0), forwarded()),
    ]
}

fn checksums() -> Vec<Case> {
    let both = |case: Case, change: &dyn Fn(Packet) -> Packet, expect: &dyn Fn() -> Expect| {
        case.front(change(ask(ALICE, MOVED, chunk::DATA)), expect())
            .back(change(answer(FIRST, ALICE, chunk::DATA)), expect())
    };
    let mut sizes = start("SCTP: payloads of every size, odd ones too")
        .world(World::widen)
        .associated();
    for size in [0, 1, 2, 3, 4, 5, 16, 17, 511, 512, 1399, 1400, 1432, 3000] {
        sizes = both(sizes, &|packet| packet.payload(size), &forwarded);
    }
    let wrong = |packet: Packet| {
        packet
            .payload(64)
            .with(|packet| packet.transport_error = 0x4001)
    };
    let padded = |packet: Packet| packet.with(|packet| packet.padding = 10);
    vec![
        sizes,
        both(
            start("SCTP: what Ethernet pads a packet with is not in its checksum").associated(),
            &padded,
            &forwarded,
        ),
        both(
            start("SCTP: a wrong checksum stays wrong").associated(),
            &wrong,
            &forwarded,
        ),
        both(
            start("SCTP: a checksum that is left to the device stays so, and XDP leaves it to tc")
                .associated(),
            &|packet| packet.payload(100).unfinished(),
            &|| forwarded().unfinished(),
        ),
        start("SCTP: with the service's port at the server nothing changes in the packet")
            .front(
                ask(ALICE, SAME, chunk::INIT),
                forwarded().opens(SAME_FIRST, SCTP_INIT1),
            )
            .back(
                answer(SAME_FIRST, ALICE, chunk::INIT_ACK).payload(301),
                forwarded().state(SCTP_COOKIE_SENT),
            )
            .front(
                ask(ALICE, SAME, chunk::COOKIE_ECHO)
                    .payload(33)
                    .unfinished(),
                forwarded().state(SCTP_COOKIE_REPLIED).unfinished(),
            ),
        start("SCTP: IP options before the header")
            .associated()
            .front(
                ask(ALICE, MOVED, chunk::DATA).options(40).payload(77),
                forwarded(),
            )
            .back(
                answer(FIRST, ALICE, chunk::DATA).options(4).payload(78),
                forwarded(),
            ),
    ]
}
