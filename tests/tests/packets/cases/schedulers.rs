//! Which server takes the next flow. The sequences are those recorded from Linux 6.12, of connections that
//! are held open; the server that is called 145 here has another address.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::{reason::Reason, state::CLOSE};
use ferrovs_model::{Change, Protocol, ServiceSettings};

use super::{FIRST, SECOND, client, from_client, from_server, http_of};
use crate::{
    case::{Case, case, dropped, forwarded},
    packet::{RST, SYN},
    world::{HTTP, key, service},
};

/// The name of a case, the scheduler, the weights of 141, 143 and 145, which are added in this order, and
/// who takes what; 0: nobody.
type Row = (&'static str, &'static str, &'static [u32], &'static [u16]);

const HELD: &[Row] = &[
    ("lc 3/1", "lc", &[3, 1], &[143, 141, 143, 141]),
    ("lc 5/2/1", "lc", &[5, 2, 1], &[145, 143, 141, 145]),
    ("lc 1/0", "lc", &[1, 0], &[141, 141, 141]),
    ("wlc 1/1", "wlc", &[1, 1], &[143, 141, 143, 141]),
    (
        "wlc 3/1",
        "wlc",
        &[3, 1],
        &[143, 141, 141, 141, 143, 141, 141, 141],
    ),
    (
        "wlc 5/2/1",
        "wlc",
        &[5, 2, 1],
        &[145, 143, 141, 141, 141, 143, 141, 141],
    ),
    (
        "sed 3/1",
        "sed",
        &[3, 1],
        &[141, 141, 143, 141, 141, 141, 143, 141],
    ),
    (
        "sed 5/2/1",
        "sed",
        &[5, 2, 1],
        &[141, 141, 143, 141, 141, 145, 143, 141],
    ),
    (
        "nq 3/1",
        "nq",
        &[3, 1],
        &[143, 141, 141, 141, 141, 141, 143, 141],
    ),
    (
        "nq 5/2/1",
        "nq",
        &[5, 2, 1],
        &[145, 143, 141, 141, 141, 141, 143, 141],
    ),
    ("fo 1/1", "fo", &[1, 1], &[143, 143, 143]),
    ("fo 5/2/1", "fo", &[5, 2, 1], &[141, 141, 141]),
    ("ovf 1/1", "ovf", &[1, 1], &[143, 143, 141, 141, 0, 0]),
    (
        "ovf 3/1",
        "ovf",
        &[3, 1],
        &[141, 141, 141, 141, 143, 143, 0],
    ),
    ("none", "none", &[1, 1], &[0, 0]),
];

fn server(host: u16) -> SocketAddrV4 {
    match host {
        141 => SECOND,
        143 => FIRST,
        _ => http_of(Ipv4Addr::new(192, 168, 2, 254)),
    }
}

/// HTTP by this scheduler.
fn scheduled(name: &'static str, scheduler: &'static str, weights: &[u32]) -> Case {
    let hosts = [141, 143, 145].map(server);
    let servers: Vec<_> = hosts.into_iter().zip(weights.iter().copied()).collect();
    let mut http = service(Protocol::Tcp, HTTP, &servers);
    http.scheduler = scheduler;
    case(name).world(move |world| world.services = vec![http])
}

fn by(scheduler: &str) -> Change {
    Change::EditService {
        service: key(Protocol::Tcp, HTTP),
        settings: ServiceSettings::new(scheduler),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = HELD.iter().map(held).collect();
    let reset = || forwarded().state(CLOSE);
    cases.push(
        scheduled("lc counts flows that are over, a little", "lc", &[1, 1])
            .opened(client(1), HTTP, FIRST)
            .back(from_server(FIRST, client(1), RST), reset())
            .opened(client(2), HTTP, SECOND)
            .opened(client(3), HTTP, FIRST),
    );
    cases.push(
        scheduled("sed does not count flows that are over", "sed", &[1, 1])
            .opened(client(1), HTTP, FIRST)
            .back(from_server(FIRST, client(1), RST), reset())
            .opened(client(2), HTTP, FIRST)
            .opened(client(3), HTTP, SECOND),
    );
    cases.push(
        scheduled(
            "another scheduler begins at the head of the list",
            "rr",
            &[1, 1],
        )
        .opened(client(1), HTTP, FIRST)
        .change(by("wlc"))
        .opened(client(2), HTTP, SECOND)
        .opened(client(3), HTTP, FIRST)
        .change(by("rr"))
        .opened(client(4), HTTP, FIRST)
        .change(by("rr"))
        .opened(client(5), HTTP, SECOND),
    );
    cases
}

fn held(&(name, scheduler, weights, taken): &Row) -> Case {
    let mut case = scheduled(name, scheduler, weights);
    for (number, &host) in (1..).zip(taken) {
        case = match host {
            0 => {
                let syn = from_client(client(number), HTTP, SYN);
                case.front(syn, dropped(Reason::NoDestination))
            }
            host => case.opened(client(number), HTTP, server(host)),
        };
    }
    case
}
