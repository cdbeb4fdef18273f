//! Tunnelling (LVS-TUN, `ip_vs_tunnel_xmit` and `ip_vs_tunnel_xmit_v6`): the packet wrapped into another one for
//! the server, which unwraps it and answers the client itself.
//!
//! The outer header is IPv4's or IPv6's, as the server's address is ([`outer`]), with traffic class and TTL of the
//! packet in it (`ip_vs_prepare_tunneled_skb`), and for an IPv4 packet in an IPv4 one its DF. Behind it stands
//! nothing ([IP in IP](https://www.rfc-editor.org/rfc/rfc2003)), or the header of [`gue`] or [`gre`]. Its source
//! address is the one that the kernel's routes say, which the daemon has written beside the server's settings.
//!
//! [`wrap`] is off the way of other packets: the eBPF programs make it a function that the verifier judges by
//! itself, by way of [`Frame::wrap`].

mod gre;
mod gue;
mod inner;
mod outer;

use crate::abi::answer::Request;
use crate::abi::dest::{self, Method};
use crate::abi::ipv6::Address;
use crate::abi::next_hop;
use crate::abi::reason::Reason;
use crate::flow::Flow;
use crate::frame::Frame;
use crate::hop::Hop;
use crate::nat::readdress;
use crate::tables::{Half, Line, Tables, count};
use crate::verdict::Verdict;
use crate::wire::transport::UDP_HEADER;
use crate::wire::{Headers, Packet, UDP};
use inner::Inner;
use outer::Ends;

/// Where outer headers are to be.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialEq, Eq))]
pub struct Room {
    /// Length of the link header before them, bytes.
    pub link: usize,
    /// Their own length, bytes: 20 to 52.
    pub bytes: usize,
    /// What they are.
    pub method: Method,
    /// Whether the first is an IPv6 header.
    pub ipv6: bool,
    /// Of a packet that stands for several: whether each of those fits into the MTU with its headers. If not,
    /// they have to become smaller.
    pub fits: bool,
}

/// Longest TCP header, bytes.
const TCP_HEADER: usize = 60;

/// Wraps the packet for the server of its flow, and readdresses the frame, or leaves that to the kernel if `hop`
/// cannot be trusted.
#[inline(always)]
pub(super) fn forward<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    packet: &Packet,
    flow: &Flow,
    hop: &Hop,
) -> Option<Verdict> {
    let refusal = Refusal(frame.wrap(tables, flow.owner.dest(), packet.headers()));
    if let Some(reason) = refusal.reason() {
        count(tables, reason);
        return Some(match refusal.mtu() {
            0 => Verdict::Drop,
            mtu => Verdict::Tell {
                request: Request::too_big(false, mtu),
            },
        });
    }
    if hop.trusted {
        readdress(frame, packet.link, hop)?;
        return Some(Verdict::Transmit {
            interface: hop.interface,
        });
    }
    count(tables, Reason::Resolved);
    Some(Verdict::Resolve {
        interface: hop.interface,
    })
}

/// Takes one from the TTL of the packet with these headers, and wraps it for server `dest`. 0, or a
/// [`Refusal`]: then the packet is untouched.
#[inline(always)]
pub fn wrap<F: Frame, T: Tables>(frame: &mut F, tables: &T, dest: u32, headers: Headers) -> u64 {
    match put(frame, tables, dest, headers) {
        Ok(()) => 0,
        Err(Refusal(word)) => word,
    }
}

/// Why a packet is not wrapped, in one number that is not 0: bits 0..8 the reason's number plus one, 32..64 the
/// length of packets that would fit, if its sender is to be told.
struct Refusal(u64);

impl Refusal {
    /// For this reason.
    #[inline(always)]
    const fn because(reason: Reason) -> Self {
        Self(reason as u64 + 1)
    }

    /// Longer than `mtu`.
    #[inline(always)]
    const fn too_big(mtu: usize) -> Self {
        Self(Self::because(Reason::TunnelMtu).0 | (mtu as u64) << 32)
    }

    #[inline(always)]
    const fn reason(&self) -> Option<Reason> {
        match self.0 as u8 {
            0 => None,
            word => Reason::from_number(word - 1),
        }
    }

    #[inline(always)]
    const fn mtu(&self) -> u32 {
        (self.0 >> 32) as u32
    }
}

