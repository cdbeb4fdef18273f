//! The IPv4 header: options, TTL, lengths, fragments, other protocols, and frames cut short.

use ferrovs_core::abi::{
    reason::Reason,
    state::{ESTABLISHED, SYN_RECV, UDP},
};

use super::{ALICE, FIRST, alice, client, first, from_client};
use crate::{
    case::{Case, case, expired, forwarded, passed},
    packet::{ACK, Packet, SYN, Transport, at},
    world::{DNS, HTTP, RIP_143},
};

/// Bytes before the IP header.
const ETHERNET: usize = 14;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;

pub(super) fn cases() -> Vec<Case> {
    [headers(), times_to_live(), fragments(), cut_short()].concat()
}

fn datagram() -> Packet {
    from_client(ALICE, DNS, 0).with(|packet| packet.transport = Transport::Udp { checksum: true })
}

fn other(protocol: u8) -> Packet {
    let packet = alice(0).payload(24);
    packet.with(|packet| packet.transport = Transport::Other(protocol))
}

fn headers() -> Vec<Case> {
    let mut options = case("IP options of every length, both ways").established();
    for words in 0..=10 {
        options = options
            .front(alice(ACK).options(words * 4).payload(11), forwarded())
            .back(first(ACK).options(words * 4).payload(12), forwarded());
    }
    let mut other_versions = case("an IP header of another version is the stack's");
    for version in [0, 3, 5, 6, 15] {
        other_versions = other_versions.front(
            alice(SYN).with(|packet| packet.version = Some(version)),
            passed(),
        );
    }
    let mut short_headers = case("an IP header of fewer than five words is the stack's");
    for words in 0..5 {
        let short = alice(SYN).with(|packet| packet.header_words = Some(words));
        short_headers = short_headers.front(short, passed());
    }
    let mut lengths = case("a total length without room for the headers is the stack's");
    for length in [0, 1, 19, 20, 21, 39] {
        let short = alice(SYN).with(|packet| packet.total_length = Some(length));
        lengths = lengths.front(short, passed());
    }
    for length in [20, 27] {
        let short = datagram().with(|packet| packet.total_length = Some(length));
        lengths = lengths.front(short, passed());
    }
    let with_options = alice(SYN).options(8);
    let short = with_options.with(|packet| packet.total_length = Some(47));
    lengths = lengths.front(short, passed());
    let mut protocols =
        case("other protocols are the stack's: ICMP, IGMP, GRE, ESP, DCCP, 0 and 255");
    for protocol in [1, 2, 47, 50, 33, 0, 255] {
        protocols = protocols.front(other(protocol), passed());
    }
    vec![
        options,
        case("options in a UDP packet").front(
            datagram().options(40).payload(3),
            forwarded().opens(at(RIP_143, 53), UDP),
        ),
        other_versions,
        short_headers,
        lengths,
        protocols,
    ]
}

fn times_to_live() -> Vec<Case> {
    vec![
        case("a TTL of 2 leaves 1")
            .front(alice(SYN).ttl(2), forwarded().opens(FIRST, SYN_RECV))
            .back(first(SYN | ACK).ttl(2), forwarded()),
        case("a TTL of 255 leaves 254")
            .front(alice(SYN).ttl(255), forwarded().opens(FIRST, SYN_RECV)),
        case("a TTL of 1 or 0 ends here and changes nothing about the flow")
            .answered()
            .front(alice(ACK).ttl(1), expired())
            .front(alice(ACK).ttl(0), expired())
            .back(first(ACK).ttl(1), expired().by_director())
            .back(first(ACK).ttl(0), expired().by_director())
            .front(alice(ACK), forwarded().state(ESTABLISHED).protects()),
        case("a SYN whose TTL ends here still opens its flow, as in IPVS")
            .front(alice(SYN).ttl(1), expired().opens(FIRST, SYN_RECV))
            .front(alice(SYN).ttl(64), forwarded()),
        case("a TTL of 1 does not matter to what is not ours")
            .front(alice(ACK).ttl(1), passed().because(Reason::NoFlow))
            .front(from_client(ALICE, at(*HTTP.ip(), 81), SYN).ttl(1), passed()),
    ]
}

fn fragments() -> Vec<Case> {
    let fragment = |word| alice(SYN).payload(64).with(|packet| packet.fragment = word);
    let seen = || passed().because(Reason::Fragment);
    vec![
        case("the first fragment is a packet")
            .front(fragment(MORE_FRAGMENTS), forwarded().opens(FIRST, SYN_RECV)),
        case("a fragment in the middle").front(fragment(MORE_FRAGMENTS | 185), seen()),
        case("the last fragment").front(fragment(185), seen()),
        case("a packet that must not be fragmented is no fragment")
            .front(fragment(DONT_FRAGMENT), forwarded().opens(FIRST, SYN_RECV))
            .front(fragment(0x8000), forwarded()),
    ]
}

fn cut_short() -> Vec<Case> {
    let every_length = |name, packet: Packet| {
        let length = packet.bytes().len();
        (0..length).fold(case(name), |case, bytes| {
            case.front(packet.clone().cut(bytes), passed())
        })
    };
    let tagged = alice(SYN).with(|packet| {
        if let crate::packet::Link::Ethernet {
            destination,
            source,
        } = packet.link
        {
            packet.link = crate::packet::Link::Tagged {
                destination,
                source,
                tag: 5,
            };
        }
    });
    let headers = ETHERNET + 20 + 20;
    vec![
        every_length("a TCP frame cut anywhere in its headers", alice(SYN)),
        every_length("a tagged TCP frame cut anywhere in its headers", tagged),
        every_length(
            "a TCP frame with options cut anywhere in its headers",
            alice(SYN).options(40),
        ),
        every_length("a UDP frame cut anywhere in its headers", datagram()),
        case("a frame whose payload is cut keeps its headers' promises")
            .front(
                from_client(client(40_001), HTTP, SYN)
                    .payload(1400)
                    .cut(headers),
                forwarded().opens(FIRST, SYN_RECV),
            )
            .front(alice(SYN).payload(1400).cut(headers + 700), forwarded()),
    ]
}
