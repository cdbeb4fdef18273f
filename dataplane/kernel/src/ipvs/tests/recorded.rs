//! What the kernel said, and what was read from it.

use std::{io, net::Ipv4Addr};

use super::{
    playback::{Playback, playback},
    save::saved,
};
use crate::{
    ipvs::{
        Destination, Encapsulation, Error, FAMILY, Forwarding, Key, Netmask, Persistence, Protocol,
        Result, Service, Table, Timeouts, TunnelChecksum, read_twice,
    },
    net::{Generic, Transport},
};

fn read(transport: impl Transport) -> Result<Table> {
    let kernel = Generic::find(transport, FAMILY)?;
    read_twice(&mut kernel.expect("the family IPVS"))
}

fn key(address: &str) -> Key {
    Key::Address {
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
    }
}

/// The table of `small.rules`.
fn small() -> Table {
    let gue = Encapsulation::Gue {
        port: 6080,
        checksum: TunnelChecksum::Full,
    };
    let destination = Destination {
        address: "10.1.0.1:443".parse().unwrap(),
        forwarding: Forwarding::Tunnel(gue),
        weight: 3,
        upper_threshold: 20,
        lower_threshold: 10,
    };
    let service = Service {
        key: key("10.0.0.1:443"),
        scheduler: "sh".to_owned(),
        scheduler_flags: [true, true, false],
        persistence: Some(Persistence {
            timeout: 300,
            netmask: Netmask::V4(Ipv4Addr::new(255, 255, 255, 0)),
        }),
        persistence_engine: None,
        one_packet: false,
        destinations: vec![destination],
    };
    Table {
        services: vec![service],
        timeouts: Timeouts {
            tcp: Some(901),
            tcp_fin: Some(121),
            udp: Some(301),
        },
    }
}

#[test]
fn everything_is_read_with_its_unit_and_byte_order() {
    assert_eq!(read(playback("small")).unwrap(), small());
}

#[test]
fn all_kinds_of_services_are_read_as_ipvsadm_reads_them() {
    let table = read(playback("rich")).unwrap();
    let ipvsadm = include_str!("../../../tests/fixtures/ipvs/rich.save");
    let mut lines: Vec<&str> = ipvsadm.lines().collect();
    lines.sort_unstable();
    assert_eq!(saved(&table), lines);
}

#[test]
fn thresholds_are_read_which_ipvsadm_does_not_save() {
    let table = read(playback("rich")).unwrap();
    let thresholds = |service: &str, server: &str| {
        let services = &mut table.services.iter();
        let service = services.find(|it| it.key == key(service)).unwrap();
        let servers = &mut service.destinations.iter();
        let server = servers.find(|it| it.address.to_string() == server).unwrap();
        (server.upper_threshold, server.lower_threshold)
    };
    let highest = i32::MAX as u32;
    assert_eq!(thresholds("10.0.0.1:80", "10.1.0.1:8080"), (0, 0));
    assert_eq!(thresholds("10.0.0.1:80", "127.0.0.1:8080"), (highest, 7));
    assert_eq!(thresholds("10.0.0.3:65535", "10.1.0.1:1"), (10, 5));
    let v6 = "[2001:db8:1::1]:8080";
    assert_eq!(thresholds("[2001:db8::1]:80", v6), (6, 6));
}

#[test]
fn servers_of_several_datagrams_keep_their_order() {
    let table = read(playback("rich")).unwrap();
    let services = &mut table.services.iter();
    let service = services.find(|it| it.key == key("10.0.1.1:80")).unwrap();
    // The servers were added with growing weights.
    let weights: Vec<u32> = service.destinations.iter().map(|it| it.weight).collect();
    assert_eq!(weights, (1..=40).rev().collect::<Vec<_>>());
}

#[test]
fn who_may_not_ask_is_told_so() {
    let error = read(playback("refused")).unwrap_err();
    assert!(matches!(error, Error::NoPermission), "{error}");
}

/// The small table, whose server gets another weight between readings, so many times.
struct Restless {
    kernel: Playback,
    changes: u8,
}

impl Transport for Restless {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.kernel.send(request)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut datagram = self.kernel.receive()?;
        // Length and kind of the attribute, then the weight.
        let weight = datagram
            .windows(8)
            .position(|it| it == [8, 0, 4, 0, 3, 0, 0, 0]);
        if let Some(start) = weight {
            datagram[start + 4] += self.changes;
            self.changes = self.changes.saturating_sub(1);
        }
        Ok(datagram)
    }
}

#[test]
fn a_table_that_changes_is_read_until_it_does_not() {
    let restless = |changes| {
        let kernel = playback("small");
        read(Restless { kernel, changes })
    };
    assert_eq!(restless(4).unwrap(), small());
    let error = restless(100).unwrap_err();
    assert!(matches!(error, Error::Changing(6)), "{error}");
}
