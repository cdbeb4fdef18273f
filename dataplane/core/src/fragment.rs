//! Fragments. The first one of a packet has its ports, and goes the way of all packets; where it goes is [remembered](remember()) under what
//! all of them have in common ([`crate::abi::fragment`]), and the others [`follow`].
//!
//! One that comes before the first cannot be held back here, nor given to somebody who could: it is left to the stack, and its
//! packet is lost, if it is one of ours, as one of those that the network loses. Nothing is put together, so checksums that
//! cover the whole packet must be mended without it; of SCTP that needs its length, which no first fragment says, so
//! SCTP in fragments wants a server with the service's port.
//!
//! IPVS sees whole packets (`ip_vs_gather_frags`) and counts them as such, and so the fragments are counted: one packet, and
//! one header.
//!
//! The eBPF programs make both functions ones that are verified by themselves, for each family.

use crate::abi::fragment::{FragmentKey, Known};
use crate::abi::ipv6::Address;
use crate::abi::pointer::Pointer;
use crate::abi::reason::Reason;
use crate::director::link_of;
use crate::errand::Errand;
use crate::family::{Ipv4, Ipv6};
use crate::flow::ends::{server_address, virtual_address};
use crate::flow::lease;
use crate::flow::tcp::Direction;
use crate::flow::{self, Flow};
use crate::frame::Frame;
use crate::icmp::Quoting;
use crate::tables::{Tables, count};
use crate::verdict::{Arrival, Hook, Verdict};
use crate::wire::{Link, Packet, Tcp, ipv4, ipv6};
use crate::{abi, method, nat};

/// A fragment.
pub struct Piece {
    /// What it has in common with the other ones of its packet.
    pub key: FragmentKey,
    /// Its length with the IP header, bytes.
    pub length: u32,
    /// Bytes of headers that each fragment has, of which the whole packet has one.
    pub header: u32,
    /// Time to live, or hop limit.
    pub ttl: u8,
}

/// A family whose packets are cut.
pub trait Cut: Quoting {
    /// Reads the fragment behind `link`.
    fn piece<F: Frame>(frame: &F, link: Link) -> Option<Piece>;

    /// Gives a later fragment the addresses that its flow has for this direction, and takes one from its TTL.
    fn readdress<F: Frame, T: Tables>(
        frame: &mut F,
        tables: &T,
        network: usize,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()>;
}

/// Notes where the first fragment behind `link` goes: `pointer` to its flow, and its direction as a number.
#[inline(always)]
pub fn remember<A: Cut, F: Frame, T: Tables>(
    frame: &F,
    tables: &T,
    link: Link,
    pointer: Pointer,
    direction: u32,
) {
    if let Some(piece) = A::piece(frame, link) {
        let known = Known::new(pointer, direction, tables.now());
        tables.set_fragment(&piece.key, known);
    }
}

/// What becomes of a later fragment that came in so: a [`Verdict`], packed.
#[inline(always)]
pub fn follow<A: Cut, F: Frame, T: Tables>(frame: &mut F, tables: &T, arrival: Arrival) -> u64 {
    match decide::<A, F, T>(frame, tables, arrival) {
        Some(verdict) => verdict.pack(),
        None => {
            // What XDP passes, the tc program sees again, and counts.
            if arrival.hook == Hook::Tc {
                count(tables, Reason::Fragment);
            }
            Verdict::Pass.pack()
        }
    }
}

/// `None`: of a packet that is not known.
#[inline(always)]
fn decide<A: Cut, F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    arrival: Arrival,
) -> Option<Verdict> {
    let (link, _) = link_of(frame, tables, arrival)?;
    let piece = A::piece(frame, link)?;
    let known = tables.fragment(&piece.key)?;
    let pointer = known.pointer();
    if !known.holds(tables.now()) {
        return None;
    }
    let flow = flow::read(tables.flow(pointer.line())?, pointer.line())?;
    if flow.control.generation() != pointer.generation() {
        return None;
    }
    let direction = Direction::from_number(known.direction());
    let errand = Errand {
        tables,
        hook: arrival.hook,
        packet: as_packet(link, &piece),
    };
    let hop = match errand.hop::<A>(&flow, arrival.interface, direction) {
        Ok(hop) => hop,
        Err(verdict) => return Some(verdict),
    };
    if piece.length > hop.mtu as u32 && hop.mtu != 0 && direction != Direction::OneWay {
        return Some(errand.drop(Reason::TooBig));
    }
    errand.count(&flow, direction, 0, piece.length.wrapping_sub(piece.header));
    if direction == Direction::OneWay {
        return match method::forward::<A, F, T>(frame, tables, &errand.packet, &flow, &hop)? {
            Verdict::Tell { .. } => Some(Verdict::Drop),
            verdict => Some(verdict),
        };
    }
    if hop.trusted {
        nat::readdress(frame, link, &hop)?;
    }
    A::readdress(frame, tables, link.length(), &flow, direction)?;
    let interface = hop.interface;
    if hop.trusted {
        return Some(Verdict::Transmit { interface });
    }
    count(tables, Reason::Resolved);
    Some(Verdict::Resolve { interface })
}

