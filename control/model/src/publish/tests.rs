//! The publisher on plain memory. Where a sequence of servers is expected, it was recorded from the
//! kernel's IPVS (Linux 6.12).

mod amended;
mod counters;
mod ipv6;
mod limits;
mod order;
mod picks;
mod plain;
mod pool;

use std::net::SocketAddr;

use ferrovs_core::abi::{
    config::{LBLC_EXPIRATION, LBLCR_EXPIRATION, MODES, SYSCTLS, Sysctls, TIMEOUTS, ticks},
    dest,
    endpoint::Endpoint,
    filter::{Entry, real_key, virtual_key},
    service::ACCEPTS,
    state,
};
use ferrovs_core::tables::{Line, Tables};

use super::*;
use crate::{Change, Destination, Protocol, ServiceSettings, Sysctl};
use plain::Plain;

/// Wanted state, publisher and tables of one director.
struct Director {
    wanted: Wanted,
    publisher: Publisher,
    plane: &'static Plain,
}

fn service(port: u16) -> ServiceKey {
    ServiceKey::address(Protocol::Tcp, SocketAddr::from(([169, 254, 179, 1], port)))
}

fn rip(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 168, 2, host], 80))
}

fn add(port: u16) -> Change {
    Change::AddService {
        service: service(port),
        settings: ServiceSettings::new("rr"),
    }
}

fn dest(host: u8, weight: u32) -> Destination {
    Destination {
        weight,
        ..Destination::masq(rip(host))
    }
}

fn join(port: u16, host: u8) -> Change {
    Change::AddDestination {
        service: service(port),
        destination: dest(host, 1),
    }
}

fn weigh(port: u16, host: u8, weight: u32) -> Change {
    Change::EditDestination {
        service: service(port),
        destination: dest(host, weight),
    }
}

fn leave(port: u16, host: u8) -> Change {
    Change::DeleteDestination {
        service: service(port),
        address: rip(host),
    }
}

fn remove(port: u16) -> Change {
    Change::DeleteService {
        service: service(port),
    }
}

impl Director {
    fn new() -> Self {
        Self {
            wanted: Wanted::default(),
            publisher: Publisher::default(),
            plane: Plain::leak(1024),
        }
    }

    /// With service 80 and these servers, added in this order.
    fn with(hosts: &[u8]) -> Self {
        let mut director = Self::new();
        director.change(add(80));
        for &host in hosts {
            director.change(join(80, host));
        }
        director
    }

    fn change(&mut self, change: Change) {
        self.wanted.apply(&change).unwrap();
        self.publish().unwrap();
    }

    fn publish(&mut self) -> Result<(), Refusal> {
        let plan = self.publisher.plan(&self.plane, &self.wanted)?;
        self.publisher.commit(&self.plane, plan);
        Ok(())
    }

    /// Another daemon takes over from what is stored.
    fn restart(&mut self) {
        let stored = serde_json::to_string(self.publisher.ledger()).unwrap();
        self.publisher = Publisher::new(serde_json::from_str(&stored).unwrap());
        self.publish().unwrap();
    }

    fn report(&self) -> Vec<ServiceReport> {
        self.publisher.report(&self.plane, &self.wanted).services
    }

    fn number(&self, port: u16) -> u32 {
        let endpoint = Endpoint::new([169, 254, 179, 1], port);
        let entry = self.plane.look_up(virtual_key(endpoint, 6)).unwrap();
        u32::from(Entry(entry).service())
    }

    fn mode(&self, port: u16) -> u64 {
        let line = self.plane.service(self.number(port)).unwrap();
        line.load(ferrovs_core::abi::service::MODE)
    }

    fn real(&self, host: u8) -> Option<Entry> {
        let endpoint = Endpoint::new([192, 168, 2, host], 80);
        self.plane.look_up(real_key(endpoint, 6)).map(Entry)
    }

    /// Destination numbers that the next `flows` flows of a service get.
    fn schedule(&self, port: u16, flows: usize) -> Vec<u32> {
        let number = self.number(port);
        (0..flows)
            .map(|_| self.plane.schedule_one(number, [10, 0, 0, 1], 1).unwrap())
            .collect()
    }

    /// Last part of the address of a server.
    fn host(&self, dest: u32) -> u8 {
        let line = self.plane.dest(dest).unwrap();
        assert_ne!(line.load(dest::MODE) & dest::FORWARDS, 0);
        Endpoint::unpack(line.load(dest::ENDPOINT)).octets()[3]
    }

