//! Which server takes the next flow, of connections that are held open. The sequences of two and four servers
//! are lines of the recording b01-sched of the kernel's IPVS (Linux 6.12), those of three come from the table
//! in its README; the one that is called 145 here has another address there. Who hashes whom is from b02-hash.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::state::CLOSE;
use ferrovs_model::{Change, Protocol, SchedulerFlags, ServiceSettings};

use super::{FIRST, SECOND, client, from_client, from_server, http_of};
use crate::{
    case::{Case, case, forwarded, refused},
    packet::{ACK, RST, SYN, at},
    world::{HTTP, RIP_141, VIP, key, masq, service},
};

/// The scheduler and the weights of 141, 143 and 145, which are added in this order; who takes what; 0:
/// nobody.
type Row = (&'static str, &'static str);

const HELD: &[Row] = &[
    ("none 1/1", "0 0"),
    ("wrr 1/1", "143 141 143 141"),
    ("wrr 3/1", "143 141 141 141 143 141 141 141"),
    ("wrr 5/2/1", "145 143 141 141 141 141 143 141 145"),
    ("wrr 1/0", "141 141 141"),
    ("lc 3/1", "143 141 143 141"),
    ("lc 5/2/1", "145 143 141 145"),
    ("lc 1/0", "141 141 141"),
    ("wlc 1/1", "143 141 143 141"),
    ("wlc 3/1", "143 141 141 141 143 141 141 141"),
    ("wlc 5/2/1", "145 143 141 141 141 143 141 141"),
    ("sed 3/1", "141 141 143 141 141 141 143 141"),
    ("sed 5/2/1", "141 141 143 141 141 145 143 141"),
    ("nq 3/1", "143 141 141 141 141 141 143 141"),
    ("nq 5/2/1", "145 143 141 141 141 141 143 141"),
    ("fo 1/1", "143 143 143"),
    ("fo 5/2/1", "141 141 141"),
    ("ovf 1/1", "143 143 141 141 0 0"),
    ("mhb 1/1", "141 141 143 141 141 143 141 143 141 141"),
    ("mhb 1/0", "141 141 141"),
    ("mhb 0/0", "0"),
    ("lblc 1/1", "143 143 141 141 141 141 141 141"),
    ("lblc 3/1", "143 143 141 141 141 141 141 141"),
    ("lblc 1/0", "141 141 141"),
    ("lblcr 1/1", "143 143 141 141 141 143 141 143"),
    (
        "lblcr 3/1",
        "143 143 141 141 141 141 141 141 141 143 141 141 141 143",
    ),
    ("lblcr 1/0", "141 141 141"),
    ("ovf 3/1", "141 141 141 141 143 143 0"),
];

/// As [`HELD`], but each flow from the next address from .60 on.
const HASHED: &[Row] = &[
    ("sh 1/1", "143 143 141 141 141 141 141 143 143 143 143 141"),
    ("sh 3/1", "141 143 141 141 141 141 141 141 143 141 143 141"),
    ("mh 1/1", "141 141 143 143 143 143 143 141 143 141 141 141"),
    ("mh 3/1", "141 141 143 143 143 143 141 141 141 141 141 141"),
    ("dh 1/1", "141 141 141"),
    ("sh 0/0", "0"),
    ("mh 0/0", "0"),
];

fn server(host: u16) -> SocketAddrV4 {
    match host {
        141 => SECOND,
        143 => FIRST,
        _ => http_of(Ipv4Addr::new(192, 168, 2, 254)),
    }
}

/// HTTP by the scheduler and with the weights that begin the case's name.
pub(super) fn scheduled(name: &'static str) -> Case {
    let (scheduler, weights) = name.split_once(' ').unwrap();
    let weights = weights.split([' ', ',']).next().unwrap().split('/');
    let weights = weights.map(|weight| weight.parse().unwrap());
    let hosts = [141, 143, 145].map(server);
    let servers: Vec<_> = hosts.into_iter().zip(weights).collect();
    let mut http = service(Protocol::Tcp, HTTP, &servers);
    http.scheduler = scheduler;
    case(name).world(move |world| world.services = vec![http])
}

pub(super) fn by(scheduler: &str, scheduler_flags: SchedulerFlags) -> Change {
    Change::EditService {
        service: key(Protocol::Tcp, HTTP),
        settings: ServiceSettings {
            scheduler_flags,
            ..ServiceSettings::new(scheduler)
        },
    }
}

