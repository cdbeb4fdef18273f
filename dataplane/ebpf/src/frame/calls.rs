//! The core's functions on a packet that the verifier judges once, by themselves: global functions, which take plain
//! numbers besides the context.

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use ferrovs_core::abi::answer::Request;
use ferrovs_core::abi::call::Call;
use ferrovs_core::abi::endpoint::{Endpoint, tag};
use ferrovs_core::abi::ipv6::Address;
use ferrovs_core::abi::pointer::Pointer;
use ferrovs_core::answer::{Question, answer};
use ferrovs_core::family::{Ipv4, Ipv6};
use ferrovs_core::flow::call_out::{call_out, caller};
use ferrovs_core::flow::open::Wish;
use ferrovs_core::fragment::{follow, remember};
use ferrovs_core::hop::is_cut_to;
use ferrovs_core::icmp::{restate, translate};
use ferrovs_core::method::tunnel::wrap;
use ferrovs_core::nat::{Rewrite, RewriteIpv6, crc32c, rewrite, rewrite_address, rewrite_ipv6};
use ferrovs_core::sip::{self, Payload, Search};
use ferrovs_core::verdict::{Arrival, Hook};
use ferrovs_core::wire::ipv6::skip;
use ferrovs_core::wire::sctp;
use ferrovs_core::wire::{Headers, Link};

use super::{SkbFrame, XdpFrame};
use crate::maps::Maps;