    /// Last parts of the addresses of the servers that the next `flows` flows of service 80 get.
    fn hosts(&self, flows: usize) -> Vec<u8> {
        let picked = self.schedule(80, flows);
        picked.into_iter().map(|dest| self.host(dest)).collect()
    }

    /// Last part of the address of the server that a client's flow of service 80 gets; 0: none.
    fn host_for(&self, client: [u8; 4], port: u16) -> u8 {
        let picked = self.plane.schedule_one(self.number(80), client, port);
        picked.map_or(0, |dest| self.host(dest))
    }

    fn dest(&self, port: u16, host: u8) -> u32 {
        let number = self.number(port) as u16;
        let dests = self.publisher.ledger().dests().iter();
        let mut found = dests.filter(|d| d.service == number && d.address == rip(host));
        found.next().unwrap().number
    }

    /// Sets how many inactive flows a destination has.
    fn set_flows(&self, dest: u32, flows: u64) {
        let line = self.plane.counts(dest).unwrap();
        line.store(dest::COUNTS, flows);
    }

    /// Lets the trash be looked at and its time go by.
    fn wait(&mut self) {
        self.publisher.observe(&self.plane);
        self.plane.advance(ticks(TRASH_SECONDS));
        if self.publisher.observe(&self.plane) {
            self.publish().unwrap();
        }
    }
}

#[test]
fn the_newest_server_is_served_first() {
    let director = Director::with(&[141, 143]);
    assert_eq!(director.hosts(4), [143, 141, 143, 141]);
}

#[test]
fn a_server_at_weight_0_is_passed_over_and_keeps_its_place() {
    let mut director = Director::with(&[141, 143, 145]);
    assert_eq!(director.hosts(4), [145, 143, 141, 145]);
    director.change(weigh(80, 143, 0));
    assert_eq!(director.hosts(4), [141, 145, 141, 145]);
    director.change(weigh(80, 143, 1));
    assert_eq!(director.hosts(6), [143, 141, 145, 143, 141, 145]);
}

#[test]
fn a_removed_server_steps_back_and_an_added_one_enters_at_the_head() {
    let mut director = Director::with(&[141, 143, 145]);
    assert_eq!(director.hosts(5), [145, 143, 141, 145, 143]);
    director.change(leave(80, 143));
    assert_eq!(director.hosts(4), [141, 145, 141, 145]);
    director.change(join(80, 143));
    assert_eq!(director.hosts(6), [141, 143, 145, 141, 143, 145]);
}

#[test]
fn the_position_outlives_changes_without_a_flow_between_them() {
    let mut director = Director::with(&[141, 143, 145]);
    assert_eq!(director.hosts(2), [145, 143]);
    director.change(weigh(80, 143, 0));
    director.change(weigh(80, 145, 0));
    director.change(leave(80, 143));
    director.change(weigh(80, 145, 1));
    // 143 was last; removed, it hands its place to 145, whose follower is 141.
    assert_eq!(director.hosts(3), [141, 145, 141]);
}

#[test]
fn a_restart_changes_neither_numbers_nor_positions() {
    let mut director = Director::with(&[141, 143, 145]);
    assert_eq!(director.hosts(4), [145, 143, 141, 145]);
    let before = director.plane.snapshot();
    director.restart();
    assert_eq!(director.plane.snapshot(), before);
    assert_eq!(director.hosts(2), [143, 141]);
}

#[test]
fn a_commit_that_never_came_to_its_end_is_mended() {
    let mut director = Director::with(&[141, 143]);
    assert_eq!(director.hosts(1), [143]);
    director.wanted.apply(&join(80, 145)).unwrap();
    director.wanted.apply(&add(81)).unwrap();
    director.wanted.apply(&join(81, 145)).unwrap();
    // The plan was stored, and then the daemon was killed before it wrote anything.
    let plan = director
        .publisher
        .plan(&director.plane, &director.wanted)
        .unwrap();
    director.publisher = Publisher::new(plan.ledger);
    director.publish().unwrap();
    assert_eq!(director.hosts(4), [141, 145, 143, 141]);
    assert!(director.real(145).unwrap().is_shared());
    assert_eq!(director.schedule(81, 1), [director.dest(81, 145)]);
}

#[test]
fn a_server_without_weight_or_a_service_without_servers_serves_nobody() {
    let mut director = Director::with(&[]);
    assert_eq!(director.plane.list_length(director.number(80)), 0);
    director.change(join(80, 141));
    director.change(weigh(80, 141, 0));
    assert_eq!(director.plane.list_length(director.number(80)), 0);
}

