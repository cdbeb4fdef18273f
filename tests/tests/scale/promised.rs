//! As many servers as are promised: 65,536 of them (in the short form a quarter), half with IPv6 addresses, in 1,024
//! services. They are restored, listed, changed, saved and taken up by another daemon; packets to some of the services go
//! to their servers, as the daemon's own program rewrites them; and memory is taken as it is needed.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use ferrovs_kernel::{TC_PROGRAM, sys};
use ferrovs_lab::VIP;

use crate::{stage::is_full, tables, test_run, thousands::Place};

/// Services, at these ports, those with odd ones at the IPv6 address.
const PORTS: std::ops::Range<u16> = 1000..2024;
/// The virtual IPv6 address.
const VIP6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 1);
/// To whom packets for IPv6 servers would be handed.
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 9);
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 60);
/// What the tables may take for one service of two servers, beside the flow table and what is as large as that. Those of
/// fragments and calls, 2.7 MB, are as large as they ever are.
const LITTLE: u64 = 5_500_000;
/// And what each server may take, schedules and the stored state included.
const EACH: u64 = 2_000;

/// Servers of each.
fn size() -> u32 {
    if is_full() { 64 } else { 16 }
}

fn virtual_(port: u16) -> SocketAddr {
    match port % 2 {
        0 => (VIP, port).into(),
        _ => (VIP6, port).into(),
    }
}

/// All servers of a service.
fn servers(port: u16) -> impl Iterator<Item = SocketAddr> {
    let first = u32::from(port - PORTS.start) * size();
    (first..first + size()).map(move |number| match port % 2 {
        0 => (
            Ipv4Addr::from_bits(Ipv4Addr::new(10, 64, 0, 0).to_bits() + number),
            8080,
        )
            .into(),
        _ => (
            Ipv6Addr::new(
                0xfd00,
                0x64,
                0,
                0,
                0,
                0,
                (number >> 16) as u16,
                number as u16,
            ),
            8080,
        )
            .into(),
    })
}

/// The commands that make these services with so many servers each.
fn rules(ports: impl Iterator<Item = u16>, count: usize) -> String {
    let mut rules = String::new();
    for port in ports {
        writeln!(rules, "-A -t {} -s rr", virtual_(port)).unwrap();
        for server in servers(port).take(count) {
            writeln!(rules, "-a -t {} -r {server} -m -w 1", virtual_(port)).unwrap();
        }
    }
    rules
}