#[inline(always)]
fn put<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    dest: u32,
    headers: Headers,
) -> Result<(), Refusal> {
    let failed = || Refusal::because(Reason::TunnelFailed);
    let (Some(settings), Some(tunnel)) = (tables.dest(dest), tables.tunnel(dest)) else {
        return Err(failed());
    };
    let ends = Ends { settings, tunnel };
    if ends.source() == Address([0, 0]) {
        return Err(Refusal::because(Reason::NoRoute));
    }
    let mode = settings.load(dest::MODE);
    let inner = Inner::read(frame, headers.network).ok_or_else(failed)?;
    let shim = shim(mode);
    let bytes = outer::length(ends.is_ipv6()) + shim;
    let mtu = mtu(tables, settings);
    let fits = mtu == 0 || longest(frame, headers, inner) + bytes <= mtu;
    if !fits && (frame.segment() == 0 || headers.protocol == UDP) {
        // Whoever has not set DF expects his packet to be cut, and learns nothing from being told.
        return Err(if inner.is_ipv6() || inner.fragment() != 0 {
            Refusal::too_big(mtu.saturating_sub(bytes))
        } else {
            Refusal::because(Reason::TunnelMtu)
        });
    }
    let sum = if mode & dest::CHECKSUM == 0 || frame.segment() != 0 {
        None
    } else {
        inner.sum(frame, headers)
    };
    if Method::of(mode) == Method::Gre && mode & dest::CHECKSUM != 0 && sum.is_none() {
        return Err(Refusal::because(Reason::TunnelChecksum));
    }
    let entropy = inner.entropy(frame, headers).ok_or_else(failed)?;
    let room = Room {
        link: headers.network,
        bytes,
        method: Method::of(mode),
        ipv6: ends.is_ipv6(),
        fits,
    };
    frame.make_room(room).ok_or_else(failed)?;
    fill(frame, tables, dest, headers.network, bytes, sum, entropy).ok_or_else(failed)
}

/// Writes the headers into the `bytes` of room at `network`, before the packet, whose TTL has one less then.
#[inline(always)]
fn fill<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    dest: u32,
    network: usize,
    bytes: usize,
    sum: Option<u32>,
    entropy: u32,
) -> Option<()> {
    // Read anew what was known before: stack is short.
    let inner = Inner::read(frame, network + bytes)?.age(frame, network + bytes)?;
    let ends = Ends {
        settings: tables.dest(dest)?,
        tunnel: tables.tunnel(dest)?,
    };
    let mode = ends.settings.load(dest::MODE);
    let behind = network + outer::length(ends.is_ipv6());
    let length = network + bytes - behind + inner.length();
    let protocol = match Method::of(mode) {
        Method::Gue => {
            let about = gue::About {
                port: dest::tunnel_port(mode),
                entropy,
                protocol: inner.protocol(),
                length,
            };
            let sum = sum.map(|sum| sum + ends.pseudo(UDP, length));
            gue::write(frame, behind, &about, sum)?;
            UDP
        }
        Method::Gre => {
            gre::write(frame, behind, inner.ethertype(), sum)?;
            gre::PROTOCOL
        }
        _ => inner.protocol(),
    };
    outer::write(frame, network, ends, protocol, inner, length)
}

/// The MTU of the link towards the server with these settings, bytes; 0: not known.
#[inline(always)]
fn mtu<T: Tables>(tables: &T, settings: Half<T::Line>) -> usize {
    let hop = tables.next_hop(settings.load(dest::NEXT_HOP) as u32);
    hop.map_or(0, |hop| next_hop::mtu(hop.load(next_hop::LINK)) as usize)
}

/// Bytes between the outer IP header and the packet, for a server with this mode.
#[inline(always)]
const fn shim(mode: u64) -> usize {
    match Method::of(mode) {
        Method::Gue => gue::LENGTH,
        Method::Gre => gre::length(mode),
        _ => 0,
    }
}

/// Length of the packet, or at most of those for which it stands.
#[inline(always)]
fn longest<F: Frame>(frame: &F, headers: Headers, inner: Inner) -> usize {
    if frame.segment() == 0 {
        return inner.length();
    }
    let header = if headers.protocol == UDP {
        UDP_HEADER
    } else {
        TCP_HEADER
    };
    headers.transport - headers.network + header + frame.segment() as usize
}
