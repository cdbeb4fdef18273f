//! What lblc and lblcr remember of an address, after servers, weights or time have changed.

use ferrovs_model::{Change, Destination, Protocol, SchedulerFlags, Sysctl};

use super::schedulers::{by, scheduled};
use super::{FIRST, SECOND, client, from_client};
use crate::{
    case::{Case, case, refused},
    packet::{SYN, at},
    world::{HTTP, RIP_141, key, masq, service},
};

/// Seconds from one time that old addresses are forgotten to the next.
const ROUND: u32 = 30 * 60;

fn weight(weight: u32) -> Change {
    Change::EditDestination {
        service: key(Protocol::Tcp, HTTP),
        destination: masq(FIRST, weight),
    }
}

fn at_most(upper_threshold: u32) -> Change {
    Change::EditDestination {
        service: key(Protocol::Tcp, HTTP),
        destination: Destination {
            upper_threshold,
            ..masq(FIRST, 2)
        },
    }
}

fn remove() -> Change {
    Change::DeleteDestination {
        service: key(Protocol::Tcp, HTTP),
        address: FIRST.into(),
    }
}

fn add() -> Change {
    Change::AddDestination {
        service: key(Protocol::Tcp, HTTP),
        destination: masq(FIRST, 1),
    }
}

const fn set(name: Sysctl, value: u32) -> Change {
    Change::SetSysctl { name, value }
}

pub(super) fn cases() -> Vec<Case> {
    let both = |name: fn(bool) -> &'static str| [false, true].map(|set| scheduled(name(set)));
    let mut cases = Vec::new();
    for case in both(|set| match set {
        false => "lblc 1/1, who rests loses the address",
        true => "lblcr 1/1, who rests is not taken, and is again later",
    }) {
        let last = if case.name.starts_with("lblcr") {
            FIRST
        } else {
            SECOND
        };
        cases.push(
            case.opened(client(1), HTTP, FIRST)
                .change(weight(0))
                .opened(client(2), HTTP, SECOND)
                .opened(client(3), HTTP, SECOND)
                .change(weight(1))
                .opened(client(4), HTTP, last),
        );
    }
    for case in both(|set| match set {
        false => "lblc 1/1, who comes back has the address still",
        true => "lblcr 1/1, who comes back is in the set still",
    }) {
        cases.push(
            case.opened(client(1), HTTP, FIRST)
                .change(remove())
                .change(add())
                .opened(client(2), HTTP, FIRST),
        );
    }
    for case in both(|set| match set {
        false => "lblc 2/2, another scheduler forgets the address",
        true => "lblcr 2/2, another scheduler forgets the address",
    }) {
        let name = case.name.split(' ').next().unwrap().to_owned();
        cases.push(
            case.opened(client(1), HTTP, FIRST)
                .change(by(&name, SchedulerFlags::NONE))
                .opened(client(2), HTTP, FIRST)
                .change(by("fo", SchedulerFlags::NONE))
                .opened(client(3), HTTP, FIRST)
                .change(by(&name, SchedulerFlags::NONE))
                .opened(client(4), HTTP, SECOND),
        );
    }
    cases.push(
        scheduled("lblc 2/2, who is full keeps the address")
            .opened(client(1), HTTP, FIRST)
            .change(at_most(1))
            .opened(client(2), HTTP, FIRST),
    );
    cases.push(
        scheduled("lblcr 2/2, who is full is not taken")
            .opened(client(1), HTTP, FIRST)
            .change(at_most(1))
            .opened(client(2), HTTP, SECOND),
    );
    cases.push(
        scheduled("lblc 1/0, nobody is left")
            .opened(client(1), HTTP, SECOND)
            .change(Change::DeleteDestination {
                service: key(Protocol::Tcp, HTTP),
                address: SECOND.into(),
            })
            .front(from_client(client(2), HTTP, SYN), refused()),
    );
    for (name, expiration) in [
        ("lblc", Sysctl::LblcExpiration),
        ("lblcr", Sysctl::LblcrExpiration),
    ] {
        let begin = |name: &'static str| {
            let case = scheduled(name).change(set(expiration, 3));
            case.seconds(ROUND - 10).opened(client(1), HTTP, FIRST)
        };
        let [forgotten, remembered] = match name {
            "lblc" => [
                "lblc 2/2, an old address is forgotten when the half hour is over",
                "lblc 2/2, an address is remembered that was old only later",
            ],
            _ => [
                "lblcr 2/2, an old address is forgotten when the half hour is over",
                "lblcr 2/2, an address is remembered that was old only later",
            ],
        };
        cases.push(begin(forgotten).seconds(11).opened(client(2), HTTP, SECOND));
        cases.push(
            begin(remembered)
                .seconds(9)
                .opened(client(2), HTTP, FIRST)
                .seconds(6)
                .opened(client(3), HTTP, FIRST),
        );
    }
    cases.push(
        scheduled("lblcr 1/1, a set that does not change loses the busiest")
            .change(set(Sysctl::LblcrExpiration, 10))
            .opened(client(1), HTTP, FIRST)
            .opened(client(2), HTTP, FIRST)
            .opened(client(3), HTTP, SECOND)
            .seconds(12)
            .opened(client(4), HTTP, SECOND)
            .opened(client(5), HTTP, SECOND)
            // The first would have been next.
            .opened(client(6), HTTP, SECOND),
    );
    cases.push(large_set());
    cases
}

/// A set that takes several lines: each server takes two flows before the next one joins, and when nobody is idle, who
/// joined last is the first of those that are alike.
fn large_set() -> Case {
    const SERVERS: u16 = 20;
    let server = |number: u16| at(RIP_141, 10_000 + number);
    let servers: Vec<_> = (0..SERVERS).map(|number| (server(number), 1)).collect();
    let mut http = service(Protocol::Tcp, HTTP, &servers);
    http.scheduler = "lblcr";
    let newest_first = (0..SERVERS).rev();
    let joining = newest_first.clone().flat_map(|number| [number; 2]);
    let taken = joining.chain(newest_first.rev());
    let case =
        case("lblcr, a set of twenty servers").world(move |world| world.services = vec![http]);
    // Not from port 20, which is FTP's.
    (100..).zip(taken).fold(case, |case, (number, taken)| {
        case.opened(client(number), HTTP, server(taken))
    })
}
