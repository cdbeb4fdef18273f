//! The core's functions on a packet that the verifier judges once, by themselves: global functions, which take plain
//! numbers besides the context.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use ferrovs_core::abi::answer::Request;
use ferrovs_core::abi::endpoint::{Endpoint, tag};
use ferrovs_core::abi::ipv6::Address;
use ferrovs_core::answer::{Question, answer};
use ferrovs_core::method::tunnel::wrap;
use ferrovs_core::nat::{Rewrite, RewriteIpv6, crc32c, rewrite, rewrite_address, rewrite_ipv6};
use ferrovs_core::wire::Headers;
use ferrovs_core::wire::ipv6::skip;
use ferrovs_core::wire::sctp;

use super::{SkbFrame, XdpFrame};
use crate::maps::Maps;

/// The methods of [`Frame`](ferrovs_core::frame::Frame) that are calls of these functions.
macro_rules! calls {
    ($skip:ident, $sctp:ident, $mend_crc:ident, $address:ident, $answer:ident, $wrap:ident) => {
        #[inline(always)]
        fn skip_extensions(&self, offset: usize, next: u8) -> Upper {
            Upper::unpack($skip(self.0, offset as u64, u64::from(next)))
        }

        #[inline(always)]
        fn read_sctp(&self, offset: usize, payload: u16) -> u64 {
            $sctp(self.0, offset as u64, u64::from(payload))
        }

        #[inline(always)]
        fn times(one: u32, other: u32) -> u32 {
            ferrovs_times(one, other)
        }

        #[inline(always)]
        fn mend_crc(&mut self, offset: usize, length: u32, change: u32) -> Option<()> {
            done($mend_crc(self.0, offset as u64, length, change))
        }

        #[inline(always)]
        fn rewrite_address(
            &mut self,
            headers: Headers,
            place: usize,
            address: Address,
        ) -> Option<()> {
            let Address([first, second]) = address;
            done($address(
                self.0,
                first,
                second,
                headers.pack(),
                place as u32,
            ))
        }

        #[inline(always)]
        fn answer<T: Tables>(&self, _: &T, question: Question) {
            let (network, interface) = (question.network as u64, u64::from(question.interface));
            $answer(self.0, network, interface, question.request.0);
        }

        #[inline(always)]
        fn wrap<T: Tables>(&mut self, _: &T, dest: u32, headers: Headers) -> u64 {
            $wrap(self.0, dest, headers.pack())
        }
    };
}
pub(super) use calls;

/// The two halves of [`Headers::pack`] go with an endpoint each.
#[inline(always)]
pub(super) fn pack(headers: Headers, new: Rewrite) -> [u64; 2] {
    let headers = headers.pack();
    [
        new.source.pack(headers as u16),
        new.destination.pack((headers >> 16) as u16),
    ]
}

#[inline(always)]
fn unpack(source: u64, destination: u64) -> (Headers, Rewrite) {
    let headers = u32::from(tag(source)) | u32::from(tag(destination)) << 16;
    let new = Rewrite {
        source: Endpoint::unpack(source),
        destination: Endpoint::unpack(destination),
    };
    (Headers::unpack(headers), new)
}

/// The address, headers (bits 0..24) and the place (32..64), and the ports.
#[inline(always)]
pub(super) fn pack_ipv6(headers: Headers, new: RewriteIpv6) -> [u64; 4] {
    let Address([first, second]) = new.address;
    [
        first,
        second,
        u64::from(headers.pack()) | (new.place as u64) << 32,
        u64::from(new.source) | u64::from(new.destination) << 16,
    ]
}

#[inline(always)]
fn unpack_ipv6(first: u64, second: u64, rest: u64, ports: u64) -> (Headers, RewriteIpv6) {
    let new = RewriteIpv6 {
        place: (rest >> 32) as usize,
        address: Address([first, second]),
        source: ports as u16,
        destination: (ports >> 16) as u16,
    };
    (Headers::unpack(rest as u32), new)
}

