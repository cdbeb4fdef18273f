//! The packet's bytes, at XDP and at tc.
//!
//! The verifier believes an access only after a comparison of the very pointer that is then used with
//! the end of the data, so every access checks for itself.

mod calls;

use core::arch::asm;
use core::ffi::c_void;
use core::mem::offset_of;

use aya_ebpf::bindings::{
    __sk_buff, BPF_F_ADJ_ROOM_ENCAP_L3_IPV4, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6,
    BPF_F_ADJ_ROOM_ENCAP_L4_GRE, BPF_F_ADJ_ROOM_ENCAP_L4_UDP, BPF_F_ADJ_ROOM_FIXED_GSO,
    BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR, bpf_adj_room_mode::BPF_ADJ_ROOM_MAC, xdp_md,
};
use aya_ebpf::helpers::{
    bpf_csum_update, bpf_l4_csum_replace, bpf_loop, bpf_skb_adjust_room, bpf_skb_load_bytes,
    bpf_xdp_adjust_head, bpf_xdp_load_bytes,
};
use aya_ebpf::programs::{TcContext, XdpContext};
use ferrovs_core::abi::call::Call;
use ferrovs_core::abi::dest::Method;
use ferrovs_core::abi::ipv6::Address;
use ferrovs_core::abi::pointer::Pointer;
use ferrovs_core::answer::Question;
use ferrovs_core::flow::open::Wish;
use ferrovs_core::fragment::Cut;
use ferrovs_core::frame::{ChecksumChange, Frame};
use ferrovs_core::icmp::Quoting;
use ferrovs_core::method::tunnel::Room;
use ferrovs_core::nat::{Rewrite, RewriteIpv6, checksum};
use ferrovs_core::sip::{Payload, Search};
use ferrovs_core::tables::Tables;
use ferrovs_core::verdict::Arrival;
use ferrovs_core::wire::ipv6::{self, Upper};
use ferrovs_core::wire::{Headers, Link};

use calls::*;

/// Highest offset that is ever touched: Ethernet with tag, IPv6 with extension headers, TCP.
const REACH: usize = 18 + ipv6::HEADER + ipv6::EXTENSIONS + 20;
/// The same for IPv4: Ethernet with tag, IPv4 with options, TCP.
const REACH_IPV4: usize = 18 + 60 + 20;
/// `ETH_P_IPV6` as `skb->protocol` has it.
const PROTOCOL_IPV6: u32 = (0x86dd_u16).to_be() as u32;
/// `GSO_BY_FRAGS`: several packets of SCTP in one, each of which lies in a buffer of its own behind a header for
/// all. To pull bytes out of those would cut the first packet.
const BY_FRAGMENTS: u32 = 0xffff;
/// `BPF_F_IPV6` (Linux 6.16): of an IPv6 packet whose checksum the kernel knows (CHECKSUM_COMPLETE), a
/// changed address and the checksum that makes up for it leave the sum as it was.
const CHECKSUM_IPV6: u64 = 1 << 7;

/// A pointer to `T` at `offset`, if it lies within the data. With `VARYING` the compiler sees no relation
/// between this access and others, see [`Frame::varying`].
#[inline(always)]
fn at<T, const VARYING: bool>(data: usize, end: usize, offset: usize) -> Option<*mut T> {
    if offset > REACH {
        return None;
    }
    let mut start = data + offset;
    if VARYING {
        // SAFETY: moves a register to itself. Nothing at all would leave a line number without code.
        unsafe {
            asm!("{0} = {0}", inout(reg) start, options(pure, nomem, nostack, preserves_flags))
        };
    }
    if start + size_of::<T>() > end {
        None
    } else {
        Some(start as *mut T)
    }
}

/// A pointer into the packet, as the context has it: 32 bits that the verifier takes for a whole pointer, as long as
/// nothing is done to them but to add. The compiler, if it made the integer longer itself, might do so late.
macro_rules! pointer {
    ($context:expr, $kind:ty, $field:ident) => {{
        let pointer: usize;
        // SAFETY: the context is valid for the whole program.
        unsafe {
            asm!("{pointer} = *(u32 *)({context} + {offset})", pointer = lateout(reg) pointer, context = in(reg) $context, offset = const offset_of!($kind, $field), options(pure, readonly, nostack, preserves_flags));
        }
        pointer
    }};
}