#[test]
fn a_removed_server_is_found_again_with_its_flows_and_figures() {
    let mut director = Director::with(&[141, 143]);
    let number = director.dest(80, 143);
    director.set_flows(number, 2);
    director.plane.count(number, 5);
    director.change(leave(80, 143));
    let line = director.plane.dest(number).unwrap();
    assert_eq!(line.load(dest::MODE) & dest::FORWARDS, 0);
    assert!(director.real(143).is_some());
    let reports = director.report();
    assert_eq!(reports[0].traffic.shown.conns, 5);
    assert_eq!(reports[0].dests.len(), 1);

    director.wait();
    director.change(join(80, 143));
    assert_eq!(director.dest(80, 143), number);
    assert_ne!(line.load(dest::MODE) & dest::FORWARDS, 0);
    let reports = director.report();
    assert_eq!(
        (
            reports[0].dests[0].traffic.shown.conns,
            reports[0].dests[0].inactive
        ),
        (5, 2)
    );
}

#[test]
fn a_removed_server_without_flows_is_forgotten_in_time_but_its_figures_stay() {
    let mut director = Director::with(&[141, 143]);
    let number = director.dest(80, 143);
    director.plane.count(number, 5);
    director.change(leave(80, 143));
    director.set_flows(number, 1);
    director.wait();
    assert!(director.real(143).is_some());
    director.set_flows(number, 0);
    director.wait();
    assert!(director.real(143).is_none());
    let reports = director.report();
    assert_eq!(reports[0].traffic.shown.conns, 5);
    // Its number's next owner starts from nothing.
    director.change(join(80, 145));
    director.change(join(80, 147));
    let reports = director.report();
    assert_eq!(reports[0].traffic.shown.conns, 5);
    assert!(
        reports[0]
            .dests
            .iter()
            .all(|d| d.traffic.shown == Figures::default())
    );
}

#[test]
fn a_removed_service_keeps_its_line_while_it_has_flows() {
    let mut director = Director::with(&[141]);
    director.change(add(81));
    let number = director.number(80);
    let of_server = director.dest(80, 141);
    director.set_flows(of_server, 1);
    director.plane.count(of_server, 3);
    director.change(remove(80));
    assert_eq!(director.mode(80) & ACCEPTS, 0);
    director.wait();
    director.change(add(80));
    director.change(join(80, 141));
    assert_eq!(
        (director.number(80), director.dest(80, 141)),
        (number, of_server)
    );
    assert_ne!(director.mode(80) & ACCEPTS, 0);
    assert_eq!(director.hosts(1), [141]);
    // Its statistics begin anew, its flows are still there.
    let reports = director.report();
    assert_eq!(reports[0].traffic.shown, Figures::default());
    assert_eq!(reports[0].dests[0].inactive, 1);

    director.change(remove(80));
    director.change(remove(81));
    director.set_flows(of_server, 0);
    director.wait();
    let endpoint = Endpoint::new([169, 254, 179, 1], 80);
    assert_eq!(director.plane.look_up(virtual_key(endpoint, 6)), None);
    assert!(director.publisher.ledger().is_empty());
}

#[test]
fn without_a_service_nothing_is_looked_at_and_what_is_left_goes_on_with_the_next() {
    let mut director = Director::with(&[141]);
    let (number, of_server) = (director.number(80), director.dest(80, 141));
    let endpoint = Endpoint::new([169, 254, 179, 1], 80);
    director.set_flows(of_server, 1);
    director.change(remove(80));
    assert_eq!(director.plane.look_up(virtual_key(endpoint, 6)), None);
    assert!(director.real(141).is_none());
    // Another service is enough for them to be looked at again.
    director.change(add(81));
    assert_eq!(director.number(80), number);
    assert!(director.real(141).is_some());
}

#[test]
fn a_server_of_two_services_is_shared_and_the_first_of_them_is_named() {
    let mut director = Director::with(&[141]);
    assert!(!director.real(141).unwrap().is_shared());
    director.change(add(81));
    director.change(join(81, 141));
    let entry = director.real(141).unwrap();
    assert!(entry.is_shared());
    assert_eq!(u32::from(entry.service()), director.number(80));
    // A flow of the time when it was shared may still need its pointer.
    director.change(leave(81, 141));
    director.wait();
    assert!(director.real(141).unwrap().is_shared());
    director.restart();
    assert!(director.real(141).unwrap().is_shared());
}

