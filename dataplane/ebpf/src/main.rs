//! The XDP and tc programs of ferrovs.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_UNSPEC, xdp_action},
    btf_maps::Array,
    macros::{btf_map, classifier, xdp},
    programs::{TcContext, XdpContext},
};

/// Layout version of the maps: strangers are refused by it.
#[btf_map]
static FERROVS_LAYOUT: Array<u32, 1> = Array::new();

/// What the kernel is told about the licence: it opens the GPL-only helpers.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// The XDP hook.
#[xdp]
pub fn ferrovs_xdp(_ctx: XdpContext) -> u32 {
    match FERROVS_LAYOUT.get(0) {
        Some(_) => xdp_action::XDP_PASS,
        None => xdp_action::XDP_ABORTED,
    }
}

/// The tc hook.
#[classifier]
pub fn ferrovs_tc(_ctx: TcContext) -> i32 {
    match FERROVS_LAYOUT.get(0) {
        Some(_) => TC_ACT_UNSPEC,
        None => 0,
    }
}

/// Never reached: an object in which it can be reached does not pass `cargo xtask ebpf build`,
/// and the kernel's verifier refuses the endless loop.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