/// The methods of [`Frame`](ferrovs_core::frame::Frame) that are calls of these functions.
macro_rules! calls {
    ($skip:ident, $sctp:ident, $rewrite_ipv6:ident, $mend_crc:ident, $address:ident, $answer:ident, $wrap:ident, $icmp:ident, $icmp_ipv6:ident, $restate:ident, $restate_ipv6:ident, $cut:ident, $remember:ident, $follow:ident, $follow_ipv6:ident, $call:ident, $caller:ident, $call_out:ident, $note:ident, $read_on:ident) => {
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
        fn rewrite_ipv6(&mut self, headers: Headers, new: RewriteIpv6) -> Option<()> {
            let [first, second, rest, ports] = pack_ipv6(headers, new);
            done($rewrite_ipv6(self.0, first, second, rest, ports))
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

        #[inline(always)]
        fn translate<A: Quoting, T: Tables>(&mut self, _: &T, arrival: Arrival) -> u64 {
            if A::TAG == 0 {
                $icmp(self.0, arrival.interface)
            } else {
                $icmp_ipv6(self.0, arrival.interface)
            }
        }

        #[inline(always)]
        fn remember<A: Cut, T: Tables>(&self, _: &T, link: Link, to: Pointer, direction: u32) {
            let network = link.length() as u32;
            $remember(self.0, to.0, network, direction, u32::from(A::TAG));
        }

        #[inline(always)]
        fn follow<A: Cut, T: Tables>(&mut self, _: &T, arrival: Arrival) -> u64 {
            if A::TAG == 0 {
                $follow(self.0, arrival.interface)
            } else {
                $follow_ipv6(self.0, arrival.interface)
            }
        }

        #[inline(always)]
        fn is_cut_to(&self, headers: Headers, mtu: u16) -> bool {
            $cut(self.0, headers.pack(), u32::from(mtu)) != 0
        }

        #[inline(always)]
        fn restate<A: Quoting, T: Tables>(&mut self, _: &T, link: Link, found: u64) -> bool {
            let network = link.length() as u32;
            0 != if A::TAG == 0 {
                $restate(self.0, network, found)
            } else {
                $restate_ipv6(self.0, network, found)
            }
        }

        #[inline(always)]
        fn seek(&self, search: Search) -> Search {
            let mut seeking = Seeking {
                context: self.0,
                search,
            };
            let context: *mut Seeking<_> = &mut seeking;
            let callback = $read_on as extern "C" fn(u32, *mut Seeking<_>) -> i64;
            // SAFETY: the kernel calls back with the context it was given, which outlives the call.
            unsafe { bpf_loop(search.steps(), callback as *mut c_void, context.cast(), 0) };
            seeking.search
        }

        #[inline(always)]
        fn call<T: Tables>(&self, _: &T, number: u16, payload: Payload, client: Address) -> Call {
            let Address([first, second]) = client;
            let place = u64::from(payload.0) | u64::from(number) << 32;
            Call($call(self.0, place, first, second))
        }

        #[inline(always)]
        fn caller<T: Tables>(&self, _: &T, link: Link, ipv6: bool, wish: &mut Wish) {
            $caller(self.0, wish, link.length() as u32, u32::from(ipv6));
        }

        #[inline(always)]
        fn call_out<T: Tables>(&self, _: &T, wish: &mut Wish) -> u64 {
            $call_out(self.0, wish)
        }

        #[inline(always)]
        fn note_call<T: Tables>(&self, _: &T, payload: Payload, call: Call) {
            $note(self.0, payload.0, call.0);
        }
    };
}
pub(super) use calls;

/// A message that is read, and the context of its packet.
#[repr(C)]
pub(super) struct Seeking<C> {
    pub(super) context: *mut C,
    pub(super) search: Search,
}

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
    ($context:ty, $frame:ident, $hook:expr, $skip:ident, $sctp:ident, $rewrite_ipv6:ident, $mend_crc:ident, $address:ident, $answer:ident, $wrap:ident, $icmp:ident, $icmp_ipv6:ident, $restate:ident, $restate_ipv6:ident, $cut:ident, $remember:ident, $follow:ident, $follow_ipv6:ident, $call:ident, $caller:ident, $call_out:ident, $note:ident, $read_on:ident) => {
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

        /// [`rewrite_ipv6`]: not zero if it is done.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $rewrite_ipv6(
            context: *mut $context,
            first: u64,
            second: u64,
            rest: u64,
            ports: u64,
        ) -> u64 {
            let (headers, new) = unpack_ipv6(first, second, rest, ports);
            u64::from(rewrite_ipv6(&mut $frame::<true>(context), headers, new).is_some())
        }

        /// [`crc32c::mend`], likewise.
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

        /// [`translate`] of an IPv4 packet.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $icmp(context: *mut $context, interface: u32) -> u64 {
            let maps = Maps::new(context.cast());
            let arrival = Arrival {
                interface,
                hook: $hook,
            };
            translate::<Ipv4, _, _>(&mut $frame::<true>(context), &maps, arrival)
        }

        /// The same of an IPv6 packet.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $icmp_ipv6(context: *mut $context, interface: u32) -> u64 {
            let maps = Maps::new(context.cast());
            let arrival = Arrival {
                interface,
                hook: $hook,
            };
            translate::<Ipv6, _, _>(&mut $frame::<true>(context), &maps, arrival)
        }

        /// [`remember`], of the family that the tag says. The result means nothing.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $remember(
            context: *mut $context,
            to: u64,
            network: u32,
            direction: u32,
            tag: u32,
        ) -> u64 {
            let maps = Maps::new(context.cast());
            let link = Link::of_length(network as usize);
            let (frame, to) = ($frame::<true>(context), Pointer(to));
            if tag == 0 {
                remember::<Ipv4, _, _>(&frame, &maps, link, to, direction);
            } else {
                remember::<Ipv6, _, _>(&frame, &maps, link, to, direction);
            }
            0
        }

        /// [`follow`] of an IPv4 packet.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $follow(context: *mut $context, interface: u32) -> u64 {
            let maps = Maps::new(context.cast());
            let arrival = Arrival {
                interface,
                hook: $hook,
            };
            follow::<Ipv4, _, _>(&mut $frame::<true>(context), &maps, arrival)
        }

        /// The same of an IPv6 packet.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $follow_ipv6(context: *mut $context, interface: u32) -> u64 {
            let maps = Maps::new(context.cast());
            let arrival = Arrival {
                interface,
                hook: $hook,
            };
            follow::<Ipv6, _, _>(&mut $frame::<true>(context), &maps, arrival)
        }

        /// [`is_cut_to`]: not zero if so.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $cut(context: *mut $context, headers: u32, mtu: u32) -> u64 {
            let frame = $frame::<true>(context);
            u64::from(is_cut_to(&frame, Headers::unpack(headers), mtu as u16))
        }

        /// [`restate`] of an IPv4 packet: not zero if it is done.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $restate(context: *mut $context, network: u32, found: u64) -> u64 {
            let maps = Maps::new(context.cast());
            let link = Link::of_length(network as usize);
            let mut frame = $frame::<true>(context);
            u64::from(restate::<Ipv4, _, _>(&mut frame, &maps, link, found))
        }

        /// The same of an IPv6 packet.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $restate_ipv6(
            context: *mut $context,
            network: u32,
            found: u64,
        ) -> u64 {
            let maps = Maps::new(context.cast());
            let link = Link::of_length(network as usize);
            let mut frame = $frame::<true>(context);
            u64::from(restate::<Ipv6, _, _>(&mut frame, &maps, link, found))
        }

        /// [`sip::call`]; `place` is the [`Payload`] and, from bit 32 on, the service's number.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $call(
            context: *mut $context,
            place: u64,
            first: u64,
            second: u64,
        ) -> u64 {
            let payload = Payload(place as u32);
            let maps = Maps::new(context.cast());
            let client = Address([first, second]);
            let number = (place >> 32) as u16;
            sip::call(&$frame::<true>(context), &maps, number, payload, client).0
        }

        /// [`caller`]; the link header is known by its length. The result means nothing.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $caller(
            context: *mut $context,
            wish: *mut Wish,
            link: u32,
            ipv6: u32,
        ) -> u64 {
            if wish.is_null() {
                return 0;
            }
            // SAFETY: the caller's, who waits.
            let wish = unsafe { &mut *wish };
            let maps = Maps::new(context.cast());
            let link = Link::of_length(link as usize);
            caller(&$frame::<true>(context), &maps, link, ipv6 != 0, wish);
            0
        }

        /// [`call_out`]. After it the verifier knows nothing any more about the wish, which spares it a way of its own
        /// through all that follows.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $call_out(context: *mut $context, wish: *mut Wish) -> u64 {
            if wish.is_null() {
                return 0;
            }
            // SAFETY: the caller's, who waits.
            let wish = unsafe { &mut *wish };
            call_out(&$frame::<true>(context), &Maps::new(context.cast()), wish)
        }

        /// [`sip::note`]. The result means nothing.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub(super) extern "C" fn $note(context: *mut $context, payload: u32, call: u64) -> u64 {
            let maps = Maps::new(context.cast());
            sip::note(
                &$frame::<true>(context),
                &maps,
                Payload(payload),
                Call(call),
            );
            0
        }

        /// [`sip::step`] as `bpf_loop` calls it: 0 goes on, 1 ends the loop.
        #[inline(never)]
        pub(super) extern "C" fn $read_on(_: u32, seeking: *mut Seeking<$context>) -> i64 {
            // SAFETY: what `seek` handed to `bpf_loop`.
            let seeking = unsafe { &mut *seeking };
            i64::from(sip::step(
                &$frame::<true>(seeking.context),
                &mut seeking.search,
            ))
        }
    };
}

