//! What differs between IPv4 and IPv6 on the way of a packet. Everything else is one piece of code for
//! both, compiled for each.

use crate::abi::endpoint::{Endpoint, IPV6, tag};
use crate::abi::flow::{ONE_PACKET, WayBack};
use crate::abi::ipv6::Address;
use crate::abi::pointer::PointerKey;
use crate::abi::pool;
use crate::flow::Flow;
use crate::flow::ends::{server_address, virtual_address};
use crate::flow::lease;
use crate::flow::place::digest;
use crate::flow::tcp::Direction;
use crate::flow::way_back::{learn, learn_ipv6};
use crate::frame::Frame;
use crate::nat::{self, Rewrite, RewriteIpv6};
use crate::side::{self, Side};
use crate::tables::{Line, Tables};
use crate::wire::{self, Link, Packet, Parsed, ipv4, ipv6};

/// An address family. No value of it is ever made.
pub trait Family {
    /// What its protocols have in the tags of endpoint words besides their number.
    const TAG: u16;
    /// A client's whole address, where endpoint words have no room for it.
    type Client: Copy;

    /// Reads the headers behind `link`.
    fn parse<F: Frame>(frame: &F, link: Link) -> Parsed;

    /// Tells the side of a packet that carries this mark, or `None` if it is none of ours, and the client's
    /// address. `config` is line 0.
    fn tell<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        config: T::Line,
        packet: &mut Packet,
        mark: u32,
    ) -> Option<(Side, Self::Client)>;

    /// Whether a flow is the one that `key` names, as [`crate::flow::find`] has it.
    fn is(flow: &Flow, key: PointerKey, client: Self::Client) -> bool;

    /// Whether the endpoint `local`, to which a server's packet goes, may be one of the pool.
    fn is_of_pool<T: Tables>(tables: &T, local: u64) -> bool;

    /// Whether `packet`, which comes from a server, comes from the server of `flow`. The key by which
    /// the flow was found says so but for what a digest leaves out.
    fn is_from_server<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        packet: &Packet,
        flow: &Flow,
    ) -> bool;

    /// The whole address that the packet at offset `network` comes from, an IPv4 one in the lowest bits.
    fn source<F: Frame>(frame: &F, network: usize) -> Option<Address>;

    /// Gives the destination of a server's packet what stands for its address, and names it. `config` is line 0.
    fn peer<F: Frame, L: Line>(frame: &F, config: L, packet: &mut Packet) -> Option<Self::Client>;

    /// Whether a route leads through the director to where the packet at offset `network` goes, which came in
    /// by `interface`.
    fn is_routed<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        network: usize,
        interface: u32,
    ) -> bool;

    /// The client's address as a [`crate::flow::open::Wish`] has it.
    fn address(client: Self::Client) -> Address;

    /// The way back to the client of a flow that does not know it yet.
    fn way_back<T: Tables>(tables: &T, flow: &Flow) -> WayBack;

    /// Takes one from the packet's TTL or hop limit, and mends the header's checksum.
    fn age<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()>;

    /// Gives the packet the addresses and ports that its flow has for this direction.
    fn rewrite<F: Frame, T: Tables>(
        frame: &mut F,
        tables: &T,
        packet: &Packet,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()>;
}

/// IPv4: an address fits into an endpoint word.
pub enum Ipv4 {}

impl Family for Ipv4 {
    const TAG: u16 = 0;
    type Client = ();

    #[inline(always)]
    fn parse<F: Frame>(frame: &F, link: Link) -> Parsed {
        wire::parse_ipv4(frame, link)
    }

    #[inline(always)]
    fn tell<F: Frame, T: Tables>(
        _: &F,
        tables: &T,
        config: T::Line,
        packet: &mut Packet,
        mark: u32,
    ) -> Option<(Side, ())> {
        Some((side::tell(tables, config, packet, mark)?, ()))
    }

    #[inline(always)]
    fn is(flow: &Flow, key: PointerKey, (): ()) -> bool {
        let words = &flow.words;
        let PointerKey([first, second]) = key;
        let (a, b) = if tag(first) == 0 {
            (words.dest, words.local)
        } else {
            (words.client, words.virtual_)
        };
        a == first && b == second
    }

    #[inline(always)]
    fn is_of_pool<T: Tables>(tables: &T, local: u64) -> bool {
        lease::is_of_pool(tables, Endpoint::unpack(local).address)
    }

    #[inline(always)]
    fn is_from_server<F: Frame, T: Tables>(_: &F, _: &T, _: &Packet, _: &Flow) -> bool {
        true
    }

    #[inline(always)]
    fn source<F: Frame>(frame: &F, network: usize) -> Option<Address> {
        Some(Address([frame.read_u32(network + ipv4::SOURCE)? as u64, 0]))
    }

    #[inline(always)]
    fn peer<F: Frame, L: Line>(_: &F, _: L, _: &mut Packet) -> Option<()> {
        Some(())
    }

