//! What differs between ICMP and ICMPv6 on the way of an error.

use crate::abi::endpoint::Endpoint;
use crate::abi::flow::ONE_PACKET;
use crate::family::{Family, Ipv4, Ipv6};
use crate::flow::Flow;
use crate::flow::ends::{server_address, virtual_address};
use crate::flow::tcp::Direction;
use crate::frame::Frame;
use crate::nat::{Rewrite, error};
use crate::tables::Tables;
use crate::wire::icmp::{self, Error};
use crate::wire::{Link, ipv4, ipv6};

/// A family whose errors quote its packets.
pub trait Quoting: Family {
    /// Reads the error behind `link`, if it is one about a packet of ours.
    fn error<F: Frame>(frame: &F, link: Link) -> Option<Error>;

    /// Whether the error is for who has sent the packet that it quotes.
    fn is_for_sender<F: Frame>(frame: &F, error: &Error) -> bool;

    /// Finds the flow of the quoted packet, as [`super::find`] does.
    fn find<F: Frame, T: Tables>(frame: &F, tables: &T, error: &Error) -> Option<u64>;

    /// Sends the error on to the other end of the flow, whose packet it quotes then.
    fn restate<F: Frame, T: Tables>(
        frame: &mut F,
        tables: &T,
        error: &Error,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()>;
}

impl Quoting for Ipv4 {
    #[inline(always)]
    fn error<F: Frame>(frame: &F, link: Link) -> Option<Error> {
        icmp::parse_ipv4(frame, link)
    }

    #[inline(always)]
    fn is_for_sender<F: Frame>(frame: &F, error: &Error) -> bool {
        let destination = frame.read_u32(error.answer.network() + ipv4::DESTINATION);
        destination.is_some_and(|address| address == error.answer.destination.address)
    }

    #[inline(always)]
    fn find<F: Frame, T: Tables>(frame: &F, tables: &T, error: &Error) -> Option<u64> {
        let answer = &error.answer;
        let protocol = answer.protocol as u16;
        let (source, destination) = (
            answer.source.pack(protocol),
            answer.destination.pack(protocol),
        );
        Some(tables.quoted(source, destination, frame.mark()))
    }

    #[inline(always)]
    fn restate<F: Frame, T: Tables>(
        frame: &mut F,
        _: &T,
        error: &Error,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()> {
        let words = &flow.words;
        let (sender, receiver) = match direction {
            Direction::ToServer | Direction::OneWay => (words.dest, words.local),
            Direction::ToClient => (words.client, words.virtual_),
        };
        let quoted = Rewrite {
            source: Endpoint::unpack(sender),
            destination: Endpoint::unpack(receiver),
        };
        let speaker = match direction {
            Direction::ToClient => quoted.destination.address,
            Direction::ToServer | Direction::OneWay => 0,
        };
        error::rewrite(frame, error, speaker, quoted)
    }
}

impl Quoting for Ipv6 {
    #[inline(always)]
    fn error<F: Frame>(frame: &F, link: Link) -> Option<Error> {
        icmp::parse_ipv6(frame, link)
    }

    #[inline(always)]
    fn is_for_sender<F: Frame>(frame: &F, error: &Error) -> bool {
        let destination = error.answer.network() + ipv6::DESTINATION;
        let sender = error.quoted.network + ipv6::SOURCE;
        // All of it has been read before. A number for what cannot be read: no comparison of what has no value.
        let word = |offset| frame.read_u64(offset).unwrap_or(0);
        let difference =
            (word(destination) ^ word(sender)) | (word(destination + 8) ^ word(sender + 8));
        difference == 0
    }

    #[inline(always)]
    fn find<F: Frame, T: Tables>(frame: &F, tables: &T, error: &Error) -> Option<u64> {
        let answer = &error.answer;
        let source = ipv6::address(frame, error.quoted.network + ipv6::DESTINATION)?;
        let destination = ipv6::address(frame, error.quoted.network + ipv6::SOURCE)?;
        let rest = answer.source.port as u64
            | (answer.destination.port as u64) << 16
            | (answer.protocol as u64) << 32;
        Some(tables.quoted_ipv6(source, destination, rest))
    }

    #[inline(always)]
    fn restate<F: Frame, T: Tables>(
        frame: &mut F,
        tables: &T,
        error: &Error,
        flow: &Flow,
        direction: Direction,
    ) -> Option<()> {
        let ports = flow.words.ports();
        let end = |port| Endpoint { address: 0, port };
        let ([outer, inner], address, sender, receiver) = match direction {
            Direction::ToServer | Direction::OneWay => (
                error::place::TO_SERVER,
                server_address(tables.dest(flow.owner.dest())?),
                Endpoint::unpack(flow.words.dest).port,
                ports.local,
            ),
            Direction::ToClient => {
                let service = tables.service((ports.service & !ONE_PACKET) as u32)?;
                (
                    error::place::TO_CLIENT,
                    virtual_address(service),
                    ports.client,
                    ports.virtual_,
                )
            }
        };
        let quoted = Rewrite {
            source: end(sender),
            destination: end(receiver),
        };
        error::rewrite_ipv6(frame, error, outer, inner, address, quoted)
    }
}
