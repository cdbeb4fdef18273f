//! Servers that have as many flows as they may have. The first and the last case were recorded (b05-thresholds)
//! from the kernel's IPVS.

use std::net::{Ipv4Addr, SocketAddrV4};

use ferrovs_core::abi::state::CLOSE;
use ferrovs_model::{Change, Destination, Protocol, SchedulerFlags};

use super::schedulers::by;
use super::{FIRST, SECOND, client, from_client, from_server, http_of};
use crate::{
    case::{Case, Step, case, forwarded, refused},
    packet::{RST, SYN},
    world::{HTTP, key, masq, service},
};

const THIRD: SocketAddrV4 = http_of(Ipv4Addr::new(192, 168, 2, 254));

/// A server's weight and thresholds.
fn limits(server: SocketAddrV4, weight: u32, upper: u32, lower: u32) -> Change {
    Change::EditDestination {
        service: key(Protocol::Tcp, HTTP),
        destination: Destination {
            upper_threshold: upper,
            lower_threshold: lower,
            ..masq(server, weight)
        },
    }
}

impl Case {
    /// Clients from this number on open flows with these servers.
    fn each(self, first: u16, servers: &[SocketAddrV4]) -> Self {
        (first..).zip(servers).fold(self, |case, (number, server)| {
            case.opened(client(number), HTTP, *server)
        })
    }

    fn refused(self, number: u16) -> Self {
        let syn = from_client(client(number), HTTP, SYN);
        self.front(syn, refused())
    }

    fn reset(self, number: u16, server: SocketAddrV4) -> Self {
        let rst = from_server(server, client(number), RST);
        self.back(rst, forwarded().state(CLOSE))
    }
}

/// HTTP by this scheduler with the first, the second and the third server and these weights.
fn three(name: &'static str, scheduler: &'static str, weights: [u32; 3]) -> Case {
    let servers = [THIRD, SECOND, FIRST].into_iter().zip(weights);
    let servers: Vec<_> = servers.filter(|(_, weight)| *weight > 0).collect();
    let mut http = service(Protocol::Tcp, HTTP, &servers);
    http.scheduler = scheduler;
    case(name).world(move |world| world.services = vec![http])
}

pub(super) fn cases() -> Vec<Case> {
    let (a, b, c) = (FIRST, SECOND, THIRD);
    vec![
        three("rr passes an overloaded server by", "rr", [0, 1, 1])
            .change(limits(b, 1, 2, 1))
            .each(1, &[a, b, a, b, a, a, a, a])
            .each(11, &[a, a, a])
            .reset(2, b)
            .each(21, &[a, a, a, a])
            .seconds(12)
            .step(Step::Sweep(vec![client(2)]))
            .each(31, &[a, a, a, a])
            .reset(4, b)
            .seconds(12)
            .step(Step::Sweep(vec![client(4)]))
            .each(41, &[b, a, b, a, a, a]),
        three("nobody is left, and then somebody is", "rr", [0, 1, 1])
            .change(limits(a, 1, 2, 0))
            .change(limits(b, 1, 2, 0))
            .each(1, &[a, b, a, b])
            .refused(5)
            .refused(6)
            .reset(4, b)
            .refused(7)
            .seconds(12)
            .step(Step::Sweep(vec![client(4)]))
            .each(8, &[b])
            .refused(9),
        three("a lower threshold holds at once, none too", "rr", [0, 1, 1])
            .each(1, &[a, b, a, b, a, b])
            .change(limits(b, 1, 2, 1))
            .each(11, &[a, a, a, a])
            .change(limits(b, 1, 0, 0))
            .each(21, &[b, a, b, a]),
        three("wrr goes on with those that are left", "wrr", [1, 1, 3])
            .change(limits(a, 3, 2, 0))
            .each(1, &[a, b, c, a, b, c, b, c]),
        three("wrr walks a round before it gives up", "wrr", [2, 2, 5])
            .change(limits(a, 5, 1, 0))
            .change(limits(b, 2, 1, 0))
            .change(limits(c, 2, 1, 0))
            .each(1, &[a, b, c])
            .refused(4)
            .change(limits(c, 2, 0, 0))
            .each(5, &[c, c]),
        three("wlc passes an overloaded server by", "wlc", [0, 1, 1])
            .change(limits(b, 1, 1, 0))
            .each(1, &[a, b, a, a]),
        three(
            "sh refuses a client of an overloaded server",
            "sh",
            [0, 0, 1],
        )
        .change(limits(a, 1, 1, 0))
        .each(1, &[a])
        .refused(2),
        three("sh falls back from an overloaded server", "sh", [0, 1, 1])
            .change(by("sh", SchedulerFlags::FALLBACK))
            .change(limits(a, 1, 1, 0))
            .change(limits(b, 1, 1, 0))
            .each(1, &[a, b])
            .refused(3),
        three("twos draws until it has somebody", "twos", [0, 1, 60_000])
            .change(limits(a, 60_000, 1, 0))
            .each(1, &[a, b, b, b]),
    ]
}
