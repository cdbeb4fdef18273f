//! What only IPv6 has: extension headers, and its own header's fields.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use ferrovs_core::abi::{
    ipv6::Address,
    reason::Reason,
    state::{ESTABLISHED, SYN_RECV, UDP},
};

use ferrovs_model::Protocol;

use super::{ALICE, FIRST, alice, first, from_client, from_server};
use crate::{
    case::{Case, case, dropped, forwarded, passed},
    packet::{ACK, Family, Link, Packet, SYN, Transport, at},
    world::{
        BARE_IPV6_CLIENT, BARE_IPV6_PAYLOAD, BARE_IPV6_SERVER, DNS, FRONT_MAC, FRONT_ROUTER, HTTP,
        Port, RIP_143, SECRETS, World, mac_of, service,
    },
};

/// Bytes before the IP header.
const ETHERNET: usize = 14;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ENCRYPTION: u8 = 50;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const OPTIONS: u8 = 60;

pub(super) fn cases() -> Vec<Case> {
    [
        headers(),
        extensions(),
        fragments(),
        cut_short(),
        bare(),
        vec![twins()],
    ]
    .concat()
}

/// A case with IPv6 services.
fn with_ipv6(name: &'static str) -> Case {
    case(name).world(|world| world.family = Family::V6)
}

fn ipv6(packet: Packet) -> Packet {
    packet.with(|packet| packet.family = Family::V6)
}

fn syn() -> Packet {
    ipv6(alice(SYN))
}

fn datagram() -> Packet {
    let udp = |packet: &mut Packet| packet.transport = Transport::Udp { checksum: true };
    ipv6(from_client(ALICE, DNS, 0).with(udp))
}

/// An extension header of so many times eight bytes, filled with padding.
fn units(kind: u8, units: u8) -> (u8, Vec<u8>) {
    let mut content = vec![units - 1, 1, usize::from(units) as u8 * 8 - 4];
    content.resize(usize::from(units) * 8 - 1, 0);
    if kind == ROUTING {
        // Type 4 (RFC 8754), no segments left.
        content[1..3].copy_from_slice(&[4, 0]);
    }
    (kind, content)
}

/// An authentication header (RFC 4302), whose length is counted in four bytes, two of them not.
fn authentication(words: u8) -> (u8, Vec<u8>) {
    let mut content = vec![words - 2];
    content.resize(usize::from(words) * 4 - 1, 0x5a);
    (AUTHENTICATION, content)
}

fn behind(packet: Packet, extensions: &[(u8, Vec<u8>)]) -> Packet {
    packet.with(|packet| packet.extensions = extensions.to_vec())
}

fn headers() -> Vec<Case> {
    let opens = || forwarded().opens(FIRST, SYN_RECV);
    let mut other_versions = with_ipv6("an IPv6 header of another version is the stack's");
    for version in [0, 3, 4, 5, 7, 15] {
        let other = syn().with(|packet| packet.version = Some(version));
        other_versions = other_versions.front(other, passed());
    }
    let mut lengths =
        with_ipv6("a length of the payload without room for the header is the stack's");
    for length in [0, 1, 8, 19] {
        let short = syn().with(|packet| packet.total_length = Some(length));
        lengths = lengths.front(short, passed());
    }
    for length in [0, 7] {
        let short = datagram().with(|packet| packet.total_length = Some(length));
        lengths = lengths.front(short, passed());
    }
    let behind_eight = behind(syn(), &[units(OPTIONS, 1)]);
    let short = behind_eight.with(|packet| packet.total_length = Some(27));
    let shorter = behind(syn(), &[units(OPTIONS, 3)]).with(|packet| {
        packet.total_length = Some(23);
    });
    let mut others = with_ipv6("other protocols over IPv6 are the stack's");
    for protocol in [1, NO_NEXT, 58, 132, ENCRYPTION] {
        let other = syn().payload(24).with(|packet| {
            packet.transport = Transport::Other(protocol);
        });
        others = others.front(other, passed());
    }
    vec![
        other_versions,
        lengths.front(short, passed()).front(shorter, passed()),
        others,
        with_ipv6("a payload of just the TCP header").front(syn(), opens()),
        case("an IPv6 packet to IPv4 services is the stack's")
            .front(syn(), passed())
            .front(datagram(), passed())
            .back(ipv6(first(SYN | ACK)), passed()),
        with_ipv6("an IPv4 packet to IPv6 services is the stack's")
            .front(alice(SYN), passed())
            .back(first(SYN | ACK), passed()),
    ]
}