pub(super) fn cases() -> Vec<Case> {
    let of_one = |&(name, taken): &Row| taken_by(scheduled(name), taken, client);
    let mut cases: Vec<_> = HELD.iter().map(of_one).collect();
    cases.extend(
        HASHED
            .iter()
            .map(|&(name, taken)| taken_by(scheduled(name), taken, neighbour)),
    );
    let reset = || forwarded().state(CLOSE);
    cases.push(
        scheduled("lc 1/1, flows that are over count a little")
            .opened(client(1), HTTP, FIRST)
            .back(from_server(FIRST, client(1), RST), reset())
            .opened(client(2), HTTP, SECOND)
            .opened(client(3), HTTP, FIRST),
    );
    cases.push(
        scheduled("sed 1/1, flows that are over do not count")
            .opened(client(1), HTTP, FIRST)
            .back(from_server(FIRST, client(1), RST), reset())
            .opened(client(2), HTTP, FIRST)
            .opened(client(3), HTTP, SECOND),
    );
    cases.push(
        scheduled("twos 1/0, who rests is never drawn")
            .opened(client(1), HTTP, SECOND)
            .opened(client(2), HTTP, SECOND),
    );
    cases.push(
        scheduled("ewma 1/0, who has not answered yet gets no more clients")
            .opened(client(1), HTTP, SECOND)
            .opened(client(2), HTTP, SECOND)
            .change(Change::EditDestination {
                service: key(Protocol::Tcp, HTTP),
                destination: masq(FIRST, 1),
            })
            .opened(client(3), HTTP, FIRST)
            .back(from_server(FIRST, client(3), SYN | ACK), forwarded())
            .opened(client(4), HTTP, FIRST),
    );
    cases.push(
        scheduled("rr 1/1, another scheduler begins at the head of the list")
            .opened(client(1), HTTP, FIRST)
            .change(by("wlc", SchedulerFlags::NONE))
            .opened(client(2), HTTP, SECOND)
            .opened(client(3), HTTP, FIRST)
            .change(by("rr", SchedulerFlags::NONE))
            .opened(client(4), HTTP, FIRST)
            .change(by("rr", SchedulerFlags::NONE))
            .opened(client(5), HTTP, SECOND),
    );
    let rests = || Change::EditDestination {
        service: key(Protocol::Tcp, HTTP),
        destination: masq(FIRST, 0),
    };
    for (name, without, falls_back) in [
        ("sh 1/1, who hashes to a server that rests", 1, 2),
        ("mh 1/1, who hashes to a server that rests", 3, 4),
    ] {
        let scheduler = &name[..2];
        let syn = from_client(neighbour(without), HTTP, SYN);
        cases.push(
            scheduled(name)
                .change(rests())
                .front(syn, refused())
                .change(by(scheduler, SchedulerFlags::FALLBACK))
                .opened(neighbour(falls_back), HTTP, SECOND),
        );
    }
    cases.push(longest());
    cases
}

/// Flows from `from(1)`, `from(2)` and so on go to these servers.
fn taken_by(case: Case, taken: &str, from: fn(u16) -> SocketAddrV4) -> Case {
    let hosts = taken.split(' ').map(|host| host.parse().unwrap());
    (1..)
        .zip(hosts)
        .fold(case, |case, (number, host)| match host {
            0 => {
                let syn = from_client(from(number), HTTP, SYN);
                case.front(syn, refused())
            }
            host => case.opened(from(number), HTTP, server(host)),
        })
}

/// A client in the VIP's network, from .60 on.
fn neighbour(number: u16) -> SocketAddrV4 {
    let [a, b, c, _] = VIP.octets();
    at(Ipv4Addr::new(a, b, c, 59 + number as u8), 40_000)
}

/// The best of 4,096 servers is the last that is looked at.
fn longest() -> Case {
    let server = |number: u16| at(RIP_141, 10_000 + number);
    let servers: Vec<_> = (0..4096)
        .map(|number| (server(number), if number == 0 { 2 } else { 1 }))
        .collect();
    let mut http = service(Protocol::Tcp, HTTP, &servers);
    http.scheduler = "fo";
    case("4,096 servers are looked at")
        .world(move |world| world.services = vec![http])
        .opened(client(1), HTTP, server(0))
}