fn sorted(rules: &str) -> Vec<&str> {
    let mut lines: Vec<_> = rules.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn many_servers_in_a_thousand_services() {
    let mut place = Place::new();
    let director = &place.network.director;
    let behind = Ipv4Addr::new(10, 64, 0, 0);
    director
        .add_route(behind, 12, place.network.servers[0].address)
        .unwrap();
    director
        .link("outer")
        .unwrap()
        .add_address(VIP6, 64)
        .unwrap();
    let behind = Ipv6Addr::new(0xfd00, 0x64, 0, 0, 0, 0, 0, 0);
    director.add_route(behind, 32, ROUTER6).unwrap();

    // With little, little is taken, and no more than before.
    let flows = tables::sized_by_flows(place.daemon());
    place.succeed(&["ipvsadm", "-R"], &rules(1000..1001, 2));
    let little = tables::bytes(place.daemon()) - flows;
    println!("{little} bytes beside the flow table for two servers");
    assert!(little < LITTLE, "{little} bytes for two servers");
    place.succeed(&["ipvsadm", "-C"], "");

    let all = rules(PORTS, size() as usize);
    // In four goes, because this may be a slow build on a busy machine and an answer is awaited for 30 seconds.
    for part in 0..4 {
        let ports = PORTS.skip(part * PORTS.len() / 4).take(PORTS.len() / 4);
        place.succeed(&["ipvsadm", "-R"], &rules(ports, size() as usize));
    }
    let saved = place.succeed(&["ipvsadm", "-Sn"], "");
    assert_eq!(sorted(&saved), sorted(&all));
    let much = tables::bytes(place.daemon()) - flows;
    let count = u64::from(size()) * PORTS.len() as u64;
    println!("{much} bytes for {count}, {} each", (much - little) / count);
    assert!(much < little + count * EACH, "{much} bytes for all servers");
    for listing in ["-Ln", "-Ln --stats"] {
        let arguments: Vec<_> = std::iter::once("ipvsadm")
            .chain(listing.split(' '))
            .collect();
        let listed = place.succeed(&arguments, "");
        assert_eq!(listed.lines().count(), 3 + all.lines().count());
    }
    check_picks(&place, &[1000, 1001, 1002, 1511, 1512, 2022, 2023]);

    // One server of one service is changed, added, taken away, and nothing else.
    let vip = virtual_(1001).to_string();
    let (server, other) = (servers(1001).next().unwrap(), servers(1003).next().unwrap());
    let (server, other) = (server.to_string(), other.to_string());
    place.succeed(
        &["ipvsadm", "-e", "-t", &vip, "-r", &server, "-m", "-w", "7"],
        "",
    );
    place.succeed(&["ipvsadm", "-a", "-t", &vip, "-r", &other, "-m"], "");
    place.succeed(&["ipvsadm", "-d", "-t", &vip, "-r", &other], "");
    let expected = all.replace(
        &format!("-t {vip} -r {server} -m -w 1"),
        &format!("-t {vip} -r {server} -m -w 7"),
    );
    let saved = place.succeed(&["ipvsadm", "-Sn"], "");
    assert_eq!(sorted(&saved), sorted(&expected));

    // Another daemon finds all of it again.
    place.restart();
    assert_eq!(place.succeed(&["ipvsadm", "-Sn"], ""), saved);
    check_picks(&place, &[1004, 2021]);
    let state = place.succeed(&["save"], "");
    place.succeed(&["ipvsadm", "-C"], "");
    place.succeed(&["restore"], &state);
    assert_eq!(place.succeed(&["save"], ""), state);
    check_picks(&place, &[1500, 1501]);
}

/// As many clients as there are servers go to as many servers: those of the service.
fn check_picks(place: &Place, ports: &[u16]) {
    let program = tables::programs_of(place.daemon())
        .into_iter()
        .find_map(|id| {
            let program = sys::program_by_id(id).unwrap();
            let info = sys::program_info(program.as_fd()).unwrap();
            (info.name == TC_PROGRAM).then_some(program)
        });
    let program = program.unwrap();
    let director = &place.network.director;
    let outer = director.link("outer").unwrap();
    let (mac, index) = (outer.mac().unwrap(), outer.index());
    for &port in ports {
        let picked: BTreeSet<SocketAddr> = (0..size() as u16)
            .map(|client| {
                let frame = segment(mac.0, virtual_(port), 20_000 + client);
                let run = director.run(|| test_run::tc(program.as_fd(), index, &frame));
                destination(&run.unwrap().unwrap().bytes)
            })
            .collect();
        assert_eq!(picked, servers(port).collect(), "service {port}");
    }
}

/// The first segment of a client's connection.
fn segment(mac: [u8; 6], service: SocketAddr, port: u16) -> Vec<u8> {
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 60], mac);
    let network = match service.ip() {
        IpAddr::V4(vip) => link.ipv4(ferrovs_lab::CLIENT.octets(), vip.octets(), 64),
        IpAddr::V6(vip) => link.ipv6(CLIENT6.octets(), vip.octets(), 64),
    };
    let segment = network.tcp(port, service.port(), 1000, 65_535).syn();
    let mut frame = Vec::new();
    segment.write(&mut frame, &[]).unwrap();
    frame
}

/// Where a frame goes.
fn destination(frame: &[u8]) -> SocketAddr {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let address: IpAddr = match packet.net.unwrap() {
        NetSlice::Ipv4(ip) => ip.header().destination_addr().into(),
        NetSlice::Ipv6(ip) => ip.header().destination_addr().into(),
        other => panic!("{other:?}"),
    };
    match packet.transport.unwrap() {
        TransportSlice::Tcp(tcp) => (address, tcp.destination_port()).into(),
        other => panic!("{other:?}"),
    }
}