#[test]
fn the_service_that_had_a_server_alone_stays_named_while_it_may_have_flows() {
    let mut director = Director::with(&[]);
    director.change(add(81));
    director.change(join(81, 141));
    let named = |director: &Director| {
        let entry = director.real(141).unwrap();
        (u32::from(entry.service()), entry.is_shared())
    };
    let [older, younger] = [80, 81].map(|port| director.number(port));
    assert_eq!(named(&director), (younger, false));
    // The flows that the younger service has by now have no pointers.
    let of_younger = director.dest(81, 141);
    director.set_flows(of_younger, 1);
    director.change(join(80, 141));
    assert_eq!(named(&director), (younger, true));
    director.change(remove(81));
    director.wait();
    director.restart();
    assert_eq!(named(&director), (younger, true));
    director.change(add(81));
    director.change(join(81, 141));
    assert_eq!(named(&director), (younger, true));

    director.change(leave(81, 141));
    director.set_flows(of_younger, 0);
    director.wait();
    assert_eq!(named(&director), (older, true));
    director.change(join(81, 141));
    assert_eq!(named(&director), (older, true));
}

#[test]
fn timeouts_reach_the_tables() {
    let mut director = Director::new();
    director.change(Change::SetTimeouts {
        tcp: Some(60),
        tcp_fin: None,
        udp: Some(7),
    });
    let timeout = |state: u8| {
        let line = director.plane.config(TIMEOUTS + u32::from(state) / 8);
        line.unwrap().load(usize::from(state) % 8)
    };
    assert_eq!(timeout(state::ESTABLISHED), u64::from(ticks(60)));
    assert_eq!(timeout(state::FIN_WAIT), u64::from(ticks(120)));
    assert_eq!(timeout(state::UDP), u64::from(ticks(7)));
    assert_eq!(timeout(state::SYN_RECV), u64::from(ticks(60)));
}

#[test]
fn sysctls_reach_the_tables() {
    let mut director = Director::new();
    let line = |director: &Director| director.plane.config(SYSCTLS).unwrap();
    director.change(add(80));
    let modes = Sysctls(line(&director).load(MODES));
    assert_eq!(modes.conn_reuse_mode(), 1);
    assert!(modes.expire_nodest_conn() && modes.expire_quiescent_template());
    assert!(!modes.sloppy_tcp() && !modes.sloppy_sctp() && !modes.nat_icmp_send());
    for (name, value) in [
        (Sysctl::ConnReuseMode, 2),
        (Sysctl::ExpireNodestConn, 0),
        (Sysctl::ExpireQuiescentTemplate, 0),
        (Sysctl::LblcExpiration, 60),
        (Sysctl::LblcrExpiration, 7),
        (Sysctl::NatIcmpSend, 1),
        (Sysctl::SloppySctp, 1),
        (Sysctl::SloppyTcp, 1),
    ] {
        director.change(Change::SetSysctl { name, value });
    }
    let modes = Sysctls(line(&director).load(MODES));
    assert_eq!(modes.conn_reuse_mode(), 2);
    assert!(!modes.expire_nodest_conn() && !modes.expire_quiescent_template());
    assert!(modes.sloppy_tcp() && modes.sloppy_sctp() && modes.nat_icmp_send());
    let expirations = [LBLC_EXPIRATION, LBLCR_EXPIRATION].map(|word| line(&director).load(word));
    assert_eq!(expirations, [60, 7].map(|s| u64::from(ticks(s))));
}

#[test]
fn thousands_of_endpoints_are_all_found() {
    let mut director = Director::new();
    // 1024 lines in two halves: room for 2048 entries, 1500 are wanted.
    for port in 1..=1500 {
        director.wanted.apply(&add(port)).unwrap();
        if port % 100 == 0 {
            director.publish().unwrap();
        }
    }
    let numbers: std::collections::BTreeSet<_> =
        (1..=1500).map(|port| director.number(port)).collect();
    assert_eq!(numbers.len(), 1500);
    for port in 1501..=4000 {
        director.wanted.apply(&add(port)).unwrap();
    }
    let before = director.plane.snapshot();
    assert_eq!(director.publish(), Err(Refusal::TableFull));
    assert_eq!(director.plane.snapshot(), before);
}

#[test]
fn lists_never_run_out_of_space_by_being_edited() {
    let mut director = Director::with(&[]);
    for host in 1..=200 {
        director.change(join(80, host));
    }
    for round in 0..400 {
        director.change(weigh(80, 100, round % 2));
    }
    let first = director.hosts(200);
    assert_eq!(director.hosts(200), first);
    assert_eq!(director.plane.list_length(director.number(80)), 200);
}
