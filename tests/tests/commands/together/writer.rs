//! Writers, each of which takes its part of the table from step to step in a way of its own.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use ferrovs_api::{Refused, Services, client::ClientError};
use ferrovs_model::{Change, Protocol, Refusal, ServiceKey};

use super::{
    part::{Part, SHARED, changes, command, listed},
    place::{Killed, Place, told},
};

/// See the [module](self).
pub(super) struct Writer {
    pub(super) name: &'static str,
    /// Its servers are in 192.168.`network`.0/24.
    network: u8,
    pub(super) steps: u32,
    /// Its part of the table after so many steps: nothing at first, and never twice the same.
    part: fn(u32) -> Part,
    /// Makes the changes of a step.
    make: fn(&Place, &[Change]) -> Result<(), String>,
    begun: AtomicU32,
    made: AtomicU32,
}

/// All of them. A step of each changes weights, which grow.
pub(super) fn writers() -> [Writer; 4] {
    let writer = |name, network, steps, part, make| Writer {
        name,
        network,
        steps,
        part,
        make,
        begun: AtomicU32::new(0),
        made: AtomicU32::new(0),
    };
    [
        writer("ipvsadm -R", 1, 40, restored as _, restore as _),
        writer("ipvsadm -e", 2, 50, edited, edit),
        writer("Client::apply", 3, 150, applied, apply),
        writer("Client::apply_each", 4, 200, applied_each, apply_each),
    ]
}

impl Writer {
    /// Takes all steps.
    pub(super) fn run(&self, place: &Place) {
        for step in 1..=self.steps {
            let changes = changes(&(self.part)(step - 1), &(self.part)(step));
            self.begun.store(step, SeqCst);
            while let Err(Killed) = place.ask(|| (self.make)(place, &changes)) {
                // It was made whole, or not at all.
                if self.find(&place.services(), step - 1..=step) == step {
                    break;
                }
            }
            self.made.store(step, SeqCst);
        }
    }

    /// How many steps were made for sure.
    pub(super) fn made(&self) -> u32 {
        self.made.load(SeqCst)
    }

    /// How many steps may have been made.
    pub(super) fn begun(&self) -> u32 {
        self.begun.load(SeqCst)
    }

    /// After how many of `steps` its part of the table is what is listed.
    pub(super) fn find(&self, services: &Services, mut steps: RangeInclusive<u32>) -> u32 {
        let there = listed(services, self.network);
        let (name, all) = (self.name, steps.clone());
        let found = steps.find(|&step| (self.part)(step) == there);
        found.unwrap_or_else(|| panic!("{name} in none of the steps {all:?}: {there:?}"))
    }

    /// Its part of the table at the end.
    pub(super) fn last(&self) -> Part {
        (self.part)(self.steps)
    }
}

/// Of six services two go at each step, two come and two stay.
fn restored(step: u32) -> Part {
    let there = (1..=6).filter(|service| step > 0 && !(step + service).is_multiple_of(3));
    let servers = there.flat_map(|service| (1..=4).map(move |server| (service, server)));
    let server = |(service, server)| entry(&format!("10.1.0.{service}:80"), 1, server, step);
    servers.map(server).collect()
}

/// One server.
fn edited(step: u32) -> Part {
    (1..=step.min(1))
        .map(|server| entry(SHARED, 2, server, step))
        .collect()
}

/// A server of the shared service, and in three others one more or less at each step.
fn applied(step: u32) -> Part {
    several(step, 3)
}

fn applied_each(step: u32) -> Part {
    several(step, 4)
}

fn several(step: u32, network: u8) -> Part {
    let own = (1..=3).map(|number| format!("10.{network}.0.{number}:80"));
    let services = own.chain([SHARED.to_owned()]).filter(|_| step > 0);
    let servers =
        services.flat_map(|service| (1..=1 + step % 2).map(move |n| (service.clone(), n)));
    servers
        .map(|(service, server)| entry(&service, network, server, step))
        .collect()
}

fn entry(service: &str, network: u8, server: u32, weight: u32) -> ((SocketAddr, SocketAddr), u32) {
    let server = format!("192.168.{network}.{server}:80");
    ((service.parse().unwrap(), server.parse().unwrap()), weight)
}

/// All in one file.
fn restore(place: &Place, changes: &[Change]) -> Result<(), String> {
    let lines: Vec<_> = changes.iter().map(command).collect();
    place.ipvsadm("-R", Some(&lines)).map(drop)
}

/// A command for each.
fn edit(place: &Place, changes: &[Change]) -> Result<(), String> {
    let mut commands = changes.iter().map(command);
    commands.try_for_each(|command| place.ipvsadm(&command, None).map(drop))
}

/// All or nothing; first other changes, of which the last is refused.
fn apply(place: &Place, changes: &[Change]) -> Result<(), String> {
    let mut other: Vec<_> = changes.iter().map(heavier).collect();
    other.push(impossible());
    match place.client(|client| client.apply(&other)) {
        Err(ClientError::Refused(refused)) if is_impossible(&refused, changes) => {}
        unexpected => return Err(format!("{unexpected:?} instead of a refusal")),
    }
    told(place.client(|client| client.apply(changes)))
}

/// One is refused, which the others do not mind.
fn apply_each(place: &Place, changes: &[Change]) -> Result<(), String> {
    let all = [changes, &[impossible()]].concat();
    match place.client(|client| client.apply_each(&all)) {
        Ok(refused) if refused.len() == 1 && is_impossible(&refused[0], changes) => Ok(()),
        unexpected => Err(format!("{unexpected:?} instead of one refusal")),
    }
}

/// A change that nobody must see.
fn heavier(change: &Change) -> Change {
    let mut change = change.clone();
    if let Change::AddDestination { destination, .. }
    | Change::EditDestination { destination, .. } = &mut change
    {
        destination.weight += 10_000;
    }
    change
}

fn impossible() -> Change {
    let nobodys = "10.9.9.9:80".parse().unwrap();
    let service = ServiceKey::address(Protocol::Tcp, nobodys);
    Change::DeleteService { service }
}

/// Whether it is the one after the others that was refused.
fn is_impossible(refused: &Refused, others: &[Change]) -> bool {
    refused.index == others.len() && refused.refusal == Refusal::NoSuchService
}