/// The fragment as a packet of no protocol.
#[inline(always)]
fn as_packet(link: Link, piece: &Piece) -> Packet {
    let none = abi::endpoint::Endpoint {
        address: 0,
        port: 0,
    };
    Packet {
        link,
        transport: link.length() + piece.header as usize,
        length: piece.length,
        ttl: piece.ttl,
        protocol: 0,
        more: false,
        source: none,
        destination: none,
        tcp: Tcp::default(),
    }
}

impl Cut for Ipv4 {
    #[inline(always)]
    fn piece<F: Frame>(frame: &F, link: Link) -> Option<Piece> {
        let network = link.length();
        let ip = ipv4::parse(frame, network)?;
        let id = frame.read_u16(network + ipv4::ID)?;
        Some(Piece {
            key: FragmentKey::new(ip.source, ip.destination, id, ip.protocol),
            length: ip.length as u32,
            header: ip.header as u32,
            ttl: ip.ttl,
        })
    }

    #[inline(always)]
    fn readdress<F: Frame, T: Tables>(
        frame: &mut F,
        _: &T,
        network: usize,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()> {
        let words = &flow.words;
        let (source, destination) = match direction {
            Direction::ToServer | Direction::OneWay => (words.local, words.dest),
            Direction::ToClient => (words.virtual_, words.client),
        };
        nat::relabel(frame, network, source as u32, destination as u32, 1)?;
        Some(())
    }
}

impl Cut for Ipv6 {
    #[inline(always)]
    fn piece<F: Frame>(frame: &F, link: Link) -> Option<Piece> {
        let network = link.length();
        let ip = ipv6::parse(frame, network)?;
        let first = network + ipv6::HEADER;
        // On the spot: a call would need stack that is not there ([`remember`] is called deep down).
        let upper = ipv6::skip(frame, first, ip.next);
        // Of the first one the header that it was found behind, of another one the header at which the search has ended.
        let header = match upper.fragment {
            0 if upper.is_later() => upper.offset,
            0 => return None,
            found => found,
        };
        let id = frame.read_u32(header + 4)?;
        let source = ipv6::address(frame, network + ipv6::SOURCE)?;
        let destination = ipv6::address(frame, network + ipv6::DESTINATION)?;
        Some(Piece {
            key: FragmentKey::ipv6(source, destination, id),
            length: ip.payload as u32 + ipv6::HEADER as u32,
            header: (header + ipv6::FRAGMENT_HEADER).wrapping_sub(network) as u32,
            ttl: ip.limit,
        })
    }

    #[inline(always)]
    fn readdress<F: Frame, T: Tables>(
        frame: &mut F,
        tables: &T,
        network: usize,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()> {
        let (place, address): (usize, Address) = match direction {
            Direction::ToServer | Direction::OneWay => (
                ipv6::DESTINATION,
                server_address(tables.dest(flow.owner.dest())?),
            ),
            Direction::ToClient => {
                let service = flow.words.ports().service & !abi::flow::ONE_PACKET;
                (
                    ipv6::SOURCE,
                    virtual_address(tables.service(service as u32)?),
                )
            }
        };
        nat::age_ipv6(frame, network)?;
        let mut difference = nat::replace(frame, network + place, address)?;
        if let Some((place, address)) = lease::other_address(tables, flow, direction) {
            difference += nat::replace(frame, network + place, address)?;
        }
        // No checksum in this fragment makes up for it.
        frame.sum_has_changed(difference);
        Some(())
    }
}