fn extensions() -> Vec<Case> {
    let opens = || forwarded().opens(FIRST, SYN_RECV);
    let all = [
        units(HOP_BY_HOP, 1),
        units(OPTIONS, 2),
        units(ROUTING, 3),
        authentication(6),
        units(OPTIONS, 1),
    ];
    let mut each = with_ipv6("each extension header is read over, both ways").front(syn(), opens());
    for extension in &all {
        let extension = std::slice::from_ref(extension);
        each = each
            .back(
                behind(ipv6(first(SYN | ACK)).payload(12), extension),
                forwarded(),
            )
            .front(behind(syn(), extension), forwarded());
    }
    let answer = ipv6(first(SYN | ACK));
    let acknowledgement = ipv6(alice(ACK)).payload(100);
    let mut odd = with_ipv6("an authentication header may end at four bytes").front(syn(), opens());
    for words in 3..=9 {
        odd = odd.front(behind(syn(), &[authentication(words)]), forwarded());
    }
    let one_more = [&all[..], &[units(OPTIONS, 1)]].concat();
    let mut routed = units(ROUTING, 3);
    routed.1[2] = 1;
    vec![
        each,
        odd,
        with_ipv6("all extension headers at once, both ways")
            .front(behind(syn(), &all), opens())
            .back(behind(answer, &all), forwarded())
            .front(
                behind(acknowledgement, &all),
                forwarded().state(ESTABLISHED).protects(),
            ),
        with_ipv6("a datagram behind an extension header").front(
            behind(datagram().payload(33), &[units(OPTIONS, 1)]),
            forwarded().opens(at(RIP_143, 53), UDP),
        ),
        with_ipv6("the longest extension headers that are read over")
            .front(behind(syn(), &[units(HOP_BY_HOP, 16)]), opens())
            .front(
                behind(syn(), &[units(HOP_BY_HOP, 8), units(OPTIONS, 8)]),
                forwarded(),
            ),
        with_ipv6("longer extension headers are left to the stack")
            .front(behind(syn(), &[units(HOP_BY_HOP, 17)]), passed())
            .front(
                behind(syn(), &[units(HOP_BY_HOP, 8), units(OPTIONS, 9)]),
                passed(),
            ),
        with_ipv6("more extension headers are left to the stack")
            .front(behind(syn(), &one_more), passed()),
        with_ipv6("a routing header with segments left is for somebody else")
            .front(behind(syn(), &[routed]), passed()),
        with_ipv6("what is encrypted is the stack's")
            .front(behind(syn(), &[(ENCRYPTION, vec![1; 15])]), passed()),
    ]
}

fn fragments() -> Vec<Case> {
    let fragment = |offset: u16, more: u16| {
        let [high, low] = (offset << 3 | more).to_be_bytes();
        (FRAGMENT, vec![0, high, low, 0, 0, 0, 1])
    };
    let part = |packet, extensions: &[_]| behind(packet, extensions).payload(64);
    let counted = || passed().because(Reason::Fragment);
    vec![
        with_ipv6("the first fragment is a packet, others are the stack's and counted")
            .front(part(datagram(), &[fragment(181, 1)]), counted())
            .front(part(datagram(), &[fragment(362, 0)]), counted())
            .front(
                part(syn(), &[fragment(0, 1)]),
                forwarded().opens(FIRST, SYN_RECV),
            )
            .back(
                part(ipv6(first(ACK)), &[fragment(0, 1)]),
                forwarded().state(ESTABLISHED),
            ),
        with_ipv6("a first fragment behind other extension headers").front(
            part(syn(), &[units(HOP_BY_HOP, 1), fragment(0, 1)]),
            forwarded().opens(FIRST, SYN_RECV),
        ),
        with_ipv6("a packet that is its own only fragment").front(
            part(syn(), &[fragment(0, 0)]),
            forwarded().opens(FIRST, SYN_RECV),
        ),
    ]
}