/// Integers of one width in a packet, where they are rarely aligned. The kernel takes such accesses on x86-64;
/// in Rust an unaligned access is one byte by byte, so these are spelled out.
macro_rules! width {
    ($read:ident, $write:ident, $integer:ty, $load:literal, $store:literal) => {
        #[inline(always)]
        fn $read(&self, offset: usize) -> Option<$integer> {
            let start = at::<$integer, VARYING>(self.data(), self.end(), offset)?;
            let value: u64;
            // SAFETY: `at` has compared with the end of the data.
            unsafe {
                asm!($load, start = in(reg) start, value = lateout(reg) value, options(pure, readonly, nostack, preserves_flags));
            }
            Some(value as $integer)
        }

        #[inline(always)]
        fn $write(&mut self, offset: usize, value: $integer) -> Option<()> {
            let start = at::<$integer, VARYING>(self.data(), self.end(), offset)?;
            // SAFETY: as above.
            unsafe {
                asm!($store, start = in(reg) start, value = in(reg) u64::from(value), options(nostack, preserves_flags));
            }
            Some(())
        }
    };
}

macro_rules! accessors {
    () => {
        width!(
            read_u16,
            write_u16,
            u16,
            "{value} = *(u16 *)({start} + 0)",
            "*(u16 *)({start} + 0) = {value}"
        );
        width!(
            read_u32,
            write_u32,
            u32,
            "{value} = *(u32 *)({start} + 0)",
            "*(u32 *)({start} + 0) = {value}"
        );
        width!(
            read_u64,
            write_u64,
            u64,
            "{value} = *(u64 *)({start} + 0)",
            "*(u64 *)({start} + 0) = {value}"
        );
    };
}

/// A packet at XDP: plain bytes, checksums complete.
pub struct XdpFrame<const VARYING: bool>(*mut xdp_md);

impl<const VARYING: bool> XdpFrame<VARYING> {
    /// The packet of this context.
    #[inline(always)]
    pub fn new(ctx: &XdpContext) -> Self {
        Self(ctx.ctx)
    }

    #[inline(always)]
    fn data(&self) -> usize {
        pointer!(self.0, xdp_md, data)
    }

    #[inline(always)]
    fn end(&self) -> usize {
        pointer!(self.0, xdp_md, data_end)
    }
}

impl<const VARYING: bool> Frame for XdpFrame<VARYING> {
    const COMPLETE: bool = true;

    accessors!();

    #[inline(always)]
    fn read_far(&self, offset: usize) -> Option<u32> {
        let mut word = 0_u32;
        let to: *mut u32 = &mut word;
        // SAFETY: the kernel writes four bytes to where there is room for them.
        let failed = unsafe { bpf_xdp_load_bytes(self.0, offset as u32, to.cast(), 4) };
        if failed == 0 { Some(word) } else { None }
    }

    #[inline(always)]
    fn varying(&mut self) -> impl Frame {
        XdpFrame::<true>(self.0)
    }