    #[inline(always)]
    fn is_routed<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        network: usize,
        interface: u32,
    ) -> bool {
        let destination = frame.read_u32(network + ipv4::DESTINATION);
        destination.is_some_and(|address| tables.route(address, interface).is_some())
    }

    #[inline(always)]
    fn address((): ()) -> Address {
        Address([0, 0])
    }

    #[inline(always)]
    fn way_back<T: Tables>(tables: &T, flow: &Flow) -> WayBack {
        let client = Endpoint::unpack(flow.words.client).address;
        WayBack(learn(tables, flow.number, flow.way_back.0, client))
    }

    #[inline(always)]
    fn age<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()> {
        nat::age(frame, packet.network())
    }

    #[inline(always)]
    fn rewrite<F: Frame, T: Tables>(
        frame: &mut F,
        _: &T,
        packet: &Packet,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()> {
        let words = &flow.words;
        let (source, destination) = match direction {
            Direction::ToServer | Direction::OneWay => (words.local, words.dest),
            Direction::ToClient => (words.virtual_, words.client),
        };
        let new = Rewrite {
            source: Endpoint::unpack(source),
            destination: Endpoint::unpack(destination),
        };
        frame.rewrite(packet.headers(), new)
    }
}

/// IPv6: endpoint words hold digests of addresses; the whole ones lie in the flow's line, the server's
/// settings and the service's line.
pub enum Ipv6 {}

impl Family for Ipv6 {
    const TAG: u16 = IPV6;
    type Client = Address;

    #[inline(always)]
    fn parse<F: Frame>(frame: &F, link: Link) -> Parsed {
        wire::parse_ipv6(frame, link)
    }

    #[inline(always)]
    fn tell<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        config: T::Line,
        packet: &mut Packet,
        _: u32,
    ) -> Option<(Side, Address)> {
        side::tell_ipv6(frame, tables, config, packet)
    }

    #[inline(always)]
    fn is(flow: &Flow, key: PointerKey, client: Address) -> bool {
        let words = &flow.words;
        let PointerKey([first, second]) = key;
        let ports = words.ports();
        let from_server = tag(first) == 0;
        // The word with the protocol and the client's port.
        let (end, port) = if from_server {
            (second, ports.local)
        } else {
            (first, ports.client)
        };
        let same_peer = if from_server {
            words.dest << 16 == first << 16
        } else {
            (ports.service, ports.virtual_) == (tag(second), Endpoint::unpack(second).port)
        };
        let same_client = match flow.owner.pool() {
            number if from_server && number != 0 => {
                Endpoint::unpack(second).address == pool::stand_in(number)
            }
            _ => words.address() == client,
        };
        same_client
            && same_peer
            && tag(words.client) == tag(end)
            && port == Endpoint::unpack(end).port
    }

    #[inline(always)]
    fn is_of_pool<T: Tables>(_: &T, local: u64) -> bool {
        pool::is_stand_in(Endpoint::unpack(local).address)
    }

    #[inline(always)]
    fn is_from_server<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        packet: &Packet,
        flow: &Flow,
    ) -> bool {
        let source = ipv6::address(frame, packet.network() + ipv6::SOURCE);
        match (tables.dest(flow.owner.dest()), source) {
            (Some(settings), Some(source)) => server_address(settings) == source,
            _ => false,
        }
    }

    #[inline(always)]
    fn source<F: Frame>(frame: &F, network: usize) -> Option<Address> {
        ipv6::address(frame, network + ipv6::SOURCE)
    }

    #[inline(always)]
    fn peer<F: Frame, L: Line>(frame: &F, config: L, packet: &mut Packet) -> Option<Address> {
        let peer = ipv6::address(frame, packet.network() + ipv6::DESTINATION)?;
        packet.destination.address = digest(config, peer);
        Some(peer)
    }

    #[inline(always)]
    fn is_routed<F: Frame, T: Tables>(
        frame: &F,
        tables: &T,
        network: usize,
        interface: u32,
    ) -> bool {
        let destination = ipv6::address(frame, network + ipv6::DESTINATION);
        destination.is_some_and(|address| tables.route_ipv6(address, interface).is_some())
    }

    #[inline(always)]
    fn address(client: Address) -> Address {
        client
    }

    #[inline(always)]
    fn way_back<T: Tables>(tables: &T, flow: &Flow) -> WayBack {
        let Address([first, second]) = flow.words.address();
        let known = flow.way_back.0;
        WayBack(learn_ipv6(tables, flow.number, known, first, second))
    }

    #[inline(always)]
    fn age<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()> {
        nat::age_ipv6(frame, packet.network())
    }

    #[inline(always)]
    fn rewrite<F: Frame, T: Tables>(
        frame: &mut F,
        tables: &T,
        packet: &Packet,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()> {
        if flow.owner.pool() != 0 {
            let (place, address) = lease::other_address(tables, flow, direction)?;
            frame.rewrite_address(packet.headers(), place, address)?;
        }
        let ports = flow.words.ports();
        let new = match direction {
            Direction::ToServer | Direction::OneWay => RewriteIpv6 {
                place: ipv6::DESTINATION,
                address: server_address(tables.dest(flow.owner.dest())?),
                source: ports.local,
                destination: Endpoint::unpack(flow.words.dest).port,
            },
            Direction::ToClient => {
                let service = tables.service((ports.service & !ONE_PACKET) as u32)?;
                RewriteIpv6 {
                    place: ipv6::SOURCE,
                    address: virtual_address(service),
                    source: ports.virtual_,
                    destination: ports.client,
                }
            }
        };
        frame.rewrite_ipv6(packet.headers(), new)
    }
}