fn cut_short() -> Vec<Case> {
    let mut cut = with_ipv6("IPv6 frames cut short are the stack's");
    // At every place that matters.
    for bytes in (ETHERNET..ETHERNET + 40 + 18).step_by(3) {
        cut = cut.front(syn().cut(bytes), passed());
    }
    for bytes in ETHERNET + 40..ETHERNET + 40 + 8 {
        cut = cut.front(datagram().cut(bytes), passed());
    }
    let behind_options = || behind(syn(), &[units(OPTIONS, 2)]);
    for bytes in (ETHERNET + 40..ETHERNET + 40 + 16 + 18).step_by(3) {
        cut = cut.front(behind_options().cut(bytes), passed());
    }
    vec![
        cut,
        with_ipv6("a TCP segment of which the checksum is the last to arrive").front(
            syn().payload(5).cut(ETHERNET + 40 + 20),
            forwarded().opens(FIRST, SYN_RECV),
        ),
        with_ipv6("other services of the same address and hosts")
            .front(ipv6(from_client(ALICE, at(*HTTP.ip(), 81), SYN)), passed()),
    ]
}

/// A packet without a link header, of the length that all such have here.
fn without_link(packet: Packet) -> Packet {
    packet.payload(BARE_IPV6_PAYLOAD - 20).with(|packet| {
        packet.family = Family::V6;
        packet.link = Link::Bare;
    })
}

fn bare() -> Vec<Case> {
    let client = at(BARE_IPV6_CLIENT, 40_001);
    let server = at(BARE_IPV6_SERVER, 80);
    let opens = |server| forwarded().opens(server, SYN_RECV);
    let from = |flags| without_link(from_client(client, HTTP, flags));
    let bare_server = |world: &mut World| {
        world.services = vec![service(Protocol::Tcp, HTTP, &[(server, 1)])];
    };
    let answer = without_link(from_server(server, client, SYN | ACK));
    vec![
        with_ipv6("IPv6 packets without link headers, both ways")
            .world(bare_server)
            .on(Port::BareIpv6, from(SYN), opens(server))
            .on(Port::BareIpv6, answer, forwarded()),
        with_ipv6("IPv6 from an interface without link headers to one with them, and back")
            .on(Port::BareIpv6, from(SYN), opens(FIRST).resolved())
            .back(
                ipv6(from_server(FIRST, client, SYN | ACK)),
                forwarded().resolved(),
            ),
    ]
}

/// Two clients whose addresses have one digest: they are told apart all the same, but of two flows that
/// differ in nothing else the second cannot be had.
fn twins() -> Case {
    let [elder, younger] = hosts_with_one_digest();
    let syn = |host, port| {
        ipv6(from_client(at(host, port), HTTP, SYN)).with(|packet| {
            packet.link = Link::Ethernet {
                destination: FRONT_MAC,
                source: mac_of(FRONT_ROUTER),
            };
        })
    };
    let one_server = |world: &mut World| {
        world.services = vec![service(Protocol::Tcp, HTTP, &[(FIRST, 1)])];
    };
    let opens = || forwarded().opens(FIRST, SYN_RECV);
    let refused = || dropped(Reason::Contended);
    with_ipv6("clients whose addresses have one digest are told apart")
        .world(one_server)
        .front(syn(elder, 40_001), opens())
        .front(syn(younger, 40_001), refused())
        .front(syn(younger, 40_002), opens())
        .front(syn(elder, 40_002), refused())
        .front(syn(elder, 40_001), forwarded())
        .front(syn(younger, 40_002), forwarded())
        .back(
            ipv6(from_server(FIRST, at(younger, 40_001), SYN | ACK)),
            passed(),
        )
}

/// Two of many hosts, found by trying.
fn hosts_with_one_digest() -> [Ipv4Addr; 2] {
    let mut seen = HashMap::new();
    // Here and there: hosts in a row have digests far from each other.
    let hosts = (1..1 << 18).map(|host: u32| Ipv4Addr::from_bits(host.wrapping_mul(0x9e37_79b1)));
    for host in hosts {
        let IpAddr::V6(address) = Family::V6.address(host) else {
            unreachable!("an IPv4 address");
        };
        let digest = Address::new(address.octets()).digest(SECRETS);
        if let Some(other) = seen.insert(digest, host) {
            return [other, host];
        }
    }
    panic!("2^18 numbers of 28 bits, and no two are the same")
}
