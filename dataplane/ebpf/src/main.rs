//! The XDP and tc programs: the [core](ferrovs_core) behind eBPF maps.
//!
//! Thin by intention. A packet enters in [`ferrovs_xdp`] or [`ferrovs_tc`], is decided about by
//! [`ferrovs_core::director::direct`], and leaves by the verdict's kernel action. [`frame`] is the
//! packet's bytes, [`maps`] the tables, [`line`] the words in them.
#![no_std]
#![no_main]
#![expect(
    internal_features,
    reason = "the only way to atomics on the BPF target"
)]
#![feature(core_intrinsics)]
#![feature(asm_experimental_arch)]

mod frame;
mod line;
mod maps;

use core::mem::zeroed;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, bpf_redir_neigh, xdp_action};
use aya_ebpf::helpers::{bpf_redirect, bpf_redirect_neigh};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use ferrovs_core::director::direct;
use ferrovs_core::method::route::{Neighbour, neighbour};
use ferrovs_core::verdict::{Arrival, Hook, Verdict};
use frame::{SkbFrame, XdpFrame};
use maps::{AF_INET, AF_INET6, Maps};

/// What the kernel is told about the licence: it opens the GPL-only helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// `skb->pkt_type` of a packet addressed to this host.
const PACKET_HOST: u32 = 0;

/// The XDP hook.
#[xdp]
pub fn ferrovs_xdp(ctx: XdpContext) -> u32 {
    let interface = ctx.ingress_ifindex() as u32;
    let arrival = Arrival {
        interface,
        hook: Hook::Xdp,
    };
    let maps = Maps::new(ctx.as_ptr());
    // `bpf_redirect` only notes where to; the kernel sends the frame when it reads the returned action.
    match direct(&mut XdpFrame::<false>::new(&ctx), &maps, arrival) {
        Verdict::Pass | Verdict::Defer | Verdict::Resolve { .. } | Verdict::Hand { .. } => {
            xdp_action::XDP_PASS
        }
        Verdict::Drop | Verdict::Tell { .. } => xdp_action::XDP_DROP,
        // SAFETY: plain helper call.
        Verdict::Transmit { interface } => (unsafe { bpf_redirect(interface, 0) }) as u32,
    }
}

/// The tc ingress hook.
#[classifier]
pub fn ferrovs_tc(ctx: TcContext) -> i32 {
    // SAFETY: the context is valid for the whole program.
    let skb = unsafe { &*ctx.skb.skb };
    // A frame for another host, or one whose 802.1Q tag lies beside it: the VLAN device above sees
    // the latter once more.
    if skb.pkt_type != PACKET_HOST || skb.vlan_present != 0 {
        return TC_ACT_UNSPEC;
    }
    let interface = skb.ifindex;
    frame::pull_headers(&ctx);
    let arrival = Arrival {
        interface,
        hook: Hook::Tc,
    };
    let maps = Maps::new(ctx.as_ptr());
    match direct(&mut SkbFrame::<false>::new(&ctx), &maps, arrival) {
        Verdict::Pass | Verdict::Defer => TC_ACT_UNSPEC,
        Verdict::Drop | Verdict::Tell { .. } => TC_ACT_SHOT,
        // SAFETY: plain helper call.
        Verdict::Transmit { interface } => (unsafe { bpf_redirect(interface, 0) }) as i32,
        Verdict::Resolve { interface } => {
            // SAFETY: a null pointer of length 0 asks the kernel to look the neighbour up itself.
            (unsafe { bpf_redirect_neigh(interface, core::ptr::null_mut(), 0, 0) }) as i32
        }
        Verdict::Hand { interface, dest } => hand(&maps, interface, dest),
    }
}

/// Has the kernel find the neighbour towards server `dest`, and send the packet to it.
fn hand(maps: &Maps, interface: u32, dest: u32) -> i32 {
    // SAFETY: a plain C struct of integers, for which zero is a value.
    let mut params: bpf_redir_neigh = unsafe { zeroed() };
    match neighbour(maps, dest) {
        Some(Neighbour::V4(address)) => {
            params.nh_family = AF_INET;
            params.__bindgen_anon_1.ipv4_nh = address;
        }
        Some(Neighbour::V6(address)) => {
            params.nh_family = AF_INET6;
            params.__bindgen_anon_1.ipv6_nh = address.words();
        }
        None => return TC_ACT_SHOT,
    }
    let size = size_of::<bpf_redir_neigh>() as i32;
    // SAFETY: the parameters are valid and of the size that is named.
    (unsafe { bpf_redirect_neigh(interface, &mut params, size, 0) }) as i32
}

/// Never reached: an object in which it can be reached does not pass `cargo xtask ebpf build`,
/// and the kernel's verifier refuses the endless loop.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