    calls!(
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

    #[inline(always)]
    fn copy(&self, offset: usize, to: &mut [u8]) -> Option<()> {
        let (start, length) = (to.as_mut_ptr().cast(), to.len() as u32);
        // SAFETY: plain helper call on the program's own context; `to` has room for so many bytes.
        match unsafe { bpf_xdp_load_bytes(self.0, offset as u32, start, length) } {
            0 => Some(()),
            _ => None,
        }
    }

    #[inline(always)]
    fn segment(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn make_room(&mut self, room: Room) -> Option<()> {
        let Room { link, bytes, .. } = room;
        // SAFETY: plain helper call on the program's own context.
        if unsafe { bpf_xdp_adjust_head(self.0, -(bytes as i32)) } != 0 {
            return None;
        }
        // The room is larger than any link header.
        if link > 0 {
            self.write_u64(0, self.read_u64(bytes)?)?;
            self.write_u32(8, self.read_u32(bytes + 8)?)?;
            self.write_u16(12, self.read_u16(bytes + 12)?)?;
        }
        if link > 14 {
            self.write_u32(14, self.read_u32(bytes + 14)?)?;
        }
        Some(())
    }

    #[inline(always)]
    fn change_checksum(&mut self, offset: usize, change: ChecksumChange) -> Option<()> {
        let old = self.read_u16(offset)?;
        self.write_u16(offset, checksum::change(old, change))
    }
}

/// Makes sure that the headers of a packet at tc can be accessed directly. Most drivers see to that;
/// virtio and packet sockets may leave all but the Ethernet header in fragments.
#[inline(always)]
pub fn pull_headers(ctx: &TcContext) {
    // SAFETY: the context is valid for the whole program.
    let reach = match unsafe { (*ctx.skb.skb).protocol } {
        PROTOCOL_IPV6 => REACH,
        _ => REACH_IPV4,
    };
    let linear = ctx.data_end() - ctx.data();
    // SAFETY: as above.
    if linear >= reach || unsafe { (*ctx.skb.skb).gso_size } == BY_FRAGMENTS {
        return;
    }
    let reach = reach as u32;
    let wanted = if ctx.len() < reach { ctx.len() } else { reach };
    if linear < wanted as usize {
        // What cannot be pulled cannot be read either, and then is none of ours.
        let _ = ctx.pull_data(wanted);
    }
}

/// A packet at tc: an skb, whose layer-4 checksum may be left to the device (CHECKSUM_PARTIAL) or
/// known to the kernel (CHECKSUM_COMPLETE). Its helper minds both.
pub struct SkbFrame<const VARYING: bool>(*mut __sk_buff);

impl<const VARYING: bool> SkbFrame<VARYING> {
    /// The packet of this context.
    #[inline(always)]
    pub fn new(ctx: &TcContext) -> Self {
        Self(ctx.skb.skb)
    }

    #[inline(always)]
    fn data(&self) -> usize {
        pointer!(self.0, __sk_buff, data)
    }

    #[inline(always)]
    fn end(&self) -> usize {
        pointer!(self.0, __sk_buff, data_end)
    }
}

impl<const VARYING: bool> Frame for SkbFrame<VARYING> {
    const COMPLETE: bool = false;

    accessors!();

    #[inline(always)]
    fn mark(&self) -> u32 {
        // SAFETY: the context is valid for the whole program.
        unsafe { (*self.0).mark }
    }

    #[inline(always)]
    fn read_far(&self, offset: usize) -> Option<u32> {
        let mut word = 0_u32;
        let to: *mut u32 = &mut word;
        // SAFETY: the kernel writes four bytes to where there is room for them.
        let failed = unsafe { bpf_skb_load_bytes(self.0.cast(), offset as u32, to.cast(), 4) };
        if failed == 0 { Some(word) } else { None }
    }

    #[inline(always)]
    fn varying(&mut self) -> impl Frame {
        SkbFrame::<true>(self.0)
    }

    calls!(
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

    #[inline(always)]
    fn rewrite(&mut self, headers: Headers, new: Rewrite) -> Option<()> {
        let [source, destination] = pack(headers, new);
        done(ferrovs_rewrite_tc(self.0, source, destination))
    }

    #[inline(always)]
    fn copy(&self, offset: usize, to: &mut [u8]) -> Option<()> {
        let (start, length) = (to.as_mut_ptr().cast(), to.len() as u32);
        // SAFETY: as at XDP.
        match unsafe { bpf_skb_load_bytes(self.0.cast(), offset as u32, start, length) } {
            0 => Some(()),
            _ => None,
        }
    }

    #[inline(always)]
    fn segment(&self) -> u32 {
        // SAFETY: the context is valid for the whole program.
        unsafe { (*self.0).gso_size }
    }

    #[inline(always)]
    fn make_room(&mut self, room: Room) -> Option<()> {
        let network = if room.ipv6 {
            BPF_F_ADJ_ROOM_ENCAP_L3_IPV6
        } else {
            BPF_F_ADJ_ROOM_ENCAP_L3_IPV4
        };
        let shim = match room.method {
            Method::Gue => BPF_F_ADJ_ROOM_ENCAP_L4_UDP,
            Method::Gre => BPF_F_ADJ_ROOM_ENCAP_L4_GRE,
            _ => 0,
        };
        // Otherwise the kernel cuts smaller packets from a joined one.
        let size = if room.fits {
            BPF_F_ADJ_ROOM_FIXED_GSO
        } else {
            0
        };
        let flags = u64::from(network | shim | size);
        // SAFETY: plain helper call on the program's own context.
        match unsafe { bpf_skb_adjust_room(self.0, room.bytes as i32, BPF_ADJ_ROOM_MAC, flags) } {
            0 => Some(()),
            _ => None,
        }
    }

    #[inline(always)]
    fn sum_has_changed(&mut self, difference: u32) {
        // SAFETY: plain helper call on the program's own context.
        unsafe { bpf_csum_update(self.0, difference) };
    }

    #[inline(always)]
    fn change_checksum(&mut self, offset: usize, change: ChecksumChange) -> Option<()> {
        // A field size of zero, or-ed in, means that `to` is a difference.
        let zero = if change.zero_is_none {
            u64::from(BPF_F_MARK_MANGLED_0)
        } else {
            0
        };
        let pseudo = zero | u64::from(BPF_F_PSEUDO_HDR);
        let offset = offset as u32;
        let (addresses, ports) = (u64::from(change.addresses), u64::from(change.ports));
        // SAFETY: plain helper calls on the program's own context.
        let failed = unsafe {
            let mut failed = 1;
            if change.ipv6 {
                let flags = pseudo | CHECKSUM_IPV6;
                failed = bpf_l4_csum_replace(self.0, offset, 0, addresses, flags);
            }
            if failed != 0 {
                failed = bpf_l4_csum_replace(self.0, offset, 0, addresses, pseudo);
                if change.ipv6 {
                    // An older kernel, which has taken the difference from the sum it knows.
                    bpf_csum_update(self.0, change.addresses);
                }
            }
            failed | bpf_l4_csum_replace(self.0, offset, 0, ports, zero)
        };
        if failed == 0 { Some(()) } else { None }
    }
}