/// Not zero: done.
#[inline(always)]
pub(super) fn done(answer: u64) -> Option<()> {
    if answer == 0 { None } else { Some(()) }
}

/// What [`answer`] is told, from plain numbers.
#[inline(always)]
fn question(network: u64, interface: u64, request: u64) -> Question {
    Question {
        // No link header is longer (at most 18 bytes), and the verifier sees it.
        network: network as usize & 31,
        interface: interface as u32,
        request: Request(request),
    }
}

macro_rules! functions {
    ($context:ty, $frame:ident, $skip:ident, $sctp:ident, $mend_crc:ident, $address:ident, $answer:ident, $wrap:ident) => {
        /// [`skip`].
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $skip(context: *mut $context, offset: u64, next: u64) -> u64 {
            skip(&$frame::<true>(context), offset as usize, next as u8).pack()
        }

        /// [`sctp::read`].
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $sctp(context: *mut $context, offset: u64, payload: u64) -> u64 {
            sctp::read(&$frame::<true>(context), offset as usize, payload as u16)
        }

        /// [`crc32c::mend`]: not zero if it is done.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $mend_crc(
            context: *mut $context,
            offset: u64,
            length: u32,
            change: u32,
        ) -> u64 {
            let frame = &mut $frame::<true>(context);
            u64::from(crc32c::mend(frame, offset as usize, length, change).is_some())
        }

        /// [`rewrite_address`], likewise.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $address(
            context: *mut $context,
            first: u64,
            second: u64,
            headers: u32,
            place: u32,
        ) -> u64 {
            let (headers, address) = (Headers::unpack(headers), Address([first, second]));
            let frame = &mut $frame::<true>(context);
            u64::from(rewrite_address(frame, headers, place as usize, address).is_some())
        }

        /// [`answer`]: the numbers are those of a [`Question`].
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $answer(
            context: *mut $context,
            network: u64,
            interface: u64,
            request: u64,
        ) -> u64 {
            let question = question(network, interface, request);
            answer(
                &$frame::<true>(context),
                &Maps::new(context.cast()),
                question,
            );
            0
        }

        /// [`wrap`].
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $wrap(context: *mut $context, dest: u32, headers: u32) -> u64 {
            let maps = Maps::new(context.cast());
            let headers = Headers::unpack(headers);
            wrap(&mut $frame::<true>(context), &maps, dest, headers)
        }
    };
}

functions!(
    xdp_md,
    XdpFrame,
    ferrovs_skip_xdp,
    ferrovs_sctp_xdp,
    ferrovs_mend_crc_xdp,
    ferrovs_address_xdp,
    ferrovs_answer_xdp,
    ferrovs_wrap_xdp
);
functions!(
    __sk_buff,
    SkbFrame,
    ferrovs_skip_tc,
    ferrovs_sctp_tc,
    ferrovs_mend_crc_tc,
    ferrovs_address_tc,
    ferrovs_answer_tc,
    ferrovs_wrap_tc
);

/// [`crc32c::times`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_times(one: u32, other: u32) -> u32 {
    crc32c::times(one, other)
}

/// [`rewrite`] at tc: not zero if it is done.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_rewrite_tc(
    context: *mut __sk_buff,
    source: u64,
    destination: u64,
) -> u64 {
    let (headers, new) = unpack(source, destination);
    u64::from(rewrite(&mut SkbFrame::<true>(context), headers, new).is_some())
}

/// [`rewrite_ipv6`], likewise.
#[unsafe(no_mangle)]
#[inline(never)]
pub(super) extern "C" fn ferrovs_rewrite_ipv6_tc(
    context: *mut __sk_buff,
    first: u64,
    second: u64,
    rest: u64,
    ports: u64,
) -> u64 {
    let (headers, new) = unpack_ipv6(first, second, rest, ports);
    u64::from(rewrite_ipv6(&mut SkbFrame::<true>(context), headers, new).is_some())
}