functions!(
    xdp_md,
    XdpFrame,
    Hook::Xdp,
    ferrovs_skip_xdp,
    ferrovs_sctp_xdp,
    ferrovs_rewrite_ipv6_xdp,
    ferrovs_mend_crc_xdp,
    ferrovs_address_xdp,
    ferrovs_answer_xdp,
    ferrovs_wrap_xdp,
    ferrovs_icmp_xdp,
    ferrovs_icmp_ipv6_xdp,
    ferrovs_restate_xdp,
    ferrovs_restate_ipv6_xdp,
    ferrovs_cut_xdp,
    ferrovs_remember_xdp,
    ferrovs_follow_xdp,
    ferrovs_follow_ipv6_xdp,
    ferrovs_call_xdp,
    ferrovs_caller_xdp,
    ferrovs_call_out_xdp,
    ferrovs_note_xdp,
    read_on_xdp
);
functions!(
    __sk_buff,
    SkbFrame,
    Hook::Tc,
    ferrovs_skip_tc,
    ferrovs_sctp_tc,
    ferrovs_rewrite_ipv6_tc,
    ferrovs_mend_crc_tc,
    ferrovs_address_tc,
    ferrovs_answer_tc,
    ferrovs_wrap_tc,
    ferrovs_icmp_tc,
    ferrovs_icmp_ipv6_tc,
    ferrovs_restate_tc,
    ferrovs_restate_ipv6_tc,
    ferrovs_cut_tc,
    ferrovs_remember_tc,
    ferrovs_follow_tc,
    ferrovs_follow_ipv6_tc,
    ferrovs_call_tc,
    ferrovs_caller_tc,
    ferrovs_call_out_tc,
    ferrovs_note_tc,
    read_on_tc
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
